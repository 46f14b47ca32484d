/** Puts the ranges of a packed example together: [CLS] A [SEP], or [CLS] A [SEP] B [SEP]. */
import type { PretrainingInstance } from "./instance.ts";
import type { TokenBlock } from "./token-block.ts";

/** An example before masking. */
export type UnmaskedExample = Omit<PretrainingInstance, "maskedLmPositions" | "maskedLmIds">;

/**
 * Assembles one example. A segment's first token begins a word, even where truncation has cut the word's head off.
 * @param ranges - [examples, 5] as in packing.ts. @param at - where the example begins in it.
 */
export function assembleExample(
  block: TokenBlock,
  ranges: ArrayLike<number>,
  at: number,
  { clsId, sepId }: { readonly clsId: number; readonly sepId: number },
): UnmaskedExample {
  const fromA = ranges[at] as number;
  const toA = ranges[at + 1] as number;
  const fromB = ranges[at + 2] as number;
  const toB = ranges[at + 3] as number;
  const lengthA = toA - fromA;
  const lengthB = toB - fromB;
  const seqLength = lengthA + 2 + (lengthB > 0 ? lengthB + 1 : 0);
  const inputIds = new Int32Array(seqLength);
  const wordStarts = new Uint8Array(seqLength);
  const tokenTypeIds = new Uint8Array(seqLength);
  const put = (from: number, to: number, position: number): void => {
    inputIds.set(block.ids.subarray(from, to), position);
    wordStarts.set(block.wordStarts.subarray(from, to), position);
    wordStarts[position] = 1;
    inputIds[position + to - from] = sepId;
    wordStarts[position + to - from] = 1;
  };
  inputIds[0] = clsId;
  wordStarts[0] = 1;
  put(fromA, toA, 1);
  if (lengthB > 0) {
    put(fromB, toB, lengthA + 2);
    tokenTypeIds.fill(1, lengthA + 2);
  }
  return { inputIds, tokenTypeIds, wordStarts, nextSentenceLabel: ranges[at + 4] === 1 ? 1 : 0 };
}
