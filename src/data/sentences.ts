/** Cuts paragraphs into sentences, so that segments of an example begin and end where sentences do. */

/** Sentence-ending punctuation with the quotes and brackets that close after it; that of Latin text only before a space. */
const SENTENCE_END = /(?:[。！？；]|……|[.!?]+(?=\s))[。！？；…]*[”’」』）】》"')\]]*/gu;

/**
 * The sentences of a paragraph, in order; joined they give the paragraph but for white space around them.
 * Source: the recipe of the Chinese whole word masking models cuts at 。？！ (ymcui/Chinese-BERT-wwm issue 73); what stands
 * between ；, often a whole statement, is a sentence here too, so that long lists of them can be packed.
 */
export function splitSentences(paragraph: string): string[] {
  const sentences: string[] = [];
  let start = 0;
  const push = (end: number): void => {
    const sentence = paragraph.slice(start, end).trim();
    if (sentence !== "") sentences.push(sentence);
    start = end;
  };
  for (const match of paragraph.matchAll(SENTENCE_END)) push(match.index + match[0].length);
  push(paragraph.length);
  return sentences;
}
