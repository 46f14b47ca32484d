/** The choices of a pre-training run: their defaults, and how a resumed run finds them again. */
import { CheckpointError, verbatim } from "../errors.ts";
import type { Trainable, TrainablePart } from "../model/trainable.ts";
import { checkSettings, type SecondPhase, type TrainingSettings, WARMUP_SHARE } from "../train/settings.ts";
import { given } from "../util/given.ts";

/** What may be chosen for a new run; everything has a default. */
export interface PretrainingChoices {
  /** Updates; 10,000. */
  readonly steps?: number;
  /** Sequences in a (micro-)batch; 32. */
  readonly batchSize?: number;
  /** Micro-batches for one update; 1. */
  readonly gradientAccumulationSteps?: number;
  /** The peak learning rate; 1e-4. */
  readonly learningRate?: number;
  /** Updates of warm-up; a tenth of the steps. */
  readonly warmupSteps?: number;
  /** `adamw-bert` (Google's, with its schedule and clipping), `adamw` (PyTorch's), `lamb` or `lamb-nvidia`. */
  readonly optimizer?: TrainingSettings["optimizer"];
  /** How the rate falls after warm-up; as the optimiser's program does. */
  readonly schedule?: TrainingSettings["schedule"];
  /** The power of the schedule, if it has one; 1, NVIDIA's 0.5. */
  readonly schedulePower?: number;
  /** The rate that the schedule ends at; 0. */
  readonly endLearningRate?: number;
  /** Hours of training, instead of `steps`: the schedule follows the clock. */
  readonly hours?: number;
  /** With `hours`, instead of `warmupSteps`: the share of the time, in [0, 1); 0.1. */
  readonly warmupShare?: number;
  /** The factor on learning rates from each layer to the one under it, in (0, 1]; 1. */
  readonly layerDecay?: number;
  /** The first layers of the encoder that stay as they are; 0. */
  readonly frozenLayers?: number;
  /** Leaves the embeddings as they are. */
  readonly frozenEmbeddings?: boolean;
  /** 0.01; not on biases and LayerNorm. */
  readonly weightDecay?: number;
  /** Of the moving averages of the gradient and of its square; 0.9 and 0.999. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** Added to the root of the second average; as the optimiser's program. */
  readonly epsilon?: number;
  /** Limit of the gradient's global norm; 1. 0 clips nothing. */
  readonly maxGradientNorm?: number;
  /** Of initialisation, order of the data, masks and dropout; 12345. */
  readonly seed?: number;
  /** Overrides both dropout rates of the config, in [0, 1). */
  readonly dropout?: number;
  /** Draws masks anew in each epoch instead of taking the stored ones. */
  readonly dynamicMasking?: boolean;
  /** With dynamic masking, which it brings: another way of masking than the data's, or a mixture of several. */
  readonly masking?: string;
  /** With dynamic masking, which it brings: the share of tokens to predict, as `0.15`, or `0.30:0.15` from first to last. */
  readonly maskingRatio?: string;
  /** Computes layers again for their gradients: less memory, about a third more time. */
  readonly recompute?: boolean;
  /** Trains on the first batch alone, without dropout unless it is given: the loss must fall towards 0. */
  readonly overfitOneBatch?: boolean;
  /** The share of instances to hold out where the data folder has no held-out part; 0. */
  readonly heldOutShare?: number;
  /** Updates between evaluations on held-out data; 0 evaluates at the end only. */
  readonly evalSteps?: number;
  /** The most batches of an evaluation; 100. */
  readonly evalBatches?: number;
  /** Updates between lines of metrics.jsonl; 10. */
  readonly loggingSteps?: number;
  /** Updates between checkpoints; 1000. 0 saves at the end only. */
  readonly saveSteps?: number;
  /** How many checkpoints are kept; 3. 0 keeps all. */
  readonly saveTotalLimit?: number;
  /** The share of the first phase over which the micro-batches of an update grow from 1 to all, in [0, 1]; 0. */
  readonly batchRamp?: number;
  /** Keeps a moving average of the weights of which this share stays at each update, in (0, 1). */
  readonly averageDecay?: number;
  /** Ends the run after so many evaluations without a lower held-out loss. */
  readonly patience?: number;
  /** Keeps the model of the lowest held-out loss in `best/`. */
  readonly saveBest?: boolean;
  /** Keeps it, and makes it the run's model in the end. */
  readonly loadBest?: boolean;
  /** Goes on with other data, say longer sequences. */
  readonly secondPhase?: SecondPhaseChoices;
}

/** What a second phase changes; what is not given is as in the first. */
export interface SecondPhaseChoices {
  readonly steps: number;
  /** Its data folder. */
  readonly data?: string;
  readonly batchSize?: number;
  readonly gradientAccumulationSteps?: number;
  /** The peak of a schedule of its own; without it the one schedule spans both phases. */
  readonly learningRate?: number;
  /** Of a schedule of its own; a tenth of its steps. */
  readonly warmupSteps?: number;
}

/** The choices of a run, complete; stored in every checkpoint. */
export interface PretrainingPlan {
  /** The data folder, relative to the run's. */
  readonly data: string;
  readonly settings: TrainingSettings;
  readonly batchSize: number;
  readonly dynamicMasking: boolean;
  readonly masking?: string;
  readonly maskingRatio?: string;
  readonly trainable: TrainablePart;
  readonly frozenLayers: number;
  readonly frozenEmbeddings: boolean;
  readonly recompute: boolean;
  readonly overfitOneBatch: boolean;
  readonly heldOutShare: number;
  readonly evalSteps: number;
  readonly evalBatches: number;
  readonly loggingSteps: number;
  readonly saveSteps: number;
  readonly saveTotalLimit: number;
  readonly saveBest: boolean;
  readonly loadBest: boolean;
  /** Beside `settings.secondPhase`. */
  readonly secondPhase?: { readonly data: string; readonly batchSize: number };
}

/** What a run by hours has as its number of steps: more than it will do. */
const UNLIMITED_STEPS = Number.MAX_SAFE_INTEGER;

/** The defaults that are plain numbers, for --help. */
export const PRETRAINING_DEFAULTS = {
  steps: 10_000,
  batchSize: 32,
  gradientAccumulationSteps: 1,
  learningRate: 1e-4,
  optimizer: "adamw-bert",
  weightDecay: 0.01,
  maxGradientNorm: 1,
  seed: 12345,
  heldOutShare: 0,
  evalSteps: 0,
  evalBatches: 100,
  loggingSteps: 10,
  saveSteps: 1000,
  saveTotalLimit: 3,
} as const;

/**
 * Choices with the defaults filled in.
 * @param data - the data folder, relative to the run's. @param secondData - that of the second phase, if it is another.
 */
export function completePlan(choices: PretrainingChoices, data: string, secondData = data): PretrainingPlan {
  const chosen = { ...PRETRAINING_DEFAULTS, ...given(choices) };
  const { seed, optimizer, learningRate, weightDecay, maxGradientNorm, gradientAccumulationSteps } = chosen;
  const { schedule, schedulePower, endLearningRate, layerDecay, hours, warmupShare } = choices;
  const { beta1, beta2, epsilon, batchRamp, averageDecay, patience } = choices;
  const secondPhase = choices.secondPhase && completeSecondPhase(choices.secondPhase, gradientAccumulationSteps);
  const steps = choices.steps ?? (hours === undefined ? PRETRAINING_DEFAULTS.steps : UNLIMITED_STEPS);
  const scheduled = steps + (secondPhase?.learningRate === undefined ? (secondPhase?.steps ?? 0) : 0);
  const warmupSteps = hours === undefined ? Math.floor(scheduled * WARMUP_SHARE) : 0;
  return {
    data,
    settings: {
      steps,
      seed,
      optimizer,
      learningRate,
      warmupSteps: choices.warmupSteps ?? warmupSteps,
      weightDecay,
      maxGradientNorm,
      gradientAccumulationSteps,
      ...given({ schedule, schedulePower, endLearningRate, layerDecay, hours, warmupShare }),
      ...given({ beta1, beta2, epsilon, batchRamp, averageDecay, patience, secondPhase }),
    },
    batchSize: chosen.batchSize,
    dynamicMasking: choices.dynamicMasking ?? (choices.masking ?? choices.maskingRatio) !== undefined,
    ...given({ masking: choices.masking, maskingRatio: choices.maskingRatio }),
    trainable: "all",
    frozenLayers: choices.frozenLayers ?? 0,
    frozenEmbeddings: choices.frozenEmbeddings ?? false,
    recompute: choices.recompute ?? false,
    overfitOneBatch: choices.overfitOneBatch ?? false,
    heldOutShare: chosen.heldOutShare,
    evalSteps: chosen.evalSteps,
    evalBatches: chosen.evalBatches,
    loggingSteps: chosen.loggingSteps,
    saveSteps: chosen.saveSteps,
    saveTotalLimit: chosen.saveTotalLimit,
    saveBest: choices.saveBest ?? choices.loadBest ?? false,
    loadBest: choices.loadBest ?? false,
    ...(choices.secondPhase && {
      secondPhase: { data: secondData, batchSize: choices.secondPhase.batchSize ?? chosen.batchSize },
    }),
  };
}

function completeSecondPhase(choices: SecondPhaseChoices, gradientAccumulationSteps: number): SecondPhase {
  const { steps, learningRate, warmupSteps } = choices;
  return {
    steps,
    gradientAccumulationSteps: choices.gradientAccumulationSteps ?? gradientAccumulationSteps,
    ...given({
      learningRate,
      warmupSteps: warmupSteps ?? (learningRate === undefined ? undefined : Math.floor(steps * WARMUP_SHARE)),
    }),
  };
}

/** What may change when a run goes on: nothing that its numbers depend on. */
export type PlanOverrides = Pick<
  PretrainingChoices,
  "loggingSteps" | "saveSteps" | "saveTotalLimit" | "evalSteps" | "evalBatches"
> & { readonly data?: string; readonly secondData?: string };

/**
 * The plan that a checkpoint holds, with overrides.
 * @param where - the file's name, for messages.
 * @throws {CheckpointError} when a field is missing or of another type.
 */
export function restorePlan(
  stored: Readonly<Record<string, unknown>>,
  overrides: Omit<PlanOverrides, "data" | "secondData">,
  where: string,
): PretrainingPlan {
  const pattern = completePlan({}, "");
  // Runs of earlier versions have no choice there.
  const { trainable, frozenLayers, frozenEmbeddings, saveBest, loadBest } = pattern;
  const added = { trainable, frozenLayers, frozenEmbeddings, saveBest, loadBest };
  const older = Object.entries(added).filter(([key]) => !(key in stored));
  // In the order in which a run that was not stopped has them.
  const complete = { ...stored, ...Object.fromEntries(older) };
  expectLike(complete, pattern as unknown as Record<string, unknown>, `${where}: options`);
  if (complete["secondPhase"] !== undefined) {
    expectLike(complete["secondPhase"], { data: "", batchSize: 0 }, `${where}: options: secondPhase`);
  }
  const plan = { ...(complete as unknown as PretrainingPlan), ...given(overrides) };
  checkSettings(plan.settings, plan);
  return plan;
}

/** What a run trains. */
export function trainableOf({ trainable, frozenLayers, frozenEmbeddings }: PretrainingPlan): Trainable {
  if (trainable !== "all" || (frozenLayers === 0 && !frozenEmbeddings)) return trainable;
  return { layers: frozenLayers, embeddings: frozenEmbeddings };
}

function expectLike(value: unknown, pattern: Readonly<Record<string, unknown>>, where: string): void {
  for (const [key, model] of Object.entries(pattern)) {
    const got = (value as Record<string, unknown> | undefined)?.[key];
    if (typeof got !== typeof model || got === null) {
      throw new CheckpointError({
        where: `${where}: ${key}`,
        expected: `a ${typeof model}`,
        got: verbatim(JSON.stringify(got) ?? "nothing"),
        hint: "The checkpoint is damaged or of another version; remove its folder to resume from the one before it.",
      });
    }
    if (typeof model === "object") expectLike(got, model as Record<string, unknown>, `${where}: ${key}`);
  }
}
