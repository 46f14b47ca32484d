/** Where words begin in instances of files that do not say so: a segmenter finds them in the text of the tokens. */
import type { Segmenter } from "../text/segmenter.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { originalIds, type PretrainingInstance } from "./instance.ts";
import { textOfTokens } from "./token-documents.ts";
import { alignWords, continuationTable } from "./word-alignment.ts";

/** Gives an instance its word starts. The text is what tokens still say: [UNK] is a word of its own, capitals are gone. */
export function wordRestorer(
  vocabulary: Vocabulary,
  segmenter: Segmenter,
): (instance: PretrainingInstance) => PretrainingInstance {
  const { unk, ...parting } = vocabulary.ids;
  const isParting = new Set<number>(Object.values(parting));
  const continues = continuationTable(vocabulary);
  return (instance) => {
    const ids = originalIds(instance);
    const wordStarts = new Uint8Array(ids.length).fill(1);
    for (let begin = 0; begin < ids.length; ) {
      let end = begin;
      while (end < ids.length && !isParting.has(ids[end] as number)) end += 1;
      if (end > begin) wordStarts.set(wordsOf(ids.subarray(begin, end)), begin);
      begin = end + 1;
    }
    return { ...instance, wordStarts };
  };

  function wordsOf(ids: Int32Array): Uint8Array {
    const { text, starts } = textOfTokens(ids, vocabulary);
    const { wordEnds, text: segmented } = segmenter.segment(text);
    // A segmenter that takes marks out of the text would shift the offsets.
    const ends = segmented === text ? wordEnds : Int32Array.of(text.length);
    const wordStarts = alignWords({ ids, starts, ends: starts }, ends, continues);
    for (const [i, id] of ids.entries()) {
      if (id !== unk) continue;
      wordStarts[i] = 1;
      if (i + 1 < ids.length && continues[ids[i + 1] as number] === 0) wordStarts[i + 1] = 1;
    }
    return wordStarts;
  }
}
