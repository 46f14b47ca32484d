/** The numbers of a pre-training run that its result depends on, and which of them cannot be meant. */
import { TrainingError, verbatim } from "../errors.ts";
import { type OptimizerName, scheduleOf } from "./optimizers.ts";
import { checkSchedule, type Schedule, type ScheduleName } from "./schedules.ts";
import { BUDGET_PARTS } from "./time-budget.ts";

/** The numbers of a run that its result depends on. */
export interface PretrainingSettings {
  /** Updates of the first phase; with `hours` the most of them. */
  readonly steps: number;
  readonly seed: number;
  readonly optimizer: OptimizerName;
  /** The peak learning rate. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  /** Limit of the gradient's global norm. */
  readonly maxGradientNorm: number;
  /** Micro-batches whose gradients are averaged for one update. */
  readonly gradientAccumulationSteps: number;
  /** How the rate falls; that of the optimiser's program when left out. */
  readonly schedule?: ScheduleName;
  /** The power of the schedule, if it has one. */
  readonly schedulePower?: number;
  /** The rate that the schedule ends at; 0. */
  readonly endLearningRate?: number;
  /** The factor on learning rates from each layer to the one under it, in (0, 1]; 1. */
  readonly layerDecay?: number;
  /** Ends the run after so many hours of training, and lets the schedule follow the clock instead of the steps. */
  readonly hours?: number;
  /** With `hours`, instead of `warmupSteps`: the share of the time, in [0, 1); 0.1. */
  readonly warmupShare?: number;
}

/** The part of the warm-up in a run, where it is not said. */
export const WARMUP_SHARE = 0.1;

/**
 * The schedule of a run: by steps, or with `hours` by thousandths of the time.
 */
export function scheduleFor(settings: PretrainingSettings): Schedule {
  const { optimizer, learningRate: peak, schedulePower: power, endLearningRate: end, hours, warmupShare } = settings;
  return {
    name: settings.schedule ?? scheduleOf(optimizer),
    peak,
    warmupSteps: hours === undefined ? settings.warmupSteps : Math.round((warmupShare ?? WARMUP_SHARE) * BUDGET_PARTS),
    totalSteps: hours === undefined ? settings.steps : BUDGET_PARTS,
    ...(power === undefined ? {} : { power }),
    ...(end === undefined ? {} : { end }),
  };
}

/**
 * Refuses settings that cannot be meant; a run checks them itself, a caller may do so before it touches any file.
 * @throws {TrainingError} when a number is out of range.
 */
export function checkSettings(
  settings: PretrainingSettings,
  { loggingSteps }: { readonly loggingSteps: number },
): void {
  const { steps, gradientAccumulationSteps, maxGradientNorm, layerDecay = 1, hours = 1, warmupShare = 0 } = settings;
  expectAtLeastOne("steps", steps);
  expectAtLeastOne("gradient accumulation steps", gradientAccumulationSteps);
  expectAtLeastOne("logging steps", loggingSteps);
  expectThat(maxGradientNorm > 0, "gradient norm limit", "a number above 0", maxGradientNorm);
  expectThat(layerDecay > 0 && layerDecay <= 1, "layer decay", "a number above 0, 1 at most", layerDecay);
  expectThat(hours > 0 && hours < Number.POSITIVE_INFINITY, "hours", "a number above 0", hours);
  expectThat(warmupShare >= 0 && warmupShare < 1, "warm-up share", "a number from 0 to below 1", warmupShare);
  expectWarmupUnit(settings);
  checkSchedule(scheduleFor(settings));
}

/** A run by hours does not know its steps, and one by steps not its time. */
function expectWarmupUnit({ hours, warmupShare = 0, warmupSteps }: PretrainingSettings): void {
  if (hours === undefined ? warmupShare === 0 : warmupSteps === 0) return;
  throw new TrainingError({
    where: hours === undefined ? "warm-up share" : "warm-up steps",
    expected: hours === undefined ? "a run by hours" : "a run by steps",
    got: verbatim(hours === undefined ? "a run by steps" : "a run by hours"),
    hint: `Give the warm-up of this run ${hours === undefined ? "in steps" : "as a share of its time"}.`,
  });
}

function expectAtLeastOne(where: string, got: number): void {
  expectThat(Number.isInteger(got) && got >= 1, where, "an integer of 1 or more", got);
}

function expectThat(isMeant: boolean, where: string, expected: string, got: number): void {
  if (!isMeant) throw new TrainingError({ where, expected, got });
}
