/** The choices of a fine-tuning run and their defaults. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import type { Trainable } from "../model/trainable.ts";
import { CRF_PREFIX } from "../tasks/ner/crf.ts";
import type { FineTuningDefaults } from "../tasks/protocol/default-rates.ts";
import type { LossOptions } from "../tasks/task.ts";
import type { Adversarial } from "../train/adversarial.ts";
import { checkSettings, type TrainingSettings } from "../train/settings.ts";
import { given } from "../util/given.ts";

/** What may be chosen for a new run; everything has a default. */
export interface FineTuningChoices {
  /** Passes over the training examples, a fraction at will; 3, or as published for the data set. */
  readonly epochs?: number;
  /** Updates, instead of `epochs`. */
  readonly steps?: number;
  /** Examples in a (micro-)batch; 32, or as published. */
  readonly batchSize?: number;
  /** Micro-batches for one update; 1. */
  readonly gradientAccumulationSteps?: number;
  /** The peak learning rate; the published one for the task, the data set and the kind of model. */
  readonly learningRate?: number;
  /** The peak learning rate of a CRF's transitions; that of all else. They are few and begin at random: 100 times it is usual. */
  readonly crfLearningRate?: number;
  /** The share of the updates over which the rate rises, in [0, 1); 0.1. */
  readonly warmupShare?: number;
  /** `adamw` (PyTorch's, with its schedule and clipping), `adamw-bert` (Google's), `lamb` or `lamb-nvidia`. */
  readonly optimizer?: TrainingSettings["optimizer"];
  /** How the rate falls after warm-up; as the optimiser's program does. */
  readonly schedule?: TrainingSettings["schedule"];
  /** 0.01; not on biases and LayerNorm. */
  readonly weightDecay?: number;
  /** Of the moving averages of the gradient and of its square; 0.9 and 0.999. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** Added to the root of the second average; as the optimiser's program. */
  readonly epsilon?: number;
  /** Limit of the gradient's global norm; 1. 0 clips nothing. */
  readonly maxGradientNorm?: number;
  /** The factor on learning rates from each layer to the one under it, in (0, 1]; 1. */
  readonly layerDecay?: number;
  /** The first layers of the encoder that stay as they are; 0. */
  readonly frozenLayers?: number;
  /** Leaves the embeddings as they are. */
  readonly frozenEmbeddings?: boolean;
  /** Leaves embeddings and all layers as they are: what stands on them alone is trained. */
  readonly frozenEncoder?: boolean;
  /** Trains the head and the top layer first, and one layer more after each such share of an epoch. */
  readonly unfreezeEvery?: number;
  /** Keeps a moving average of the weights of which this share stays at each update, in (0, 1). */
  readonly averageDecay?: number;
  /** Trains on embeddings moved to where the loss is higher besides. */
  readonly adversarial?: Adversarial;
  /** The weight of R-Drop's divergence between two passes; none. */
  readonly rDropAlpha?: number;
  /** How the loss is changed. */
  readonly loss?: LossChoices;
  /** Overrides all dropout rates of the config while training, in [0, 1). */
  readonly dropout?: number;
  /** Computes layers again for their gradients: less memory, about a third more time. */
  readonly recompute?: boolean;
  /** Of the head's first values, the order of the data and dropout; 1. */
  readonly seed?: number;
  /** Updates between evaluations on the development examples; those of an epoch. */
  readonly evalSteps?: number;
  /** Rows in a batch of an evaluation; 32. */
  readonly evalBatchSize?: number;
  /** Ends the run after so many evaluations without a better one. */
  readonly patience?: number;
  /** Gives the model of the last update instead of that of the best evaluation. */
  readonly keepLast?: boolean;
  /** Updates between lines of metrics.jsonl; 10. */
  readonly loggingSteps?: number;
  /** Updates between checkpoints; those of an epoch. 0 saves at the end only. */
  readonly saveSteps?: number;
  /** Leaves the last checkpoint in the folder of a finished run. */
  readonly keepCheckpoints?: boolean;
}

/** As `LossOptions`; class weights may also follow from how often each label occurs. */
export interface LossChoices extends Omit<LossOptions, "classWeights"> {
  readonly classWeights?: readonly number[] | "balanced";
}

/** The choices of a run, complete; stored in every checkpoint. */
export interface FineTuningPlan {
  /** Where the examples are from, for whoever reads them again. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly settings: TrainingSettings;
  readonly epochs: number;
  readonly batchSize: number;
  readonly evalBatchSize: number;
  readonly frozenLayers: number;
  readonly frozenEmbeddings: boolean;
  readonly loss: LossOptions;
  readonly rDropAlpha?: number;
  readonly dropout?: number;
  readonly recompute: boolean;
  readonly evalSteps: number;
  readonly loggingSteps: number;
  readonly saveSteps: number;
  readonly saveTotalLimit: number;
  readonly saveBest: boolean;
  readonly keepCheckpoints: boolean;
}

/** The defaults that are plain numbers, for --help. */
export const FINE_TUNING_DEFAULTS = {
  gradientAccumulationSteps: 1,
  optimizer: "adamw",
  weightDecay: 0.01,
  maxGradientNorm: 1,
  seed: 1,
  evalBatchSize: 32,
  loggingSteps: 10,
} as const;

/** What the plan of a run depends on besides the choices. */
export interface FineTuningFacts {
  readonly config: BertConfig;
  /** The batches of an epoch, for a size. */
  batchesPerEpoch(batchSize: number): number;
  readonly hasDev: boolean;
  /** By which rare labels count as much as frequent ones. @throws {ArgumentError} where the task has no labels. */
  balancedClassWeights(): readonly number[];
  readonly defaults: FineTuningDefaults;
  /** Whether the task has a conditional random field. */
  readonly hasCrf: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

function lossOf({ classWeights, ...loss }: LossChoices = {}, facts: FineTuningFacts): LossOptions {
  if (classWeights === undefined) return loss;
  return { ...loss, classWeights: classWeights === "balanced" ? facts.balancedClassWeights() : classWeights };
}

/** The rate of a CRF as a factor on that of all else. */
function crfRate({ crfLearningRate: rate }: FineTuningChoices, learningRate: number, { hasCrf }: FineTuningFacts) {
  if (rate === undefined) return undefined;
  if (hasCrf) return { [CRF_PREFIX]: rate / learningRate };
  throw new ArgumentError({
    where: "learning rate of the CRF",
    expected: "a model of ner with a CRF",
    got: verbatim("a task without one"),
    hint: "Give --crf, or leave --crf-learning-rate out.",
  });
}

/** Choices with the defaults filled in. @throws {ArgumentError} when a number is out of range. */
export function completeFineTuning(choices: FineTuningChoices, facts: FineTuningFacts): FineTuningPlan {
  const chosen = { ...FINE_TUNING_DEFAULTS, ...given(choices) };
  const { config, defaults, hasDev, data } = facts;
  const batchSize = choices.batchSize ?? defaults.batchSize;
  const { gradientAccumulationSteps, seed, optimizer, weightDecay, maxGradientNorm } = chosen;
  const stepsPerEpoch = facts.batchesPerEpoch(batchSize) / gradientAccumulationSteps;
  const epochs = choices.steps === undefined ? (choices.epochs ?? defaults.epochs) : choices.steps / stepsPerEpoch;
  expectThat(epochs > 0 && epochs < Number.POSITIVE_INFINITY, "epochs", "a number above 0", epochs);
  const steps = choices.steps ?? Math.ceil(epochs * stepsPerEpoch);
  const warmupShare = choices.warmupShare ?? defaults.warmupShare;
  expectThat(warmupShare >= 0 && warmupShare < 1, "warm-up share", "a number from 0 to below 1", warmupShare);
  const { schedule, layerDecay, beta1, beta2, epsilon, averageDecay, patience, adversarial } = choices;
  const unfreezeEvery = choices.unfreezeEvery === undefined ? undefined : choices.unfreezeEvery * stepsPerEpoch;
  const frozen = choices.frozenEncoder ? config.numHiddenLayers : (choices.frozenLayers ?? 0);
  expectThat(frozen <= config.numHiddenLayers, "frozen layers", `at most ${config.numHiddenLayers}`, frozen);
  const { dropout } = choices;
  if (dropout !== undefined) expectThat(dropout >= 0 && dropout < 1, "dropout", "a number in [0, 1)", dropout);
  const { learningRate = defaults.learningRate } = choices;
  const settings: TrainingSettings = {
    steps,
    seed,
    optimizer,
    learningRate,
    warmupSteps: Math.floor(steps * warmupShare),
    weightDecay,
    maxGradientNorm,
    gradientAccumulationSteps,
    ...given({ schedule, layerDecay, beta1, beta2, epsilon, averageDecay, adversarial, unfreezeEvery }),
    ...given({ patience, rateFactors: crfRate(choices, learningRate, facts) }),
  };
  const plan = {
    data,
    settings,
    epochs,
    batchSize,
    evalBatchSize: chosen.evalBatchSize,
    frozenLayers: frozen,
    frozenEmbeddings: choices.frozenEncoder ?? choices.frozenEmbeddings ?? false,
    loss: lossOf(choices.loss, facts),
    ...given({ rDropAlpha: choices.rDropAlpha, dropout }),
    recompute: choices.recompute ?? false,
    evalSteps: choices.evalSteps ?? stepsPerEpoch,
    loggingSteps: chosen.loggingSteps,
    saveSteps: choices.saveSteps ?? stepsPerEpoch,
    saveTotalLimit: 1,
    saveBest: hasDev && !choices.keepLast,
    keepCheckpoints: choices.keepCheckpoints ?? false,
  };
  checkSettings(settings, plan);
  if (patience !== undefined && !hasDev) {
    throw new ArgumentError({
      where: "early stop",
      expected: "development examples to measure on",
      got: verbatim("none"),
      hint: "Give --dev, or leave --early-stop out.",
    });
  }
  return plan;
}

/** What a run trains in the end. */
export function trainableOfTask({ frozenLayers: layers, frozenEmbeddings: embeddings }: FineTuningPlan): Trainable {
  return layers === 0 && !embeddings ? "all" : { layers, embeddings };
}

/** The config as the run computes with it. */
export function withDropoutOf({ dropout }: FineTuningPlan, config: BertConfig): BertConfig {
  if (dropout === undefined) return config;
  const { classifierDropout: _, ...rest } = config;
  return { ...rest, hiddenDropoutProb: dropout, attentionProbsDropoutProb: dropout };
}

function expectThat(isMeant: boolean, where: string, expected: string, got: number): void {
  if (!isMeant) throw new ArgumentError({ where, expected, got });
}
