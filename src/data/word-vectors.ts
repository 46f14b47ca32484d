/** Word vectors in word2vec's text format, as far as they are needed: the first words that the tokenizer knows. */
import { CorpusError, verbatim } from "../errors.ts";
import type { PieceTokenizer } from "./word-alignment.ts";

/** Vectors of words, of length 1 each. */
export interface WordVectors {
  /** The tokens of each word, with spaces between. */
  readonly words: readonly string[];
  /** uint8 [words]; the number of tokens. */
  readonly lengths: Uint8Array;
  readonly dim: number;
  /** float32 [words, dim]. */
  readonly vectors: Float32Array;
}

/** How many words are kept; more cost time (their square) and are seldom masked. */
export const MAX_WORDS = 20_000;
/** No published word vectors have so many; it bounds the memory. */
const MAX_DIM = 1024;
/** Longer entries are phrases, which segmenters do not give. */
const MAX_WORD_TOKENS = 8;

/**
 * Reads `word number number ...` lines, with or without word2vec's first line of counts. Files list frequent words first, so the first
 * ones are kept: words of at most 8 tokens, none of them [UNK] and none twice. Reading ends when there are enough.
 * @param lines - groups of lines. @param where - the file, for messages.
 * @throws {CorpusError} when a line holds something else, or no word is known.
 */
export async function readWordVectors(
  lines: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
  tokenizer: PieceTokenizer,
  where: string,
  maxWords = MAX_WORDS,
): Promise<WordVectors> {
  const { vocabulary } = tokenizer;
  const seen = new Map<string, number>();
  const lengths = new Uint8Array(maxWords);
  let vectors = new Float32Array(0);
  let dim = 0;
  let number = 0;
  reading: for await (const group of lines) {
    for (const line of group) {
      number += 1;
      const fields = line.trimEnd().split(" ");
      if (line.trim() === "" || (number === 1 && fields.length === 2)) continue;
      if (dim === 0) {
        dim = fields.length - 1;
        if (dim < 2 || dim > MAX_DIM) throw wrong(where, number, `a word and 2 to ${MAX_DIM} numbers`, `${dim}`);
        vectors = new Float32Array(maxWords * dim);
      }
      if (fields.length !== dim + 1) throw wrong(where, number, `a word and ${dim} numbers`, `${fields.length} fields`);
      const ids = tokenizer.encodePieces(fields[0] as string).ids;
      if (ids.length === 0 || ids.length > MAX_WORD_TOKENS || ids.includes(vocabulary.ids.unk)) continue;
      const word = vocabulary.tokensOf(ids).join(" ");
      if (seen.has(word)) continue;
      const at = seen.size;
      if (!setUnitVector(vectors.subarray(at * dim, (at + 1) * dim), fields)) {
        throw wrong(where, number, "finite numbers, one of them not 0", line.slice(0, 40));
      }
      lengths[at] = ids.length;
      seen.set(word, at);
      if (seen.size === maxWords) break reading;
    }
  }
  if (seen.size === 0) throw wrong(where, number, "word vectors of words that the vocabulary has", "none");
  const count = seen.size;
  return { words: [...seen.keys()], lengths: lengths.slice(0, count), dim, vectors: vectors.slice(0, count * dim) };
}

/** @returns whether the numbers make a vector that has a direction. */
function setUnitVector(vector: Float32Array, fields: readonly string[]): boolean {
  let square = 0;
  for (let i = 0; i < vector.length; i++) {
    const text = fields[i + 1] as string;
    const value = text === "" ? Number.NaN : Number(text);
    vector[i] = value;
    square += value * value;
  }
  if (!(square > 0 && square < Number.POSITIVE_INFINITY)) return false;
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * scale;
  return true;
}

function wrong(where: string, line: number, expected: string, got: string): CorpusError {
  const hint = "word vectors are text: a word and its numbers a line, with spaces between (word2vec -binary 0)";
  return new CorpusError({ where: `${where}: line ${line}`, expected, got: verbatim(got), hint });
}
