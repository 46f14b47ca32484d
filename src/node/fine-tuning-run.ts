/** One fine-tuning run within its folder: from a model's weights to the best model with its scores. */
import { join } from "node:path";
import type { LazyTensors } from "../checkpoint/format.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { InterruptedError, TrainingError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { matchWeights } from "../model/match-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  compileTask,
  evaluationStep,
  type FineTuningEvaluation,
  type FineTuningMeans,
  taskEvaluator,
  taskObjective,
} from "../tasks/fine-tuning.ts";
import type { AnyTask } from "../tasks/task.ts";
import type { TaskBatch } from "../tasks/task-batch.ts";
import { type EncodedExamples, TaskBatches } from "../tasks/task-batches.ts";
import { initializeTask, taskParameterShapes } from "../tasks/task-graph.ts";
import { totalSteps } from "../train/course.ts";
import { checkResumable, type EngineIdentity } from "../train/trainer-state.ts";
import { runTraining } from "../train/training-run.ts";
import type { TrainingProgress } from "../train/training-run-options.ts";
import { Random } from "../util/random.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { drawFineTuningCurves } from "./curves.ts";
import { EngineWatch } from "./engine-watch.ts";
import { readBytes, readText } from "./files.ts";
import { type FineTuningPlan, trainableOfTask, withDropoutOf } from "./fine-tuning-plan.ts";
import { knownMachinePeak } from "./machine-peak.ts";
import { forgetMappedPages } from "./memory-map.ts";
import { PassWorkers } from "./pass-workers.ts";
import { INITIALIZATION_STREAM } from "./pretrain.ts";
import { checkpointSteps, MODEL_FILE, RESULT_FILE, RunFolder, readCheckpoint } from "./run-folder.ts";
import { engineOf, folderHooks, type RunWatcher } from "./run-hooks.ts";

/** What all runs of a fine-tuning share. */
export interface FineTuningInputs {
  readonly task: AnyTask;
  readonly config: BertConfig;
  /** Under Hugging Face's names; those that the task's model lacks are left out. */
  readonly weights: LazyTensors;
  /** Where the weights are from, for messages. */
  readonly where: string;
  readonly train: EncodedExamples;
  readonly dev?: EncodedExamples;
  /** What the finished model is measured on, by split: test, and what else of the data set has labels. */
  readonly tests: Readonly<Record<string, EncodedExamples>>;
  /** Tells the examples from others. */
  readonly dataIdentity: string;
  /** The small files of the model that comes out, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly runtime: Runtime;
}

/** What is known before the first step of a run. */
export interface FineTuningStart {
  readonly config: BertConfig;
  readonly task: AnyTask;
  readonly plan: FineTuningPlan;
  readonly output: string;
  readonly parameters: number;
  /** Updates done already, and in all. */
  readonly step: number;
  readonly steps: number;
  readonly engine: EngineIdentity;
  /** Parameters that the model did not have, so that they start at random. */
  readonly initialized: readonly string[];
}

/** Who watches. */
export interface FineTuningWatcher extends RunWatcher<TaskBatch, FineTuningMeans, FineTuningEvaluation> {
  /** Before the first step of each run. */
  readonly onStart?: (run: FineTuningStart) => void;
  /** While a model is measured, on whatever split: before the first batch, and after each. */
  readonly onEvaluate?: (doneBatches: number, batches: number) => void;
}

/** Metrics by name, the loss among them. */
export type Scores = Readonly<Record<string, number>>;

/** What a finished run gives; the content of result.json. */
export interface FineTuningRunResult {
  readonly seed: number;
  readonly step: number;
  /** Updates after which the model was as it is given. */
  readonly bestStep: number;
  readonly isStoppedEarly: boolean;
  readonly learningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** By split: dev, test and the data set's further ones (trial, challenge), as far as they have labels. */
  readonly scores: Readonly<Record<string, Scores>>;
}

/** A run to do, or to go on with. */
export interface FineTuningRun extends FineTuningInputs {
  readonly output: string;
  readonly plan: FineTuningPlan;
  /** Replaces a run or a model that is in the folder. */
  readonly overwrite: boolean;
  readonly watcher: FineTuningWatcher;
}

/** The result of a run that came to its end; undefined where there is none. */
export async function readResult(folder: string): Promise<FineTuningRunResult | undefined> {
  const text = await readText(join(folder, RESULT_FILE)).catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as FineTuningRunResult);
}

/**
 * Does a run; one that was stopped goes on from its last checkpoint, and the result equals that of one that was not.
 * @param resume - whether a run that is there is to go on.
 */
export async function runFineTuning(run: FineTuningRun, resume: boolean): Promise<FineTuningRunResult> {
  const done = resume ? await readResult(run.output) : undefined;
  if (done !== undefined) return done;
  const { folder, beginning } = await begin(run, resume);
  try {
    return await trainIn(run, folder, beginning);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    await drawFineTuningCurves(folder, run.task.primaryMetric);
    throw error;
  } finally {
    await folder.close();
  }
}

interface Beginning {
  readonly weights: NamedTensors;
  readonly initialized: readonly string[];
  readonly resume?: TrainingProgress;
}

async function begin(run: FineTuningRun, resume: boolean): Promise<{ folder: RunFolder; beginning: Beginning }> {
  const steps = resume ? await checkpointSteps(run.output) : [];
  if (steps.length === 0) {
    const folder = await RunFolder.create(run.output, run.files, run.overwrite || resume);
    return { folder, beginning: newWeights(run) };
  }
  const { folder, checkpoint } = await RunFolder.open(run.output, [...run.files.keys()]);
  try {
    const { weights, moments, average, state } = await readCheckpoint(checkpoint);
    checkResumable(state, engineOf(run.runtime), run.dataIdentity);
    expectSameSettings(state.options["settings"], run.plan.settings, checkpoint);
    await folder.cutMetrics(state.step);
    const { step, microBatches, dataPosition, window, best, isEvaluationDue = false } = state;
    const optional = { ...(average && { average }), ...(best && { best }), isEvaluationDue };
    const progress = { step, microBatches, dataPosition, moments, window, ...optional };
    return { folder, beginning: { weights, initialized: [], resume: progress } };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** Settings are computed anew from the choices: another version of the program may compute others. */
function expectSameSettings(stored: unknown, settings: unknown, where: string): void {
  const [before, now] = [stored, settings].map((value) => JSON.stringify(value));
  if (before === now) return;
  throw new TrainingError({
    where,
    expected: `the settings that the run began with (${before})`,
    got: verbatim(String(now)),
    hint: "Begin a new run in another folder.",
  });
}

/** The model's weights, and what it lacks as the task starts it: the head. */
function newWeights({ task, config, weights: given, where, plan }: FineTuningRun): Beginning {
  const shapes = taskParameterShapes(task, config);
  const { weights: taken, report } = matchWeights(given, shapes, where);
  const missing = new Map([...shapes].filter(([name]) => report.missing.includes(name)));
  const random = Random.derive(plan.settings.seed, INITIALIZATION_STREAM);
  const fresh = initializeTask(task, config, random, missing);
  const weights: NamedTensors = new Map();
  for (const name of shapes.keys()) {
    const tensor = taken.get(name)?.read() ?? fresh.get(name);
    // What a file gives may be its own memory, or another run's.
    if (tensor !== undefined) weights.set(name, { ...tensor, data: tensor.data.slice() } as typeof tensor);
  }
  forgetMappedPages();
  return { weights, initialized: report.missing };
}

async function trainIn(run: FineTuningRun, folder: RunFolder, beginning: Beginning): Promise<FineTuningRunResult> {
  const { task, plan, dev, watcher } = run;
  const { weights, resume } = beginning;
  const config = withDropoutOf(plan, run.config);
  const graphs = graphsOf(run, config);
  const watch = new EngineWatch(await knownMachinePeak(run.runtime));
  watcher.onStart?.({
    config: run.config,
    task,
    plan,
    output: run.output,
    parameters: [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    step: resume?.step ?? 0,
    steps: totalSteps(plan.settings),
    engine: engineOf(run.runtime),
    initialized: beginning.initialized,
  });
  const notes: RunNotes = { averaged: resume?.average ?? new Map() };
  const evaluate = dev && evaluatorOf(run, dev);
  const passes = new PassWorkers(run.runtime.threads);
  const summary = await runTraining({
    ...graphs,
    config,
    weights,
    trainable: trainableOfTask(plan),
    phases: [
      {
        batches: graphs.batches,
        compile: (trainable) => watch.timed(graphs.compile(trainable)),
        ...(evaluate && { evaluate }),
      },
    ],
    settings: plan.settings,
    hooks: hooksOf(run, { folder, weights, notes, watch }),
    precision: run.runtime.precision,
    passes,
    ...(resume === undefined ? {} : { resume }),
  }).finally(() => passes.close());
  await promote(run, folder, weights, notes.averaged);
  const { step, best, isStoppedEarly } = summary;
  const result: FineTuningRunResult = {
    seed: plan.settings.seed,
    step,
    bestStep: (plan.saveBest ? best?.step : undefined) ?? step,
    isStoppedEarly,
    learningRate: plan.settings.learningRate,
    batchSize: plan.batchSize * plan.settings.gradientAccumulationSteps,
    epochs: plan.epochs,
    scores: await finalScores(run, graphs, plan.saveBest ? notes.best : undefined),
  };
  await drawFineTuningCurves(folder, task.primaryMetric);
  await folder.write(RESULT_FILE, `${JSON.stringify(result, undefined, 2)}\n`);
  if (!plan.keepCheckpoints) await folder.removeCheckpoints();
  return result;
}

/** What a run remembers from one hook to the next. */
interface RunNotes {
  /** The moving average of the weights; empty without one. */
  averaged: NamedTensors;
  last?: FineTuningEvaluation;
  best?: FineTuningEvaluation;
}

function graphsOf({ task, plan, train, runtime }: FineTuningRun, config: BertConfig) {
  const { recompute, loss, rDropAlpha, batchSize, settings } = plan;
  const batches = new TaskBatches(task, train.rows, { batchSize, seed: settings.seed });
  const rDrop = rDropAlpha === undefined ? {} : { rDropAlpha };
  const compile = compileTask(runtime, task, config, { ...loss, recompute, longest: batches.longest, ...rDrop });
  return { batches, compile, objective: taskObjective(task, config, train.examples.length / train.rows.length) };
}

interface HookParts {
  readonly folder: RunFolder;
  readonly weights: NamedTensors;
  readonly notes: RunNotes;
  readonly watch: EngineWatch;
}

function hooksOf(run: FineTuningRun, { folder, weights, notes, watch }: HookParts) {
  const hooks = folderHooks<TaskBatch, FineTuningMeans, FineTuningEvaluation>({
    folder,
    plan: run.plan,
    environment: run.watcher,
    engine: engineOf(run.runtime),
    engineWatch: watch,
    dataIdentity: run.dataIdentity,
    weights: () => weights,
    inputsOf: ({ inputs }) => inputs,
    fieldsOf: scoresOf,
  });
  const { onSave, onEvaluation, onBest } = hooks;
  const noted: Pick<typeof hooks, "onSave" | "onEvaluation" | "onBest"> = {
    onSave: (progress) => {
      notes.averaged = progress.average ?? notes.averaged;
      return onSave(progress);
    },
    onEvaluation: (step, evaluation, average) => {
      notes.last = average ?? evaluation;
      return onEvaluation?.(step, evaluation, average);
    },
    onBest: async (best, average) => {
      if (notes.last !== undefined) notes.best = notes.last;
      await onBest?.(best, average);
    },
  };
  return { ...hooks, ...noted };
}

/** Makes the model at the top of the folder the one that the run gives. */
async function promote(
  { plan }: FineTuningRun,
  folder: RunFolder,
  weights: NamedTensors,
  averaged: NamedTensors,
): Promise<void> {
  if (!plan.saveBest && averaged.size === 0) return;
  if (!plan.saveBest) await folder.saveBest(new Map([...weights, ...averaged]), {});
  await folder.promoteBest();
}

/** The scores of the model at the top of the folder. @param known - its evaluation on dev, where that is at hand. */
async function finalScores(
  run: FineTuningRun,
  { objective, compile }: ReturnType<typeof graphsOf>,
  known: FineTuningEvaluation | undefined,
): Promise<Record<string, Scores>> {
  const { dev, tests, output } = run;
  const path = join(output, MODEL_FILE);
  const step = evaluationStep(objective, compile("all"), readSafetensors(await readBytes(path), path));
  const measure = (examples: EncodedExamples) => evaluatorOf(run, examples)(step);
  try {
    const scores: Record<string, Scores> = {};
    if (dev !== undefined) scores["dev"] = scoresOf(known ?? (await measure(dev)));
    for (const [split, examples] of Object.entries(tests)) scores[split] = scoresOf(await measure(examples));
    return scores;
  } finally {
    await step.dispose();
  }
}

/** Measures models on examples, batch by batch: a signal has its turn after each. */
function evaluatorOf({ task, plan, watcher }: FineTuningRun, examples: EncodedExamples) {
  const evaluate = taskEvaluator(task, examples, plan.evalBatchSize);
  return (model: Parameters<typeof evaluate>[0]) =>
    evaluate(model, async (done, batches) => {
      watcher.onEvaluate?.(done, batches);
      await breathe(watcher.signal);
    });
}

/** Lets signals have their turn, and ends when one came. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((done) => setImmediate(done));
  if (!signal?.aborted) return;
  throw new InterruptedError({
    where: "evaluation",
    expected: "scores of the trained model",
    got: verbatim("an interruption"),
    hint: "What was trained is saved.",
  });
}

function scoresOf({ loss, evaluation }: FineTuningEvaluation): Scores {
  return { loss, ...evaluation.metrics };
}
