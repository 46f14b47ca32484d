/**
 * Pre-training from folder to folder: opens the data, makes or restores the model, runs the loop, and keeps the run's
 * folder so that it can be resumed at any time.
 */
import { join, relative, resolve } from "node:path";
import { ArgumentError, ConfigError, TrainingError, verbatim } from "../errors.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import type { BertConfig } from "../model/config.ts";
import { initializeWeights, parameterShapes } from "../model/initialize.ts";
import { matchWeights } from "../model/match-weights.ts";
import { checkConfigFitsData } from "../train/check-inputs.ts";
import { checkSettings } from "../train/settings.ts";
import { checkResumable } from "../train/trainer-state.ts";
import { given } from "../util/given.ts";
import { Random } from "../util/random.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { loadPretrained } from "./bert-model.ts";
import { CONFIG_FILE, modelFiles, readConfig, resolveConfig, SMALL_FILES } from "./model-files.ts";
import {
  completePlan,
  type PlanOverrides,
  type PretrainingChoices,
  type PretrainingPlan,
  restorePlan,
} from "./pretraining-plan.ts";
import {
  type Beginning,
  identityOf,
  type PretrainEnvironment,
  type PretrainResult,
  runInFolder,
} from "./pretraining-run.ts";
import { checkpointSteps, RunFolder, readCheckpoint, readTrainerState } from "./run-folder.ts";
import { engineOf } from "./run-hooks.ts";
import { type OpenedRuntime, openRuntime, resumedChoice } from "./runtimes.ts";
import { closePhases, openPhases, type PhasesData } from "./training-data.ts";

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
  /** With `hours`: the folder of a run that came to its end, whose rates are repeated step by step instead of the clock. */
  readonly replay?: string;
}

/** How to go on with a run. */
export interface ResumeOptions extends PlanOverrides, PretrainEnvironment {}

/**
 * Pre-trains a model on a data folder and writes it to a run's folder.
 * @throws {ConfigError} @throws {DataError} @throws {FileError} when something does not fit, before the first step.
 * @throws {TrainingError} when the loss is not a number. @throws {InterruptedError} when aborted, after a checkpoint.
 */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const fromRun = (folder: string) => relative(resolve(options.output), resolve(folder));
  const plan = completePlan(options, fromRun(options.data), fromRun(options.secondPhase?.data ?? options.data));
  checkSettings(plan.settings, plan);
  const phases = await openPhases(options.output, plan);
  const { data } = phases;
  let engine: OpenedRuntime | undefined;
  try {
    expectEvaluations(plan, phases);
    const beginning = await beginModel(options, plan, phases);
    const replay = options.replay === undefined ? undefined : await readTrace(options.replay, plan);
    const { nextSentence } = data.description.settings;
    const files = modelFiles(beginning.config, data.vocabulary, { ...data.description, nextSentence });
    engine = await openRuntime(options, { mode: "training", config: beginning.config, onNote: options.onNote });
    const folder = await RunFolder.create(options.output, files, options.overwrite);
    return await runInFolder({
      folder,
      plan,
      ...phases,
      runtime: engine.runtime,
      environment: options,
      ...beginning,
      ...(replay && { replay }),
    });
  } finally {
    await closePhases(phases);
    await engine?.release();
  }
}

/**
 * Goes on with a run from its last checkpoint; the result equals that of an uninterrupted run bit for bit.
 * @throws {TrainingError} when the engine, its threads or the data are not those of the run.
 * @throws {CheckpointError} when there is no checkpoint or it is damaged.
 */
export async function resumePretraining(output: string, options: ResumeOptions = {}): Promise<PretrainResult> {
  const { folder, checkpoint } = await RunFolder.open(output, SMALL_FILES);
  try {
    return await resumeLocked(folder, checkpoint, options);
  } finally {
    await folder.close();
  }
}

async function resumeLocked(folder: RunFolder, checkpoint: string, options: ResumeOptions): Promise<PretrainResult> {
  const output = folder.path;
  const { weights, moments, average, state } = await readCheckpoint(checkpoint);
  const {
    data: givenData,
    secondData: givenSecond,
    loggingSteps,
    saveSteps,
    saveTotalLimit,
    evalSteps,
    evalBatches,
  } = options;
  const overrides = { loggingSteps, saveSteps, saveTotalLimit, evalSteps, evalBatches };
  const stored = restorePlan(state.options, given(overrides), checkpoint);
  const fromRun = (path: string) => relative(resolve(output), resolve(path));
  const first = givenData === undefined ? stored.data : fromRun(givenData);
  const second = stored.secondPhase && {
    ...stored.secondPhase,
    ...(givenSecond === undefined ? {} : { data: fromRun(givenSecond) }),
  };
  const plan = { ...stored, data: first, ...(second && { secondPhase: second }) };
  const phases = await openPhases(output, plan);
  let engine: OpenedRuntime | undefined;
  try {
    engine = await openRuntime(resumedChoice(options, state.engine), { mode: "training", onNote: options.onNote });
    const { runtime } = engine;
    checkResumable(state, engineOf(runtime), identityOf(phases));
    const config = await readConfig(join(checkpoint, CONFIG_FILE));
    await folder.cutMetrics(state.step);
    const { step, microBatches, dataPosition, window, budget, best } = state;
    const optional = { ...(average && { average }), ...(budget && { budget }), ...(best && { best }) };
    const resume = { step, microBatches, dataPosition, moments, window, ...optional };
    const { nextSentence } = phases.data.description.settings;
    const shapes = parameterShapes(config, { nextSentence });
    return await runInFolder({
      folder,
      plan,
      ...phases,
      runtime,
      environment: options,
      config,
      weights: new Map([...weights].filter(([name]) => shapes.has(name))),
      others: new Map([...weights].filter(([name]) => !shapes.has(name))),
      initialized: [],
      resume,
    });
  } finally {
    await closePhases(phases);
    await engine?.release();
  }
}

/** The time by step of a run by hours. */
async function readTrace(path: string, { settings }: PretrainingPlan): Promise<readonly number[]> {
  const step = (await checkpointSteps(path)).at(-1);
  const budget = step === undefined ? undefined : (await readTrainerState(join(path, `checkpoint-${step}`))).budget;
  if (budget !== undefined && settings.hours !== undefined) return budget.trace;
  throw new TrainingError({
    where: "replay",
    expected: "the folder of a run by hours, and hours for this run too",
    got: verbatim(settings.hours === undefined ? "a run by steps" : path),
    hint: "A run by steps needs no replay: the same seed and data give the same bytes.",
  });
}

/** Refuses to look for the best of evaluations that are not made. */
function expectEvaluations(
  { settings, saveBest, evalSteps }: PretrainingPlan,
  { data, secondData = data }: PhasesData,
): void {
  if (settings.patience === undefined && !saveBest) return;
  const where = settings.patience === undefined ? "best model" : "early stop";
  if (secondData.heldOut === undefined) {
    throw new TrainingError({
      where,
      expected: "held-out data",
      got: verbatim("none"),
      hint: "Give --held-out, or make data with zhbert data --held-out.",
    });
  }
  if (evalSteps > 0) return;
  throw new TrainingError({
    where,
    expected: "evaluations on the way",
    got: verbatim("one at the end"),
    hint: "Give --eval-every.",
  });
}

/** A new model at random, or from the weights of another. */
async function beginModel(
  options: PretrainOptions,
  plan: PretrainingPlan,
  { data, secondData = data }: PhasesData,
): Promise<Beginning> {
  const { vocabulary } = data;
  const { nextSentence } = data.description.settings;
  const init = options.init === undefined ? undefined : await loadPretrained(options.init);
  const size = options.config ?? "tiny";
  const read = options.config === undefined && init ? init.config : await resolveConfig(size, vocabulary.size);
  const config = withDropout(read, options.dropout ?? (plan.overfitOneBatch ? 0 : undefined));
  checkConfigFitsData(config, data.description.settings, vocabulary);
  checkConfigFitsData(config, secondData.description.settings, vocabulary);
  if (init) checkConfigFitsData(config, data.description.settings, init.tokenizer.vocabulary);
  if (plan.frozenLayers > config.numHiddenLayers) {
    throw new ConfigError({
      where: "frozen layers",
      expected: `at most ${config.numHiddenLayers}, the layers of the model`,
      got: plan.frozenLayers,
    });
  }
  const weights = initializeWeights(config, Random.derive(plan.settings.seed, INITIALIZATION_STREAM), { nextSentence });
  const initialized = init ? takeWeights(weights, init) : [];
  return { config, weights, initialized };
}

/** Dropout masks take the streams (seed, micro-batch, site); initialisation takes one of another length. */
export const INITIALIZATION_STREAM = 0;

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
    throw new ArgumentError({ where: "dropout", expected: "a number in [0, 1)", got: rate });
  return { ...config, hiddenDropoutProb: rate, attentionProbsDropoutProb: rate };
}
