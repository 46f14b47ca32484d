/**
 * Lays the words of a segmenter over the tokens of a tokenizer by character offsets: which tokens begin a word.
 *
 * Strings are never compared: tokens are lower-cased, stripped of accents or [UNK], and would not match.
 */
import type { Vocabulary } from "../text/vocabulary.ts";
import { CONTINUATION_PREFIX } from "../text/vocabulary.ts";

/** The tokens of a text without special tokens, as BertTokenizer.encodePieces gives them. */
export interface Pieces {
  /** int32 [pieces]. */
  readonly ids: Int32Array;
  /** int32 [pieces]; UTF-16 offset where the token starts in the text. */
  readonly starts: Int32Array;
  /** int32 [pieces]; UTF-16 offset where it ends. */
  readonly ends: Int32Array;
}

/** What pre-training data needs of a tokenizer; BertTokenizer is one. */
export interface PieceTokenizer {
  readonly vocabulary: Vocabulary;
  encodePieces(text: string): Pieces;
}

/**
 * Which tokens continue a word by WordPiece's own mark.
 * @returns uint8 [vocabulary]; 1 for tokens that start with `##`.
 */
export function continuationTable(vocabulary: Vocabulary): Uint8Array {
  return Uint8Array.from(vocabulary.tokens, (token) => (token.startsWith(CONTINUATION_PREFIX) ? 1 : 0));
}

/**
 * Marks the tokens that begin a word. A boundary inside a word of WordPiece is passed over: a `##` token always
 * continues, so that a word is what the segmenter or WordPiece keeps together.
 * @param wordEnds - int32 [words]; ascending UTF-16 offsets in the same text.
 * @param continues - uint8 [vocabulary], from {@link continuationTable}.
 * @returns uint8 [pieces]; 1 where a word begins.
 */
export function alignWords(pieces: Pieces, wordEnds: Int32Array, continues: Uint8Array): Uint8Array {
  const { ids, starts } = pieces;
  const wordStarts = new Uint8Array(ids.length);
  let word = 0;
  for (let i = 0; i < ids.length; i++) {
    const before = word;
    while (word < wordEnds.length && (wordEnds[word] as number) <= (starts[i] as number)) word += 1;
    const isBoundary = i === 0 || word > before;
    wordStarts[i] = isBoundary && continues[ids[i] as number] === 0 ? 1 : 0;
  }
  if (ids.length > 0) wordStarts[0] = 1;
  return wordStarts;
}
