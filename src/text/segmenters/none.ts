/** No segmenter: WordPiece's own `##` is the only bond between tokens, each Chinese character is a word. */
import type { SegmentedText, Segmenter } from "../segmenter.ts";

/** A segmenter for which each character is a word: whole word masking then follows WordPiece alone, as Google's. */
export default function noSegmenter(): Segmenter {
  return { name: "none", segment: everyCharacter };
}

function everyCharacter(text: string): SegmentedText {
  const wordEnds = new Int32Array(text.length);
  for (let i = 0; i < text.length; i++) wordEnds[i] = i + 1;
  return { text, wordEnds, unalignedLines: 0 };
}
