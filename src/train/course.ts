/** The course of a run: what each update does, from the settings and its number alone (or the time, in a run by hours). */
import { learningRate } from "./schedules.ts";
import { type PretrainingSettings, scheduleFor } from "./settings.ts";
import { BUDGET_PARTS } from "./time-budget.ts";

/** What one update does. */
export interface UpdatePlan {
  /** Micro-batches whose gradients are averaged. */
  readonly microBatches: number;
  readonly learningRate: number;
}

/** Updates of both phases. */
export function totalSteps({ steps, secondPhase }: PretrainingSettings): number {
  return steps + (secondPhase?.steps ?? 0);
}

/** The phase of an update, 0 or 1. @param step - counted from 0. */
export function phaseAt({ steps, secondPhase }: PretrainingSettings, step: number): 0 | 1 {
  return secondPhase !== undefined && step >= steps ? 1 : 0;
}

/**
 * Plans an update.
 * @param step - counted from 0. @param parts - thousandths of the time that have passed, in a run by hours.
 */
export function planUpdate(settings: PretrainingSettings, step: number, parts?: number): UpdatePlan {
  const phase = phaseAt(settings, step);
  const { schedule, begin } = scheduleFor(settings, phase);
  // Within a thousandth of the time: in its middle.
  const position = parts === undefined ? step - begin : parts + 0.5;
  return {
    microBatches:
      phase === 1 ? (settings.secondPhase?.gradientAccumulationSteps ?? 1) : firstPhaseSize(settings, step, parts),
    learningRate: learningRate(schedule, position),
  };
}

/** Micro-batches of a whole phase; of a run by steps. */
export function microBatchesIn(settings: PretrainingSettings, phase: 0 | 1): number {
  const { steps, gradientAccumulationSteps, batchRamp = 0, secondPhase } = settings;
  if (phase === 1) return (secondPhase?.steps ?? 0) * (secondPhase?.gradientAccumulationSteps ?? 1);
  // From here on every update has all of them.
  const ramp = Math.min(steps, Math.ceil(steps * batchRamp));
  let sum = (steps - ramp) * gradientAccumulationSteps;
  for (let step = 0; step < ramp; step++) sum += firstPhaseSize(settings, step, undefined);
  return sum;
}

/** Over the ramp the micro-batches grow in equal steps from 1 to all. */
function firstPhaseSize(settings: PretrainingSettings, step: number, parts: number | undefined): number {
  const { gradientAccumulationSteps: all, batchRamp = 0, steps } = settings;
  if (batchRamp === 0) return all;
  const done = parts === undefined ? step / steps : parts / BUDGET_PARTS;
  return Math.min(all, 1 + Math.floor((all * done) / batchRamp));
}
