/** Learning rates by step: a linear warm-up, then a straight line to zero. */
import { TrainingError } from "../errors.ts";

/** Where the line to zero begins: at step 0 (Google's BERT) or at the end of warm-up (Transformers). */
export type ScheduleName = "google" | "linear";

/** A schedule's numbers; steps count from 0. */
export interface Schedule {
  readonly name: ScheduleName;
  /** The learning rate at the top. */
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * The learning rate of the update at `step`: `peak * step / warmupSteps` during warm-up (0 at step 0), then falling.
 * Source: `google` create_optimizer of google-research/bert optimization.py (polynomial_decay from step 0, so that the rate
 * jumps down where warm-up ends); `linear` get_linear_schedule_with_warmup of huggingface/transformers.
 */
export function learningRate({ name, peak, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  if (name === "google") return peak * (1 - Math.min(step, totalSteps) / totalSteps);
  return peak * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
}

/**
 * Refuses schedules that cannot be meant.
 * @throws {TrainingError} when a number is out of range.
 */
export function checkSchedule({ peak, warmupSteps, totalSteps }: Schedule): void {
  if (!(peak > 0 && peak < Number.POSITIVE_INFINITY)) {
    throw new TrainingError({ where: "learning rate", expected: "a number above 0", got: peak });
  }
  if (!Number.isInteger(totalSteps) || totalSteps < 1) {
    throw new TrainingError({ where: "steps", expected: "an integer of 1 or more", got: totalSteps });
  }
  if (!Number.isInteger(warmupSteps) || warmupSteps < 0 || warmupSteps >= totalSteps) {
    throw new TrainingError({
      where: "warm-up steps",
      expected: `an integer from 0 to ${totalSteps - 1} (below the number of steps)`,
      got: warmupSteps,
    });
  }
}
