/** The course of a run: what each update does, from the settings and its number alone (or the time, in a run by hours). */
import { learningRate } from "./schedules.ts";
import { scheduleFor, type TrainingSettings } from "./settings.ts";
import { BUDGET_PARTS } from "./time-budget.ts";

/** What one update does. */
export interface UpdatePlan {
  /** Micro-batches whose gradients are averaged. */
  readonly microBatches: number;
  readonly learningRate: number;
}

/** Updates of both phases. */
export function totalSteps({ steps, secondPhase }: TrainingSettings): number {
  return steps + (secondPhase?.steps ?? 0);
}

/** The phase of an update, 0 or 1. @param step - counted from 0. */
export function phaseAt({ steps, secondPhase }: TrainingSettings, step: number): 0 | 1 {
  return secondPhase !== undefined && step >= steps ? 1 : 0;
}

/**
 * Plans an update.
 * @param step - counted from 0. @param parts - thousandths of the time that have passed, in a run by hours.
 */
export function planUpdate(settings: TrainingSettings, step: number, parts?: number): UpdatePlan {
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
export function microBatchesIn(settings: TrainingSettings, phase: 0 | 1): number {
  const { steps, gradientAccumulationSteps, batchRamp = 0, secondPhase } = settings;
  if (phase === 1) return (secondPhase?.steps ?? 0) * (secondPhase?.gradientAccumulationSteps ?? 1);
  // From here on every update has all of them.
  const ramp = Math.min(steps, Math.ceil(steps * batchRamp));
  let sum = (steps - ramp) * gradientAccumulationSteps;
  for (let step = 0; step < ramp; step++) sum += firstPhaseSize(settings, step, undefined);
  return sum;
}

/** Over the ramp the micro-batches grow in equal steps from 1 to all. */
function firstPhaseSize(settings: TrainingSettings, step: number, parts: number | undefined): number {
  const { gradientAccumulationSteps: all, batchRamp = 0, steps } = settings;
  if (batchRamp === 0) return all;
  const done = parts === undefined ? step / steps : parts / BUDGET_PARTS;
  return Math.min(all, 1 + Math.floor((all * done) / batchRamp));
}

/** How often something has been due after so many updates that is due every so many; `every` need not be whole. */
export function timesDue(step: number, every: number): number {
  let times = Math.floor(step / every) + 1;
  while (Math.ceil(times * every) > step) times--;
  return times;
}

/** Whether it is due after this update. @param every - 0 for never. */
export function isDue(step: number, every: number): boolean {
  return every > 0 && timesDue(step, every) > timesDue(step - 1, every);
}
