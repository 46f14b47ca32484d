/**
 * Pre-training from folder to folder: opens the data, makes or restores the model, runs the loop, and keeps the run's
 * folder so that it can be resumed at any time.
 */
import { join, relative, resolve } from "node:path";
import { lazyTensors } from "../checkpoint/format.ts";
import { writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import type { PretrainingBatch } from "../data/instance.ts";
import { ConfigError, InterruptedError, TrainingError, verbatim } from "../errors.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import type { BertConfig } from "../model/config.ts";
import { initializeWeights, parameterShapes } from "../model/initialize.ts";
import { expectNoneMissing, matchWeights } from "../model/match-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { checkConfigFitsData } from "../train/check-inputs.ts";
import { compilePretraining } from "../train/compile-pretraining.ts";
import type { EvaluationMetrics, LoggedMetrics } from "../train/metrics.ts";
import { checkSettings, type PretrainingHooks, type PretrainingProgress, runPretraining } from "../train/pretrain.ts";
import { checkResumable, type EngineIdentity } from "../train/trainer-state.ts";
import { Random } from "../util/random.ts";
import { hostTensor, type NamedTensors } from "../util/tensor.ts";
import { loadPretrained } from "./bert-model.ts";
import { drawCurves, LOSS_CURVE_FILE } from "./curves.ts";
import { CONFIG_FILE, modelFiles, readConfig, resolveConfig, SMALL_FILES } from "./model-files.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import {
  completePlan,
  type PlanOverrides,
  type PretrainingChoices,
  type PretrainingPlan,
  restorePlan,
} from "./pretraining-plan.ts";
import { checkpointSteps, RunFolder, readCheckpoint } from "./run-folder.ts";
import { openTrainingData, type TrainingData } from "./training-data.ts";

/** Who watches a run, and what it runs on. */
export interface PretrainEnvironment {
  /** Threads of the engine; all processors when left out, those of the run when resuming. */
  readonly threads?: number;
  /** Another engine than ONNX Runtime; it is not disposed of. */
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
  /** Called once before the first step. */
  readonly onStart?: (run: PretrainStart) => void;
  readonly onStep?: PretrainingHooks["onStep"];
  readonly onLog?: PretrainingHooks["onLog"];
  readonly onEvaluation?: PretrainingHooks["onEvaluation"];
}

/** What is known before the first step. */
export interface PretrainStart {
  readonly config: BertConfig;
  readonly parameters: number;
  /** Updates done already, and in all. */
  readonly step: number;
  readonly steps: number;
  readonly engine: EngineIdentity;
  /** Parameters that `init` did not have, so that they start at random. */
  readonly initialized: readonly string[];
}

/** What to train, on what, and where the result goes. */
export interface PretrainOptions extends PretrainingChoices, PretrainEnvironment {
  /** The folder that `zhbert data` wrote. */
  readonly data: string;
  /** The run's folder. */
  readonly output: string;
  /** A built-in size (tiny, rbt3, base, large) or the path of a config.json; `tiny`, or that of `init`. */
  readonly config?: string;
  /** A model's folder to start from its weights. */
  readonly init?: string;
  /** Replaces a run that is in the folder. */
  readonly overwrite?: boolean;
}

/** How to go on with a run. */
export interface ResumeOptions extends PlanOverrides, PretrainEnvironment {}

/** What a finished run gives. */
export interface PretrainResult {
  readonly output: string;
  readonly step: number;
  /** The last logged line; undefined when there was nothing left to do. */
  readonly metrics: LoggedMetrics | undefined;
  readonly evaluation: EvaluationMetrics | undefined;
  /** The path of the loss curve. */
  readonly lossCurve: string;
}

/** A model and where its training stands. */
interface Beginning {
  readonly config: BertConfig;
  readonly weights: NamedTensors;
  readonly initialized: readonly string[];
  readonly resume?: PretrainingProgress;
}

/**
 * Pre-trains a model on a data folder and writes it to a run's folder.
 * @throws {ConfigError} @throws {DataError} @throws {FileError} when something does not fit, before the first step.
 * @throws {TrainingError} when the loss is not a number. @throws {InterruptedError} when aborted, after a checkpoint.
 */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const plan = completePlan(options, relative(resolve(options.output), resolve(options.data)));
  checkSettings(plan.settings, plan);
  const data = await openTrainingData(options.data, plan);
  const runtime = options.runtime ?? createOnnxRuntime(threadsOf(options.threads));
  try {
    const beginning = await beginModel(options, plan, data);
    const { nextSentence } = data.description.settings;
    const files = modelFiles(beginning.config, data.vocabulary, { ...data.description, nextSentence });
    const folder = await RunFolder.create(options.output, files, options.overwrite);
    return await runInFolder({ folder, plan, data, runtime, environment: options, ...beginning });
  } finally {
    await data.close();
    if (options.runtime === undefined) await runtime.dispose();
  }
}

/**
 * Goes on with a run from its last checkpoint; the result equals that of an uninterrupted run bit for bit.
 * @throws {TrainingError} when the engine, its threads or the data are not those of the run.
 * @throws {CheckpointError} when there is no checkpoint or it is damaged.
 */
export async function resumePretraining(output: string, options: ResumeOptions = {}): Promise<PretrainResult> {
  const { folder, checkpoint } = await RunFolder.open(output, SMALL_FILES);
  const { weights, moments, state } = await readCheckpoint(checkpoint);
  const { data: givenData, loggingSteps, saveSteps, saveTotalLimit, evalSteps, evalBatches } = options;
  const overrides = { loggingSteps, saveSteps, saveTotalLimit, evalSteps, evalBatches };
  const stored = restorePlan(state.options, withGiven(overrides), checkpoint);
  const plan = givenData === undefined ? stored : { ...stored, data: relative(resolve(output), resolve(givenData)) };
  const data = await openTrainingData(resolve(output, plan.data), plan);
  const runtime = options.runtime ?? createOnnxRuntime(threadsOf(options.threads ?? state.engine.threads));
  try {
    checkResumable(state, engineOf(runtime), data.identity);
    const config = await readConfig(join(checkpoint, CONFIG_FILE));
    await folder.cutMetrics(state.step);
    const resume = { step: state.step, moments, window: state.window };
    return await runInFolder({
      folder,
      plan,
      data,
      runtime,
      environment: options,
      config,
      weights,
      initialized: [],
      resume,
    });
  } finally {
    await data.close();
    if (options.runtime === undefined) await runtime.dispose();
  }
}

/** A new model at random, or from the weights of another. */
async function beginModel(options: PretrainOptions, plan: PretrainingPlan, data: TrainingData): Promise<Beginning> {
  const { vocabulary } = data;
  const { nextSentence } = data.description.settings;
  const init = options.init === undefined ? undefined : await loadPretrained(options.init);
  const size = options.config ?? "tiny";
  const read = options.config === undefined && init ? init.config : await resolveConfig(size, vocabulary.size);
  const config = withDropout(read, options.dropout ?? (plan.overfitOneBatch ? 0 : undefined));
  checkConfigFitsData(config, data.description.settings, vocabulary);
  if (init) checkConfigFitsData(config, data.description.settings, init.tokenizer.vocabulary);
  const weights = initializeWeights(config, Random.derive(plan.settings.seed, INITIALIZATION_STREAM), { nextSentence });
  const initialized = init ? takeWeights(weights, init) : [];
  return { config, weights, initialized };
}

/** Dropout masks take the streams (seed, micro-batch, site); initialisation takes one of another length. */
const INITIALIZATION_STREAM = 0;

/** Replaces random weights by those of another model; gives the names that it does not have. */
function takeWeights(weights: NamedTensors, { named, where }: LoadedModel): readonly string[] {
  const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
  const { weights: taken, report } = matchWeights(named.tensors, shapes, where);
  if (taken.size === 0) {
    throw new ConfigError({
      where,
      expected: "the weights of a BERT under the names of Transformers, TensorFlow or Paddle",
      got: verbatim(`${named.tensors.size} tensors, none of them known`),
    });
  }
  for (const [name, tensor] of taken) weights.set(name, tensor.read());
  return report.missing;
}

function withDropout(config: BertConfig, rate: number | undefined): BertConfig {
  if (rate === undefined) return config;
  if (!(rate >= 0 && rate < 1))
    throw new TrainingError({ where: "dropout", expected: "a number in [0, 1)", got: rate });
  return { ...config, hiddenDropoutProb: rate, attentionProbsDropoutProb: rate };
}

interface FolderRun extends Beginning {
  readonly folder: RunFolder;
  readonly plan: PretrainingPlan;
  readonly data: TrainingData;
  readonly runtime: Runtime;
  readonly environment: PretrainEnvironment;
}

async function runInFolder(run: FolderRun): Promise<PretrainResult> {
  const { folder, plan, data, runtime, environment, config, weights, resume } = run;
  const { nextSentence, maxSeqLength: longest } = data.description.settings;
  checkConfigFitsData(config, data.description.settings, data.vocabulary);
  const shapes = parameterShapes(config, { nextSentence });
  expectNoneMissing(matchWeights(lazyTensors(weights), shapes, folder.path).report, folder.path);
  environment.onStart?.({
    config,
    parameters: [...weights.values()].reduce((sum, tensor) => sum + tensor.data.length, 0),
    step: resume?.step ?? 0,
    steps: plan.settings.steps,
    engine: engineOf(runtime),
    initialized: run.initialized,
  });
  try {
    const summary = await runPretraining({
      config,
      weights,
      batches: data.batches,
      compile: compilePretraining(runtime, config, { nextSentence, recompute: plan.recompute, longest }),
      settings: plan.settings,
      hooks: hooksOf(run),
      ...(resume === undefined ? {} : { resume }),
    });
    await drawCurves(folder);
    return { ...summary, output: folder.path, lossCurve: join(folder.path, LOSS_CURVE_FILE) };
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    await drawCurves(folder);
    const isResumable = (await checkpointSteps(folder.path)).length > 0;
    throw new InterruptedError({
      where: folder.path,
      expected: `${plan.settings.steps} steps`,
      got: { verbatim: "an interruption" },
      hint: isResumable ? `${error.hint} Go on with: zhbert pretrain ${folder.path} --resume` : error.hint,
      cause: error,
    });
  }
}

function hooksOf({ folder, plan, data, runtime, environment, weights }: FolderRun): PretrainingHooks {
  const { seed } = plan.settings;
  const { onStep, onLog, onEvaluation, signal } = environment;
  return {
    loggingSteps: plan.loggingSteps,
    onLog: async (metrics) => {
      await folder.appendMetrics(metrics);
      await onLog?.(metrics);
    },
    saveSteps: plan.saveSteps,
    onSave: ({ moments, ...progress }) => {
      const randomState = { generator: RANDOM_GENERATOR, dropoutStream: [seed, progress.dataPosition] } as const;
      const identity = { engine: engineOf(runtime), dataIdentity: data.identity, options: { ...plan } };
      return folder.save(
        { weights, moments, state: { ...progress, ...identity, seed, randomState } },
        plan.saveTotalLimit,
      );
    },
    evalSteps: plan.evalSteps,
    ...(data.heldOut === undefined ? {} : { heldOut: data.heldOut }),
    onEvaluation: async (step, evaluation) => {
      await folder.appendMetrics({ step, evaluation });
      await onEvaluation?.(step, evaluation);
    },
    onBadBatches: (step, batches) =>
      folder.write(`bad-batch-step-${step}.safetensors`, writeSafetensors(batchTensors(batches))),
    // Signals, timers and drawing have their turn between steps.
    pause: () => new Promise((done) => setImmediate(done)),
    clock: () => performance.now(),
    ...(onStep === undefined ? {} : { onStep }),
    ...(signal === undefined ? {} : { signal }),
  };
}

const RANDOM_GENERATOR = "threefry2x32-20 / xoshiro128++";

function engineOf({ name, version, precision, threads }: Runtime): EngineIdentity {
  return { name, version, precision, threads };
}

/** Batches as named tensors: `<micro-batch>.input_ids` and so on. */
function batchTensors(batches: readonly PretrainingBatch[]): NamedTensors {
  const tensors: NamedTensors = new Map();
  batches.forEach((batch, i) => {
    const { batchSize, seqLength, maxPredictions } = batch;
    const add = (name: string, columns: number, data: Int32Array) =>
      tensors.set(`${i}.${name}`, hostTensor("int32", [batchSize, columns], data));
    add("input_ids", seqLength, batch.inputIds);
    add("token_type_ids", seqLength, batch.tokenTypeIds);
    add("attention_mask", seqLength, batch.attentionMask);
    add("masked_lm_positions", maxPredictions, batch.maskedLmPositions);
    add("masked_lm_ids", maxPredictions, batch.maskedLmIds);
    add("next_sentence_labels", 1, batch.nextSentenceLabels);
    tensors.set(`${i}.masked_lm_weights`, hostTensor("float32", [batchSize, maxPredictions], batch.maskedLmWeights));
  });
  return tensors;
}

function threadsOf(threads: number | undefined): { threads?: number } {
  return threads === undefined ? {} : { threads };
}

function withGiven(overrides: { [K in keyof PlanOverrides]: PlanOverrides[K] | undefined }): PlanOverrides {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as PlanOverrides;
}
