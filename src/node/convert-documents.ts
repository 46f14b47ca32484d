/** The documents of any training data, as tokens with their words. */
import { instanceProblem } from "../data/_record.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { wordRestorer } from "../data/restore-words.ts";
import type { ExampleShape } from "../data/tfrecord.ts";
import { documentsOfInstance, type TokenSentence, textOfTokens, WordMarks } from "../data/token-documents.ts";
import { alignWords, continuationTable } from "../data/word-alignment.ts";
import { DataError, verbatim } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { DocumentInput, InstanceInput } from "./data-inputs.ts";
import type { ConvertedSentence } from "./data-outputs.ts";

/** A sentence with a mark is found among the first ones, if the file has marks. */
const SENTENCES_TO_LOOK_AT = 10_000;

/** What tokens and words are found with. */
interface WordFinding {
  readonly tokenizer: BertTokenizer;
  readonly segmenter: Segmenter;
}

/** @throws {DataError} when an instance cannot be one of this vocabulary and shape. */
export function checkInstance(
  instance: PretrainingInstance,
  number: number,
  format: string,
  { vocabulary }: BertTokenizer,
  shape: ExampleShape,
): void {
  const wrong = instanceProblem(instance, { vocabSize: vocabulary.size, ...shape });
  if (wrong === undefined) return;
  throw new DataError({
    where: `${format}: instance ${number}`,
    expected: wrong[0],
    got: verbatim(wrong[1]),
    hint: "name the vocabulary that the data was made with by --vocab; longer sequences need a larger --max-seq-length",
  });
}

/**
 * The documents of what is opened; words are found by the segmenter where the data do not say them.
 * @param onInstance - called for each instance that is taken apart.
 * @throws {DataError} when ids are not of the vocabulary.
 */
export async function* documentsOf(
  input: InstanceInput | DocumentInput,
  options: WordFinding,
  onInstance: () => void,
): AsyncGenerator<readonly ConvertedSentence[]> {
  const { tokenizer, segmenter } = options;
  const { vocabulary } = tokenizer;
  if (input.kind === "instances") {
    const restore = wordRestorer(vocabulary, segmenter);
    for await (const { instance, hasWords } of input.read()) {
      const shape = { maxSeqLength: Number.MAX_SAFE_INTEGER, maxPredictionsPerSeq: Number.MAX_SAFE_INTEGER };
      checkInstance(instance, 0, input.format, tokenizer, shape);
      onInstance();
      for (const document of documentsOfInstance(hasWords ? instance : restore(instance), vocabulary)) {
        if (document.length > 0) yield document;
      }
    }
  } else if (input.kind === "ids") yield* idDocuments(input, options);
  else yield* textDocuments(input, options);
}

async function* idDocuments(
  input: DocumentInput,
  { tokenizer, segmenter }: WordFinding,
): AsyncGenerator<readonly TokenSentence[]> {
  const { vocabulary } = tokenizer;
  const marks = new WordMarks(vocabulary);
  const words = sentenceWords(tokenizer, segmenter);
  const isMarked = hasMarks(input, marks);
  let number = 0;
  for (const document of input.ids()) {
    yield document.map((ids) => {
      const outside = ids.find((id) => id >= vocabulary.size);
      if (outside !== undefined) {
        throw new DataError({
          where: `${input.format}: document ${number}`,
          expected: `ids below ${vocabulary.size}`,
          got: outside,
          hint: "name the vocabulary that the ids come from with --vocab",
        });
      }
      const sentence = marks.unmark(ids);
      return isMarked ? sentence : { ids: sentence.ids, wordStarts: words(sentence.ids) };
    });
    number += 1;
  }
}

function hasMarks(input: DocumentInput, marks: WordMarks): boolean {
  let seen = 0;
  for (const document of input.ids()) {
    for (const ids of document) {
      if (marks.unmark(ids).hasMarks) return true;
      if (++seen === SENTENCES_TO_LOOK_AT) return false;
    }
  }
  return false;
}

/** Where words begin in ids that do not say so. */
function sentenceWords({ vocabulary }: BertTokenizer, segmenter: Segmenter): (ids: Int32Array) => Uint8Array {
  const continues = continuationTable(vocabulary);
  return (ids) => {
    const { text, starts } = textOfTokens(ids, vocabulary);
    return alignWords({ ids, starts, ends: starts }, segmenter.segment(text).wordEnds, continues);
  };
}

async function* textDocuments(
  input: DocumentInput,
  { tokenizer, segmenter }: WordFinding,
): AsyncGenerator<readonly ConvertedSentence[]> {
  const continues = continuationTable(tokenizer.vocabulary);
  let document: ConvertedSentence[] = [];
  for await (const line of input.lines()) {
    if (line.trim() === "") {
      if (document.length > 0) yield document;
      document = [];
      continue;
    }
    const { text, wordEnds } = segmenter.segment(line.trim());
    const pieces = tokenizer.encodePieces(text);
    if (pieces.ids.length === 0) continue;
    const words = Array.from(wordEnds, (end, i) => text.slice(wordEnds[i - 1] ?? 0, end)).filter((word) => word.trim());
    document.push({
      ids: pieces.ids,
      wordStarts: alignWords(pieces, wordEnds, continues),
      text,
      spaced: words.join(" "),
    });
  }
  if (document.length > 0) yield document;
}
