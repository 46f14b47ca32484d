/** The best evaluation so far, and for how long nothing was better. */
import { CheckpointError, verbatim } from "../errors.ts";

/** The lowest held-out loss of a run's last phase; for a checkpoint. */
export interface BestSoFar {
  /** Updates done when it was measured. */
  readonly step: number;
  readonly loss: number;
  /** Evaluations since. */
  readonly since: number;
}

/** Takes an evaluation in. A loss that is not a number is never the best. */
export function withEvaluation(best: BestSoFar | undefined, step: number, loss: number): BestSoFar | undefined {
  if (loss < (best?.loss ?? Number.POSITIVE_INFINITY)) return { step, loss, since: 0 };
  return best && { ...best, since: best.since + 1 };
}

/**
 * Reads it out of JSON.
 * @throws {CheckpointError} when it is none.
 */
export function parseBest(json: unknown, where: string): BestSoFar {
  const { step, loss, since } = (json ?? {}) as Record<string, unknown>;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (isCount(step) && typeof loss === "number" && isCount(since)) return { step, loss, since };
  throw new CheckpointError({
    where,
    expected: "a step, a loss and a count",
    got: verbatim(`${JSON.stringify(json) ?? "nothing"}`.slice(0, 100)),
    hint: "The checkpoint is damaged; remove its folder to resume from the one before it.",
  });
}
