/** Puts the ranges of a packed example together: [CLS] A [SEP], or [CLS] A [SEP] B [SEP]. */
import type { PretrainingInstance } from "./instance.ts";
import type { TokenBlock } from "./token-block.ts";

/** An example before masking. */
export type UnmaskedExample = Omit<PretrainingInstance, "maskedLmPositions" | "maskedLmIds">;

/** The ids around segments. */
interface SpecialIds {
  readonly clsId: number;
  readonly sepId: number;
}

/**
 * Assembles one example. A segment's first token begins a word, even where truncation has cut the word's head off.
 * @param ranges - [examples, 5] as in packing.ts. @param at - where the example begins in it.
 */
export function assembleExample(
  block: TokenBlock,
  ranges: ArrayLike<number>,
  at: number,
  special: SpecialIds,
): UnmaskedExample {
  const length = exampleLength(ranges, at);
  const inputIds = new Int32Array(length);
  const wordStarts = new Uint8Array(length);
  const firstLength = assembleInto(inputIds, wordStarts, block, ranges, at, special);
  const tokenTypeIds = new Uint8Array(length).fill(1, firstLength);
  return { inputIds, tokenTypeIds, wordStarts, nextSentenceLabel: ranges[at + 4] === 1 ? 1 : 0 };
}

/** Tokens of an example, special ones counted. */
export function exampleLength(ranges: ArrayLike<number>, at: number): number {
  const lengthB = ranges[at + 3]! - ranges[at + 2]!;
  return ranges[at + 1]! - ranges[at]! + 2 + (lengthB > 0 ? lengthB + 1 : 0);
}

/** Assembles an example at the beginning of given arrays. @returns the tokens of segment A, special ones counted. */
export function assembleInto(
  ids: Int32Array,
  wordStarts: Uint8Array,
  block: TokenBlock,
  ranges: ArrayLike<number>,
  at: number,
  { clsId, sepId }: SpecialIds,
): number {
  ids[0] = clsId;
  wordStarts[0] = 1;
  let position = 1;
  let firstLength = 0;
  for (let side = at; side < at + 4; side += 2) {
    const [from, to] = [ranges[side]!, ranges[side + 1]!];
    if (side > at && to === from) break;
    const start = position;
    for (let i = from; i < to; i++, position++) {
      ids[position] = block.ids[i]!;
      wordStarts[position] = block.wordStarts[i]!;
    }
    wordStarts[start] = 1;
    ids[position] = sepId;
    wordStarts[position++] = 1;
    if (side === at) firstLength = position;
  }
  return firstLength;
}
