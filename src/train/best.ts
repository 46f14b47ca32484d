/** The best evaluation so far, and for how long nothing was better. */
import { CheckpointError, verbatim } from "../errors.ts";

/** The best held-out score of a run's last phase, which is its lowest loss or its highest metric; for a checkpoint. */
export interface BestSoFar {
  /** Updates done when it was measured. */
  readonly step: number;
  readonly value: number;
  /** Evaluations since. */
  readonly since: number;
}

/** Takes an evaluation in. A value that is not a number is never the best. @param isHigherBetter - false for a loss. */
export function withEvaluation(
  best: BestSoFar | undefined,
  step: number,
  value: number,
  isHigherBetter = false,
): BestSoFar | undefined {
  const sign = isHigherBetter ? -1 : 1;
  if (sign * value < (best === undefined ? Number.POSITIVE_INFINITY : sign * best.value))
    return { step, value, since: 0 };
  return best && { ...best, since: best.since + 1 };
}

/**
 * Reads it out of JSON.
 * @throws {CheckpointError} when it is none.
 */
export function parseBest(json: unknown, where: string): BestSoFar {
  // Earlier versions knew losses only.
  const { step, loss, value = loss, since } = (json ?? {}) as Record<string, unknown>;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (isCount(step) && typeof value === "number" && isCount(since)) return { step, value, since };
  throw new CheckpointError({
    where,
    expected: "a step, a value and a count",
    got: verbatim(`${JSON.stringify(json) ?? "nothing"}`.slice(0, 100)),
    hint: "The checkpoint is damaged; remove its folder to resume from the one before it.",
  });
}
