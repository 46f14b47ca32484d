/** How much is masked at each step of training, where masks are drawn anew. */
import { ArgumentError } from "../errors.ts";

/** A share of tokens to predict that changes with the step of training; plain data. */
export interface MaskingRatio {
  /** The share at step 0, in (0, 1]. */
  readonly from: number;
  /** The share from step `steps` on, in (0, 1]. */
  readonly to: number;
  /** The steps of the run, at least 1; a change is linear. */
  readonly steps: number;
}

/**
 * The share of tokens to predict at a step: linear from `from` to `to`.
 * Source: Ankner et al. 2024, "Dynamic Masking Rate Schedules for MLM Pretraining" (0.30 to 0.15, linear).
 */
export function ratioAt({ from, to, steps }: MaskingRatio, step: number): number {
  return from + (to - from) * Math.min(1, step / steps);
}

/** @throws {ArgumentError} when a share is not above 0 and at most 1, or the steps are fewer than 1. */
export function checkMaskingRatio({ from, to, steps }: MaskingRatio): void {
  if ([from, to].every((share) => share > 0 && share <= 1) && steps >= 1) return;
  throw new ArgumentError({
    where: "masking ratio",
    expected: "shares above 0, at most 1, and at least 1 step",
    got: [from, to, steps],
  });
}

/**
 * Reads `0.15`, or `0.30:0.15` for a share that changes over `steps` steps.
 * @throws {ArgumentError} when it is neither, or a share is not above 0 and at most 1.
 */
export function parseMaskingRatio(text: string, steps: number): MaskingRatio {
  const shares = text.split(":").map((field) => (field.trim() === "" ? Number.NaN : Number(field)));
  const [from = Number.NaN, to = from] = shares;
  const areShares = [from, to].every((share) => share > 0 && share <= 1);
  if (areShares && shares.length <= 2) return { from, to, steps: Math.max(1, steps) };
  throw new ArgumentError({ where: "masking ratio", expected: "a share above 0, or two as 0.30:0.15", got: text });
}
