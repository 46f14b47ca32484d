/** How much of one text or of a pair is kept, and the windows over the rest. */
import { ArgumentError, verbatim } from "../errors.ts";

/**
 * Which text is cut: the longer one first (as tokenizers does: with an odd budget the longer keeps one more), only one of
 * them, or as Google's scripts do (with an odd budget the first keeps one more).
 */
export type TruncationStrategy = "longest_first" | "only_first" | "only_second" | "google";

/** A half-open range of pieces. */
export type Window = readonly [from: number, to: number];

/**
 * How many pieces of each text are kept so that they fit.
 * @param lengths - the pieces of each text, one or two.
 * @param room - the most pieces that fit, special tokens not counted.
 * @throws {ArgumentError} when the strategy names a text that is absent or that is too short to cut.
 * Source: truncate_encodings of tokenizers; _truncate_seq_pair of google-research/bert.
 */
export function truncatedLengths(
  lengths: readonly number[],
  room: number,
  strategy: TruncationStrategy,
): readonly number[] {
  const [a = 0, b] = lengths;
  const excess = a + (b ?? 0) - room;
  if (excess <= 0) return lengths;
  if (strategy === "only_second" && b === undefined) {
    throw new ArgumentError({
      where: "encode",
      expected: 'a pair for truncation "only_second"',
      got: verbatim("one text"),
      hint: "give `pair`, or use truncation longest_first",
    });
  }
  // No room for text at all: every strategy leaves the special tokens alone.
  if (room === 0) return lengths.map(() => 0);
  if (strategy === "only_first") return [shortened(a, excess, "first"), ...lengths.slice(1)];
  if (strategy === "only_second") return [a, shortened(b as number, excess, "second")];
  if (b === undefined) return [room];
  const low = Math.floor(room / 2);
  if (strategy === "google") {
    if (a <= room - low) return [a, room - a];
    return b <= low ? [room - b, b] : [room - low, low];
  }
  const short = Math.min(a, b);
  const kept = short <= low ? [short, room - short] : [low, room - low];
  return a <= b ? kept : kept.toReversed();
}

function shortened(length: number, excess: number, which: string): number {
  if (length > excess) return length - excess;
  throw new ArgumentError({
    where: "encode",
    expected: `a ${which} text of more than ${excess} tokens, so that cutting it alone makes the pair fit`,
    got: verbatim(`${length} tokens`),
    hint: "raise maxLength, or use truncation longest_first, which cuts both",
  });
}

/**
 * The windows over a text that is cut: the kept part first, then the parts that it leaves out.
 * @param kept - pieces in each window.
 * @param stride - pieces that a window shares with the one before it.
 * @param side - the side that is cut; the windows go on from there.
 * @throws {ArgumentError} when the stride leaves no way forward.
 */
export function windowsOver(length: number, kept: number, stride: number, side: "left" | "right"): Window[] {
  if (kept >= length) return [[0, length]];
  if (stride >= kept) {
    throw new ArgumentError({
      where: "encode",
      expected: `a stride below the ${kept} tokens of a window`,
      got: stride,
      hint: "stride is the overlap of windows: lower it or raise maxLength",
    });
  }
  const windows: Window[] = [];
  for (let start = 0; ; start += kept - stride) {
    const end = Math.min(start + kept, length);
    windows.push(side === "right" ? [start, end] : [length - end, length - start]);
    if (end === length) return windows;
  }
}
