/** The numbers of a pre-training run that its result depends on, and which of them cannot be meant. */
import { ArgumentError, verbatim } from "../errors.ts";
import { ADVERSARIAL_METHODS, type Adversarial } from "./adversarial.ts";
import { type OptimizerName, scheduleOf } from "./optimizers.ts";
import { checkSchedule, type Schedule, type ScheduleName } from "./schedules.ts";
import { BUDGET_PARTS } from "./time-budget.ts";

/** The numbers of a run that its result depends on. */
export interface TrainingSettings {
  /** Updates of the first phase; with `hours` the most of them. */
  readonly steps: number;
  readonly seed: number;
  readonly optimizer: OptimizerName;
  /** The peak learning rate. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  /** Of the moving averages of the gradient and of its square; 0.9 and 0.999. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** Added to the root of the second average; that of the optimiser's program when left out. */
  readonly epsilon?: number;
  /** Limit of the gradient's global norm; 0 clips nothing. */
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
  /** The share of the first phase over which the micro-batches of an update grow from 1 to all, in [0, 1]; 0. */
  readonly batchRamp?: number;
  /** Keeps a moving average of the weights of which this share stays at each update, in (0, 1). */
  readonly averageDecay?: number;
  /** Ends the run after so many evaluations of its last phase without a lower loss. */
  readonly patience?: number;
  /** A second phase, on other batches. */
  readonly secondPhase?: SecondPhase;
  /** Factors on the learning rates of parameters, by what their names begin with; 1 for the others. */
  readonly rateFactors?: Readonly<Record<string, number>>;
  /** Trains on moved embeddings besides. */
  readonly adversarial?: Adversarial;
  /** Trains the heads and the top layer first, and one part more after each so many updates; need not be whole. */
  readonly unfreezeEvery?: number;
}

/** What a second phase changes; moments and their count go on. */
export interface SecondPhase {
  readonly steps: number;
  readonly gradientAccumulationSteps: number;
  /** The peak of a schedule of its own; without it the one schedule spans both phases. */
  readonly learningRate?: number;
  /** Of the schedule of its own; 0. */
  readonly warmupSteps?: number;
}

/** The part of the warm-up in a run, where it is not said. */
export const WARMUP_SHARE = 0.1;

/** The schedule of a phase, by steps from `begin` on; with `hours` by thousandths of the time. */
export function scheduleFor(settings: TrainingSettings, phase: 0 | 1): { schedule: Schedule; begin: number } {
  const { optimizer, schedulePower: power, endLearningRate: end } = settings;
  const common = {
    name: settings.schedule ?? scheduleOf(optimizer),
    ...(power === undefined ? {} : { power }),
    ...(end === undefined ? {} : { end }),
  };
  const { begin, ...numbers } = numbersOf(settings, phase);
  return { schedule: { ...common, ...numbers }, begin };
}

function numbersOf(
  { steps, learningRate: peak, warmupSteps, hours, warmupShare, secondPhase }: TrainingSettings,
  phase: 0 | 1,
) {
  if (hours !== undefined) {
    const share = warmupShare ?? WARMUP_SHARE;
    return { peak, warmupSteps: Math.round(share * BUDGET_PARTS), totalSteps: BUDGET_PARTS, begin: 0 };
  }
  if (secondPhase?.learningRate === undefined) {
    return { peak, warmupSteps, totalSteps: steps + (secondPhase?.steps ?? 0), begin: 0 };
  }
  if (phase === 0) return { peak, warmupSteps, totalSteps: steps, begin: 0 };
  const { learningRate, warmupSteps: warmup = 0, steps: more } = secondPhase;
  return { peak: learningRate, warmupSteps: warmup, totalSteps: more, begin: steps };
}

/**
 * Refuses settings that cannot be meant; a run checks them itself, a caller may do so before it touches any file.
 * @throws {ArgumentError} when a number is out of range.
 */
export function checkSettings(settings: TrainingSettings, { loggingSteps }: { readonly loggingSteps: number }): void {
  const { steps, gradientAccumulationSteps, maxGradientNorm, layerDecay = 1, hours = 1, warmupShare = 0 } = settings;
  expectAtLeastOne("steps", steps);
  expectAtLeastOne("gradient accumulation steps", gradientAccumulationSteps);
  expectAtLeastOne("logging steps", loggingSteps);
  expectThat(maxGradientNorm >= 0, "gradient norm limit", "a number of 0 or more", maxGradientNorm);
  checkOptimizer(settings);
  expectThat(layerDecay > 0 && layerDecay <= 1, "layer decay", "a number above 0, 1 at most", layerDecay);
  expectThat(hours > 0 && hours < Number.POSITIVE_INFINITY, "hours", "a number above 0", hours);
  expectThat(warmupShare >= 0 && warmupShare < 1, "warm-up share", "a number from 0 to below 1", warmupShare);
  expectWarmupUnit(settings);
  checkSchedule(scheduleFor(settings, 0).schedule);
  const { batchRamp = 0, averageDecay = 0.5, patience = 1 } = settings;
  expectThat(batchRamp >= 0 && batchRamp <= 1, "batch ramp", "a share from 0 to 1", batchRamp);
  expectThat(averageDecay > 0 && averageDecay < 1, "decay of the average", "a number between 0 and 1", averageDecay);
  expectAtLeastOne("patience", patience);
  if (settings.secondPhase !== undefined) checkSecondPhase(settings, settings.secondPhase);
  if (settings.adversarial !== undefined) checkAdversarial(settings.adversarial);
  const { unfreezeEvery = 1, rateFactors = {} } = settings;
  for (const [prefix, factor] of Object.entries(rateFactors)) {
    const isFactor = factor > 0 && factor < Number.POSITIVE_INFINITY;
    expectThat(isFactor, `rate factor of ${prefix}`, "a number above 0", factor);
  }
  expectThat(unfreezeEvery > 0, "updates between unfreezing", "a number above 0", unfreezeEvery);
}

function checkAdversarial({ method, epsilon = 1, stepSize = 1, steps = 1 }: Adversarial): void {
  if (!ADVERSARIAL_METHODS.includes(method)) {
    throw new ArgumentError({
      where: "adversarial training",
      expected: `one of ${ADVERSARIAL_METHODS.join(", ")}`,
      got: method,
    });
  }
  const isLength = (value: number) => value > 0 && value < Number.POSITIVE_INFINITY;
  expectThat(isLength(epsilon), "adversarial epsilon", "a number above 0", epsilon);
  expectThat(isLength(stepSize), "adversarial step size", "a number above 0", stepSize);
  expectAtLeastOne("adversarial steps", steps);
}

function checkOptimizer({ weightDecay, beta1 = 0, beta2 = 0, epsilon = 1 }: TrainingSettings): void {
  for (const [where, beta] of Object.entries({ beta1, beta2 })) {
    expectThat(beta >= 0 && beta < 1, where, "a number from 0 to below 1", beta);
  }
  expectThat(epsilon > 0 && epsilon < Number.POSITIVE_INFINITY, "epsilon", "a number above 0", epsilon);
  expectThat(weightDecay >= 0 && weightDecay < Number.POSITIVE_INFINITY, "weight decay", "0 or more", weightDecay);
}

function checkSecondPhase(
  settings: TrainingSettings,
  { steps, gradientAccumulationSteps, warmupSteps, learningRate }: SecondPhase,
): void {
  expectAtLeastOne("steps of the second phase", steps);
  expectAtLeastOne("gradient accumulation steps of the second phase", gradientAccumulationSteps);
  if (settings.hours !== undefined) {
    throw new ArgumentError({ where: "second phase", expected: "a run by steps", got: verbatim("a run by hours") });
  }
  if (warmupSteps !== undefined && learningRate === undefined) {
    throw new ArgumentError({
      where: "warm-up of the second phase",
      expected: "a learning rate of its own for that phase",
      got: verbatim("one schedule over both phases"),
    });
  }
  checkSchedule(scheduleFor(settings, 1).schedule);
}

/** A run by hours does not know its steps, and one by steps not its time. */
function expectWarmupUnit({ hours, warmupShare = 0, warmupSteps }: TrainingSettings): void {
  if (hours === undefined ? warmupShare === 0 : warmupSteps === 0) return;
  throw new ArgumentError({
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
  if (!isMeant) throw new ArgumentError({ where, expected, got });
}
