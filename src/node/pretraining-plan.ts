/** The choices of a pre-training run: their defaults, and how a resumed run finds them again. */
import { CheckpointError, verbatim } from "../errors.ts";
import type { TrainablePart } from "../model/trainable.ts";
import type { PretrainingSettings } from "../train/pretrain.ts";

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
  readonly optimizer?: PretrainingSettings["optimizer"];
  /** 0.01; not on biases and LayerNorm. */
  readonly weightDecay?: number;
  /** Limit of the gradient's global norm; 1. */
  readonly maxGradientNorm?: number;
  /** Of initialisation, order of the data, masks and dropout; 12345. */
  readonly seed?: number;
  /** Overrides both dropout rates of the config, in [0, 1). */
  readonly dropout?: number;
  /** Draws masks anew in each epoch instead of taking the stored ones. */
  readonly dynamicMasking?: boolean;
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
}

/** The choices of a run, complete; stored in every checkpoint. */
export interface PretrainingPlan {
  /** The data folder, relative to the run's. */
  readonly data: string;
  readonly settings: PretrainingSettings;
  readonly batchSize: number;
  readonly dynamicMasking: boolean;
  readonly trainable: TrainablePart;
  readonly recompute: boolean;
  readonly overfitOneBatch: boolean;
  readonly heldOutShare: number;
  readonly evalSteps: number;
  readonly evalBatches: number;
  readonly loggingSteps: number;
  readonly saveSteps: number;
  readonly saveTotalLimit: number;
}

/** The part of the warm-up in the steps, where it is not said. */
const WARMUP_SHARE = 0.1;

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

/** Choices with the defaults filled in. */
export function completePlan(choices: PretrainingChoices, data: string): PretrainingPlan {
  const chosen = { ...PRETRAINING_DEFAULTS, ...withoutUndefined(choices) };
  const { steps, seed, optimizer, learningRate, weightDecay, maxGradientNorm, gradientAccumulationSteps } = chosen;
  return {
    data,
    settings: {
      steps,
      seed,
      optimizer,
      learningRate,
      warmupSteps: choices.warmupSteps ?? Math.floor(steps * WARMUP_SHARE),
      weightDecay,
      maxGradientNorm,
      gradientAccumulationSteps,
    },
    batchSize: chosen.batchSize,
    dynamicMasking: choices.dynamicMasking ?? false,
    trainable: "all",
    recompute: choices.recompute ?? false,
    overfitOneBatch: choices.overfitOneBatch ?? false,
    heldOutShare: chosen.heldOutShare,
    evalSteps: chosen.evalSteps,
    evalBatches: chosen.evalBatches,
    loggingSteps: chosen.loggingSteps,
    saveSteps: chosen.saveSteps,
    saveTotalLimit: chosen.saveTotalLimit,
  };
}

/** What may change when a run goes on: nothing that its numbers depend on. */
export type PlanOverrides = Pick<
  PretrainingChoices,
  "loggingSteps" | "saveSteps" | "saveTotalLimit" | "evalSteps" | "evalBatches"
> & { readonly data?: string };

/**
 * The plan that a checkpoint holds, with overrides.
 * @param where - the file's name, for messages.
 * @throws {CheckpointError} when a field is missing or of another type.
 */
export function restorePlan(stored: Readonly<Record<string, unknown>>, overrides: PlanOverrides, where: string) {
  const pattern = completePlan({}, "");
  // Runs of earlier versions trained everything.
  const complete = { ...stored, trainable: stored["trainable"] ?? pattern.trainable };
  expectLike(complete, pattern as unknown as Record<string, unknown>, `${where}: options`);
  return { ...(complete as unknown as PretrainingPlan), ...withoutUndefined(overrides) };
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

function withoutUndefined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
