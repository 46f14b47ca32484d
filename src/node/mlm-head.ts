/**
 * Retraining the head of a masked language model over an encoder that stays as it is: for models that were published
 * without one, or with one that was never trained. Pre-training on a corpus, of five tensors.
 */
import { rm, rmdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { type LazyTensor, readTensors } from "../checkpoint/format.ts";
import type { TextEncoding } from "../data/read-block.ts";
import type { Masking } from "../data/shards.ts";
import { ConfigError, verbatim } from "../errors.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import { initializeWeights, parameterShapes } from "../model/initialize.ts";
import {
  expectNoFurtherLayers,
  expectNoneMissing,
  expectVocabularySize,
  matchWeights,
} from "../model/match-weights.ts";
import { inspectMlmHead, type MlmHeadInspection } from "../model/mlm-head.ts";
import { isTrainable } from "../model/trainable.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { checkSettings } from "../train/settings.ts";
import { Random } from "../util/random.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { loadPretrained } from "./bert-model.ts";
import type { Corpus } from "./corpus.ts";
import type { DownloadOptions } from "./hub.ts";
import { type DataReport, makeData } from "./make-data.ts";
import { modelFiles } from "./model-files.ts";
import { INITIALIZATION_STREAM, type ResumeOptions, resumePretraining } from "./pretrain.ts";
import { completePlan, type PretrainingChoices } from "./pretraining-plan.ts";
import { type PretrainEnvironment, type PretrainResult, runInFolder } from "./pretraining-run.ts";
import { RunFolder } from "./run-folder.ts";
import { type OpenedRuntime, openRuntime } from "./runtimes.ts";
import { openTrainingData } from "./training-data.ts";

/** Defaults other than those of pre-training. */
export const MLM_HEAD_DEFAULTS = {
  steps: 2000,
  learningRate: 1e-3,
  heldOutShare: 0.05,
  maxSeqLength: 128,
  masking: "whole-word",
} as const;

/** The share of tokens to predict, as BERT was trained. */
const MASKED_LM_PROB = 0.15;

type Choices = Omit<
  PretrainingChoices,
  "dropout" | "dynamicMasking" | "recompute" | "overfitOneBatch" | "frozenLayers" | "frozenEmbeddings" | "secondPhase"
>;

/** What to train, on what, and where the result goes. */
export interface TrainMlmHeadOptions extends Choices, PretrainEnvironment {
  /** A model by path or name. */
  readonly model: string;
  readonly corpus: Corpus;
  /** The run's folder; the data of the corpus lie in it until the run is complete. */
  readonly output: string;
  /** Of the corpus; UTF-8. */
  readonly encoding?: TextEncoding;
  readonly segmenter: Segmenter;
  /** Replaces a run that is in the folder. */
  readonly overwrite?: boolean;
  /** For a model that comes from the hub. */
  readonly download?: DownloadOptions;
  /** Goes on from the model's own head instead of a new one; false. */
  readonly fromExisting?: boolean;
  /** What is masked together; whole-word. */
  readonly masking?: Masking;
  /** Tokens of a sequence; 128, or as many as the model has positions. */
  readonly maxSeqLength?: number;
  /** Called once when the model is open. */
  readonly onModel?: (head: MlmHeadInspection, notes: readonly string[]) => void;
  /** As data are made: bytes of the corpus, and instances. */
  readonly onData?: (bytes: number, instances: number) => void;
}

/** What a finished run gives. */
export interface MlmHeadResult extends PretrainResult {
  /** Of the head that the model came with. */
  readonly head: MlmHeadInspection;
  readonly data: DataReport;
}

/**
 * Trains the MLM head of a model on a corpus; every other weight goes into the output as it came, as float32.
 * @throws {ConfigError} when the model lacks weights of the encoder, or has no head to go on from.
 * @throws {CorpusError} when the corpus is empty. @throws {FileError} when the output folder holds a run.
 * @throws {InterruptedError} when aborted, after a checkpoint.
 */
export async function trainMlmHead(options: TrainMlmHeadOptions): Promise<MlmHeadResult> {
  const { output } = options;
  const data = join(output, DATA_FOLDER);
  const choices = { ...MLM_HEAD_DEFAULTS, ...options };
  const plan = {
    ...completePlan(choices, relative(resolve(output), resolve(data))),
    trainable: "mlm-head",
    dynamicMasking: true,
  } as const;
  checkSettings(plan.settings, plan);
  const model = await loadPretrained(options.model, options.download);
  const head = inspectMlmHead(model.named.tensors, model.config);
  options.onModel?.(head, model.notes);
  const random = Random.derive(plan.settings.seed, INITIALIZATION_STREAM);
  const { weights, others } = partsOf(model, head, options.fromExisting ?? false, random);
  await RunFolder.expectFree(output, options.overwrite);
  const report = await makeCorpusData(data, model, options, plan.settings.seed).catch(async (error) => {
    // The folder was made for the data, unless something else is in it.
    await removeData(output);
    await rmdir(output).catch(() => undefined);
    throw error;
  });
  const files = modelFiles(model.config, model.tokenizer.vocabulary, {
    tokenizer: model.tokenizer.options,
    nextSentence: [...others.keys()].some((name) => name.startsWith("cls.seq_relationship.")),
  });
  const opened = await openTrainingData(data, plan);
  let engine: OpenedRuntime | undefined;
  try {
    // Of the head alone the encoder computes forward.
    engine = await openRuntime(options, { mode: "inference", config: model.config, onNote: options.onNote });
    const { runtime } = engine;
    const folder = await RunFolder.create(output, files, options.overwrite);
    const run = { folder, plan, data: opened, runtime, environment: options, config: model.config };
    const result = { ...(await runInFolder({ ...run, weights, others, initialized: [] })), head, data: report };
    await removeData(output);
    return result;
  } finally {
    await opened.close();
    await engine?.release();
  }
}

/** Within the run's folder; a name that nobody else gives to data, since it is removed in the end. */
const DATA_FOLDER = "mlm-head-data";

/**
 * Goes on with a run from its last checkpoint.
 * @throws as `resumePretraining`.
 */
export async function resumeMlmHead(output: string, options: ResumeOptions = {}): Promise<PretrainResult> {
  const result = await resumePretraining(output, options);
  await removeData(output);
  return result;
}

/** A complete run needs its data no longer. */
async function removeData(output: string): Promise<void> {
  await rm(join(output, DATA_FOLDER), { recursive: true, force: true });
}

interface ModelParts {
  readonly weights: NamedTensors;
  readonly others: NamedTensors;
}

/** The model's weights with the head that training begins with. */
function partsOf(
  { config, tokenizer, named, where }: LoadedModel,
  head: MlmHeadInspection,
  fromExisting: boolean,
  random: Random,
): ModelParts {
  expectVocabularySize(config, tokenizer.vocabulary.size, where);
  if (fromExisting && head.state === "missing") {
    throw new ConfigError({
      where,
      expected: "an MLM head to go on from",
      got: verbatim("none"),
      hint: "leave --from-existing out: a new head is trained",
    });
  }
  const { weights: found, report } = matchWeights(
    named.tensors,
    parameterShapes(config, { nextSentence: false }),
    where,
  );
  expectNoFurtherLayers(report, config, where);
  expectNoneMissing({ ...report, missing: report.missing.filter((name) => !isTrainable("mlm-head", name)) }, where);
  const weights = readTensors(found);
  // The head's shapes do not depend on the encoder's depth and inner width, which would take time to draw.
  const flat = { ...config, numHiddenLayers: 1, intermediateSize: 1 };
  const fresh = initializeWeights(flat, random, { nextSentence: false });
  for (const [name, tensor] of fresh) if (isTrainable("mlm-head", name) && !fromExisting) weights.set(name, tensor);
  const others: NamedTensors = new Map();
  for (const name of report.unexpected) {
    // An output matrix of the old head's own: the new head's is the token embedding.
    if (!isTrainable("mlm-head", name)) others.set(name, (named.tensors.get(name) as LazyTensor).read());
  }
  return { weights, others };
}

function makeCorpusData(
  folder: string,
  { config, tokenizer }: LoadedModel,
  options: TrainMlmHeadOptions,
  randomSeed: number,
): Promise<DataReport> {
  const { corpus, encoding = "utf-8", segmenter, masking, signal, onData } = options;
  const maxSeqLength = Math.min(options.maxSeqLength ?? MLM_HEAD_DEFAULTS.maxSeqLength, config.maxPositionEmbeddings);
  return makeData({
    corpus,
    reading: { encoding },
    outputs: [folder],
    format: "shards",
    tokenizer,
    segmenter,
    masking: masking ?? MLM_HEAD_DEFAULTS.masking,
    maxSeqLength,
    maxPredictionsPerSeq: Math.ceil(MASKED_LM_PROB * maxSeqLength),
    maskedLmProb: MASKED_LM_PROB,
    shortSeqProb: 0.1,
    // Masks are drawn anew in each epoch: one pass stores every text once.
    dupeFactor: 1,
    randomSeed,
    nextSentence: false,
    googleCompatible: false,
    splitsSentences: segmenter.needsWholeLines !== true,
    heldOut: 0,
    ...(signal === undefined ? {} : { signal }),
    ...(onData === undefined ? {} : { onProgress: onData }),
  });
}
