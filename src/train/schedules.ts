/** Learning rates by step: a linear warm-up, then one of several ways down. */
import { ArgumentError } from "../errors.ts";

/**
 * How the rate falls after warm-up. `google`: as a power of what is left, counted from step 0 (so that the rate jumps down
 * where warm-up ends). `nvidia`: the same one step ahead. `linear`, `polynomial`, `cosine`: from the peak at the end of
 * warm-up to the end rate. `inverse-sqrt`: as the root of warm-up by step, without an end. `constant`: not at all.
 */
export const SCHEDULES = ["google", "nvidia", "linear", "polynomial", "cosine", "inverse-sqrt", "constant"] as const;
/** The name of a schedule. */
export type ScheduleName = (typeof SCHEDULES)[number];

/** A schedule's numbers; steps count from 0. */
export interface Schedule {
  readonly name: ScheduleName;
  /** The learning rate at the top. */
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
  /** Of `google`, `nvidia` and `polynomial`: 1, for `nvidia` 0.5. */
  readonly power?: number;
  /** The rate that the way down ends at; 0. */
  readonly end?: number;
}

/** The scale in steps of an inverse square root without warm-up. Source: get_inverse_sqrt_schedule of transformers. */
const TIMESCALE = 10_000;

/**
 * The learning rate of the update at `step`: `peak * step / warmupSteps` during warm-up (0 at step 0, but with `nvidia` one
 * step ahead), then falling; past `totalSteps` as there.
 * Source: `google` create_optimizer of google-research/bert optimization.py (polynomial_decay from step 0); `nvidia`
 * PolyWarmUpScheduler of DeepLearningExamples, BERT; the others get_*_schedule_with_warmup of huggingface/transformers.
 */
export function learningRate(schedule: Schedule, step: number): number {
  const { name, peak, warmupSteps, totalSteps, power = name === "nvidia" ? 0.5 : 1, end = 0 } = schedule;
  const at = name === "nvidia" ? step + 1 : step;
  if (at < warmupSteps) return (peak * at) / warmupSteps;
  const done = Math.min(1, Math.max(0, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps)));
  switch (name) {
    case "google":
    case "nvidia":
      return end + (peak - end) * (1 - Math.min(at, totalSteps) / totalSteps) ** power;
    case "linear":
      return end + (peak - end) * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
    case "polynomial":
      return end + (peak - end) * (1 - done) ** power;
    case "cosine":
      return end + (peak - end) * 0.5 * (1 + Math.cos(Math.PI * done));
    case "inverse-sqrt": {
      const timescale = warmupSteps || TIMESCALE;
      return peak / Math.sqrt((step + timescale - warmupSteps) / timescale);
    }
    case "constant":
      return peak;
  }
}

/**
 * Refuses schedules that cannot be meant.
 * @throws {ArgumentError} when a number is out of range.
 */
export function checkSchedule({ name, peak, warmupSteps, totalSteps, power = 1, end = 0 }: Schedule): void {
  if (!SCHEDULES.includes(name)) {
    throw new ArgumentError({ where: "schedule", expected: `one of ${SCHEDULES.join(", ")}`, got: name });
  }
  if (!(peak > 0 && peak < Number.POSITIVE_INFINITY)) {
    throw new ArgumentError({ where: "learning rate", expected: "a number above 0", got: peak });
  }
  if (!Number.isInteger(totalSteps) || totalSteps < 1) {
    throw new ArgumentError({ where: "steps", expected: "an integer of 1 or more", got: totalSteps });
  }
  if (!Number.isInteger(warmupSteps) || warmupSteps < 0 || warmupSteps >= totalSteps) {
    throw new ArgumentError({
      where: "warm-up steps",
      expected: `an integer from 0 to ${totalSteps - 1} (below the number of steps)`,
      got: warmupSteps,
    });
  }
  if (!(power > 0 && power < Number.POSITIVE_INFINITY)) {
    throw new ArgumentError({ where: "power of the schedule", expected: "a number above 0", got: power });
  }
  if (!(end >= 0 && end <= peak)) {
    throw new ArgumentError({ where: "end learning rate", expected: `a number from 0 to the peak, ${peak}`, got: end });
  }
}
