/**
 * Fine-tuning from a model and labelled data to a folder: one run or several seeds, each of which can be resumed at any time.
 */
import { createHash } from "node:crypto";
import { copyFile, link, readdir, rename, rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { LazyTensors } from "../checkpoint/format.ts";
import { CheckpointError, ConfigError, DataError, FileError, InterruptedError, verbatim } from "../errors.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import type { BertConfig } from "../model/config.ts";
import { expectNoFurtherLayers, expectVocabularySize, matchWeights } from "../model/match-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type AnyExample, dataNotes } from "../tasks/data-advice.ts";
import type { DataNote } from "../tasks/data-note.ts";
import { fineTuningDefaults, rateNotes } from "../tasks/default-rates.ts";
import { isLabelled } from "../tasks/split-examples.ts";
import type { AnyTask, TaskSettings } from "../tasks/task.ts";
import { type EncodedExamples, encodeExamples, expectLabelled, TaskBatches } from "../tasks/task-batches.ts";
import { TASK_FILE, taskConfigJson } from "../tasks/task-files.ts";
import { taskParameterShapes } from "../tasks/task-graph.ts";
import { findTaskDefinition } from "../tasks/tasks.ts";
import { tokenizerFiles } from "../text/tokenizer-files.ts";
import { loadPretrained } from "./bert-model.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";
import { completeFineTuning, type FineTuningChoices, type FineTuningPlan } from "./fine-tuning-plan.ts";
import {
  type FineTuningInputs,
  type FineTuningRunResult,
  type FineTuningWatcher,
  RESULT_FILE,
  runFineTuning,
} from "./fine-tuning-run.ts";
import type { DownloadOptions } from "./hub.ts";
import { CONFIG_FILE } from "./model-files.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { threadsOf } from "./pretrain.ts";
import { MODEL_FILE, RunFolder } from "./run-folder.ts";
import { type AnyTaskData, loadTaskData, type TaskDataOptions } from "./task-data.ts";

/** Who watches, and what the runs compute on. */
export interface FineTuneEnvironment extends FineTuningWatcher {
  /** Threads of the engine; all processors when left out. */
  readonly threads?: number;
  /** Another engine than ONNX Runtime; it is not disposed of. */
  readonly runtime?: Runtime;
  readonly download?: DownloadOptions;
  /** What people should know of the model, the data and the settings. */
  readonly onNote?: (note: DataNote) => void;
  /** While examples are made into tokens. */
  readonly onEncode?: (done: number, examples: number) => void;
  /** When a run has come to its end, or is found to have. */
  readonly onResult?: (result: FineTuningRunResult) => void;
}

/** What of a task's settings is chosen: `{ maxSeqLength: 256 }`. */
export type TaskSettingChoices = Partial<Omit<TaskSettings, "task">> & Readonly<Record<string, unknown>>;

/** What to train, on what, and where the result goes. */
export interface FineTuneOptions extends FineTuningChoices, FineTuneEnvironment {
  /** A model by path or name. */
  readonly model: string;
  /** The labelled examples. */
  readonly data: TaskDataOptions;
  readonly task?: TaskSettingChoices;
  /** The folder of the fine-tuned model. */
  readonly output: string;
  /** Runs with the seeds from `seed` on; 1. Each is in a folder of its own then, and the best one is the model. */
  readonly runs?: number;
  /** Replaces a model or runs that are in the folder. */
  readonly overwrite?: boolean;
}

/** What a finished fine-tuning gives. */
export interface FineTuneResult {
  readonly output: string;
  /** For tables: the data set's title, or the task's name. */
  readonly title: string;
  readonly task: string;
  readonly primaryMetric: string;
  readonly isLowerBetter: boolean;
  readonly runs: readonly FineTuningRunResult[];
  /** The run whose model is at the top of the folder. */
  readonly best: FineTuningRunResult;
}

/** The content of fine-tuning.json: what a resumed fine-tuning begins with. */
interface Job {
  readonly model: string;
  readonly data: TaskDataOptions;
  readonly task: TaskSettingChoices;
  readonly choices: FineTuningChoices;
  readonly runs: number;
  readonly threads: number;
}

/** The name of the file that says what a fine-tuning was asked for. */
const JOB_FILE = "fine-tuning.json";

/**
 * Fine-tunes a model on labelled examples.
 * @throws {DataError} when examples cannot be learned from. @throws {ConfigError} when model and task do not fit.
 * @throws {FileError} when the folder holds something already. @throws {TrainingError} when the loss is not a number.
 * @throws {InterruptedError} when aborted, after a checkpoint.
 */
export async function fineTune(options: FineTuneOptions): Promise<FineTuneResult> {
  const { model, data, task = {}, runs = 1, output, overwrite = false, ...rest } = options;
  const { choices, environment } = split(rest);
  await expectFree(output, overwrite);
  const runtime = environment.runtime ?? createOnnxRuntime(threadsOf(environment.threads));
  const job: Job = { model, data, task, choices, runs, threads: runtime.threads };
  const prepared = await prepare(job, environment, runtime).catch((error) => closing(runtime, environment, error));
  const work = async () => {
    await makeFolder(output).catch((error) => {
      throw fileError(output, "a folder that can be written", error);
    });
    if (overwrite) await removeRuns(output);
    await writeFileAtomic(join(output, JOB_FILE), `${JSON.stringify(await movable(job, output), undefined, 2)}\n`);
    return runAll({ job, prepared, output, environment, overwrite, resume: false });
  };
  return work().finally(() => (environment.runtime === undefined ? runtime.dispose() : undefined));
}

/**
 * Goes on with a fine-tuning that was stopped; the result equals that of one that was not, bit for bit.
 * @throws {CheckpointError} when the folder is none of a fine-tuning.
 */
export async function resumeFineTuning(output: string, environment: FineTuneEnvironment = {}): Promise<FineTuneResult> {
  const job = await readJob(output);
  const threads = environment.threads ?? job.threads;
  const runtime = environment.runtime ?? createOnnxRuntime(threadsOf(threads));
  try {
    const prepared = await prepare(job, environment, runtime);
    return await runAll({ job, prepared, output, environment, overwrite: false, resume: true });
  } finally {
    if (environment.runtime === undefined) await runtime.dispose();
  }
}

async function closing(runtime: Runtime, environment: FineTuneEnvironment, error: unknown): Promise<never> {
  if (environment.runtime === undefined) await runtime.dispose();
  throw error;
}

/** Choices are what the result depends on; the rest is who watches. */
function split(rest: FineTuningChoices & FineTuneEnvironment) {
  const { threads, runtime, download, signal, onNote, onEncode, onResult, onStart, onStep, onLog, onEvaluation } = rest;
  const watching = { threads, runtime, download, signal, onNote, onEncode, onResult };
  const environment = given({ ...watching, onStart, onStep, onLog, onEvaluation }) as FineTuneEnvironment;
  const choices = Object.fromEntries(Object.entries(rest).filter(([name]) => !(name in environment)));
  return { choices: given(choices) as FineTuningChoices, environment };
}

function given(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Paths relative to the run's folder: both may move together. */
async function movable(job: Job, output: string): Promise<Job> {
  const fromRun = (path: string) => relative(resolve(output), resolve(path));
  const data = Object.fromEntries(
    Object.entries(job.data).map(([name, value]) => [name, PATHS.includes(name) ? fromRun(String(value)) : value]),
  );
  const model = (await isThere(job.model)) ? fromRun(job.model) : job.model;
  return { ...job, model, data: data as unknown as TaskDataOptions };
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Refuses a folder that holds a model or runs already. */
async function expectFree(output: string, overwrite: boolean): Promise<void> {
  await RunFolder.expectFree(output, overwrite);
  if (overwrite || !(await isThere(join(output, JOB_FILE)))) return;
  throw new FileError({
    where: output,
    expected: "a new folder for the fine-tuning",
    got: verbatim("one of another fine-tuning"),
    hint: `Go on with zhbert finetune --resume ${output}, name another folder, or give --overwrite.`,
  });
}

/** Removes what another fine-tuning left beside the files that are written anew. */
async function removeRuns(output: string): Promise<void> {
  try {
    const names = (await readdir(output)).filter((name) => /^run-\d+$/.test(name) || name === RESULT_FILE);
    for (const name of names) await rm(join(output, name), { recursive: true, force: true });
  } catch (error) {
    throw fileError(output, "a folder that can be written", error);
  }
}

const PATHS: readonly string[] = ["folder", "train", "dev", "test"];

async function readJob(output: string): Promise<Job> {
  const path = join(output, JOB_FILE);
  try {
    const job = JSON.parse(await readText(path)) as Job;
    const fromHere = (name: string, value: unknown) =>
      PATHS.includes(name) && typeof value === "string" ? resolve(output, value) : value;
    const data = Object.entries(job.data).map(([name, value]) => [name, fromHere(name, value)]);
    const fromRun = resolve(output, job.model);
    const model = (await isThere(fromRun)) ? fromRun : job.model;
    return { ...job, model, data: Object.fromEntries(data) };
  } catch (cause) {
    throw new CheckpointError({
      where: output,
      expected: `the folder of a fine-tuning, with a ${JOB_FILE}`,
      got: verbatim("none that can be read"),
      hint: "Name the folder that zhbert finetune -o wrote.",
      cause,
    });
  }
}

/** Model, data and task, ready for any number of runs. */
interface Prepared {
  readonly inputs: FineTuningInputs;
  readonly data: AnyTaskData;
  planOf(seed: number | undefined): FineTuningPlan;
}

async function prepare(job: Job, environment: FineTuneEnvironment, runtime: Runtime): Promise<Prepared> {
  const note = (message: string) => environment.onNote?.({ kind: "model", level: "info", message });
  const data = await loadTaskData(job.data);
  for (const one of data.notes) environment.onNote?.(one);
  const train = (data.splits.train ?? []) as readonly AnyExample[];
  if (train.length === 0) {
    throw new DataError({
      where: data.title,
      expected: "training examples",
      got: verbatim("none"),
      hint: "Give --train FILE, or --data with a folder that has a train file.",
    });
  }
  for (const one of dataNotes(data.task, data.splits)) environment.onNote?.(one);
  const model = await loadPretrained(job.model, environment.download);
  for (const text of model.notes) note(text);
  const task = taskOf(job, data, train, model.config);
  expectVocabularySize(model.config, model.tokenizer.vocabulary.size, model.where);
  const inputs = {
    task,
    config: model.config,
    weights: fittingWeights(model, task, note),
    where: model.where,
    ...(await encodeAll(task, model, data, environment)),
    dataIdentity: identityOf(data, task),
    files: filesOf(model, task),
    runtime,
  };
  return { inputs, data, planOf: planner(job, data, inputs, environment) };
}

/** The task with its labels: those of the data, unless they are chosen. */
function taskOf(job: Job, data: AnyTaskData, train: readonly AnyExample[], config: BertConfig): AnyTask {
  const definition = findTaskDefinition(data.task);
  const known = data.dataset?.maxSeqLength;
  const choices = {
    ...(data.task !== "ner" && data.labels !== undefined ? { labels: data.labels } : {}),
    ...(known === undefined ? {} : { maxSeqLength: Math.min(known, config.maxPositionEmbeddings) }),
    ...job.task,
  };
  const task = definition.create(definition.settle(train, choices));
  const { maxSeqLength } = task.settings;
  if (maxSeqLength <= config.maxPositionEmbeddings) return task;
  throw new ConfigError({
    where: "--max-seq-length",
    expected: `at most ${config.maxPositionEmbeddings}, the model's positions`,
    got: maxSeqLength,
  });
}

/** The model's weights without heads of another size: such a head is begun anew. */
function fittingWeights(
  { named, where, config }: LoadedModel,
  task: AnyTask,
  note: (text: string) => void,
): LazyTensors {
  const shapes = taskParameterShapes(task, config);
  const isOther = (name: string) => {
    const [stored, wanted] = [named.tensors.get(name)?.shape, shapes.get(name)];
    return !name.startsWith("bert.") && stored !== undefined && wanted !== undefined && stored.join() !== wanted.join();
  };
  const dropped = [...named.tensors.keys()].filter(isOther);
  if (dropped.length > 0) note(`the model's head is for other labels and begins anew: ${dropped.join(", ")}`);
  const kept = new Map([...named.tensors].filter(([name]) => !isOther(name)));
  const { report } = matchWeights(kept, shapes, where);
  expectNoFurtherLayers(report, config, where);
  const encoder = report.missing.filter((name) => /^bert\.(embeddings|encoder)\./.test(name));
  if (encoder.length === 0) return kept;
  throw new ConfigError({
    where: `${where}: ${encoder[0]}`,
    expected: "the weights of a BERT's embeddings and layers",
    got: verbatim(encoder.length === 1 ? "nothing" : `nothing, nor for ${encoder.length - 1} more`),
    hint: "Look at what the file holds: zhbert inspect MODEL.",
  });
}

async function encodeAll(
  task: AnyTask,
  { tokenizer }: LoadedModel,
  { task: name, splits }: AnyTaskData,
  { signal, onEncode, onNote }: FineTuneEnvironment,
): Promise<{ train: EncodedExamples; dev?: EncodedExamples; test?: EncodedExamples }> {
  const wanted = (["train", "dev", "test"] as const).flatMap((split) => {
    const examples = (splits[split] ?? []) as readonly AnyExample[];
    const isUseful = examples.length > 0 && examples.every((example) => isLabelled(name, example));
    return split === "train" || isUseful ? [{ split, examples }] : [];
  });
  const total = wanted.reduce((sum, { examples }) => sum + examples.length, 0);
  const encoded: { [split: string]: EncodedExamples } = {};
  let before = 0;
  for (const { split, examples } of wanted) {
    encoded[split] = await encodeExamples(task, tokenizer, examples, async (done) => {
      onEncode?.(before + done, total);
      await new Promise((turn) => setImmediate(turn));
      if (signal?.aborted) throw interrupted();
    });
    before += examples.length;
  }
  onEncode?.(total, total);
  const train = encoded["train"] as EncodedExamples;
  expectLabelled(task, train);
  noteTruncated(train, task.settings.maxSeqLength, onNote);
  return { ...encoded, train };
}

function noteTruncated(
  { truncated, examples }: EncodedExamples,
  maxSeqLength: number,
  onNote: FineTuneEnvironment["onNote"],
): void {
  if (truncated === 0) return;
  const share = truncated / examples.length;
  const message = `${truncated} of ${examples.length} training examples are cut off at ${maxSeqLength} tokens`;
  onNote?.({ kind: "cut-off", level: "info", message, measured: { share }, run: "--max-seq-length N" });
}

function interrupted(): InterruptedError {
  const hint = "Nothing was trained yet.";
  return new InterruptedError({ where: "data", expected: "tokens", got: verbatim("an interruption"), hint });
}

/** Tells data apart: examples and how they are laid out. */
function identityOf({ splits }: AnyTaskData, { settings }: AnyTask): string {
  const hash = createHash("sha256").update(JSON.stringify(settings));
  for (const split of ["train", "dev"]) {
    for (const example of splits[split] ?? []) hash.update(`${split} ${JSON.stringify(example)}\n`);
  }
  return hash.digest("hex");
}

/** The small files of the model that comes out. */
function filesOf({ config, tokenizer }: LoadedModel, task: AnyTask): Map<string, string> {
  const text = (json: object) => `${JSON.stringify(json, undefined, 2)}\n`;
  return new Map(
    Object.entries({
      [CONFIG_FILE]: text(taskConfigJson(task, config)),
      [TASK_FILE]: text(task.settings),
      ...tokenizerFiles(tokenizer, config.maxPositionEmbeddings),
    }),
  );
}

function planner(job: Job, data: AnyTaskData, inputs: FineTuningInputs, { onNote }: FineTuneEnvironment) {
  const { task, config, train, dev } = inputs;
  const dataset = data.dataset?.title;
  const choice = { task: data.task, model: config, ...(dataset === undefined ? {} : { dataset }) };
  const batchesPerEpoch = (batchSize: number) =>
    new TaskBatches(task, train.rows, { batchSize, seed: 0 }).batchesPerEpoch;
  const facts = {
    config,
    batchesPerEpoch,
    hasDev: dev !== undefined,
    defaults: fineTuningDefaults(choice),
    data: { ...job.data },
  };
  const plan = completeFineTuning(job.choices, facts);
  const { learningRate, gradientAccumulationSteps } = plan.settings;
  for (const one of rateNotes(choice, learningRate, plan.batchSize * gradientAccumulationSteps)) onNote?.(one);
  return (seed: number | undefined): FineTuningPlan =>
    seed === undefined ? plan : completeFineTuning({ ...job.choices, seed }, facts);
}

interface AllRuns {
  readonly job: Job;
  readonly prepared: Prepared;
  readonly output: string;
  readonly environment: FineTuneEnvironment;
  readonly overwrite: boolean;
  readonly resume: boolean;
}

async function runAll({ job, prepared, output, environment, overwrite, resume }: AllRuns): Promise<FineTuneResult> {
  const { inputs, data, planOf } = prepared;
  const { seed: first } = planOf(undefined).settings;
  const results: FineTuningRunResult[] = [];
  try {
    for (let i = 0; i < job.runs; i++) {
      const folder = job.runs === 1 ? output : runFolder(output, first + i);
      const plan = planOf(first + i);
      const run = { ...inputs, output: folder, plan, overwrite, watcher: environment };
      const result = await runFineTuning(run, resume);
      environment.onResult?.(result);
      results.push(result);
    }
  } catch (error) {
    throw error instanceof InterruptedError ? resumable(error, output) : error;
  }
  const { primaryMetric, isLowerBetter = false } = inputs.task;
  const best = bestOf(results, primaryMetric, isLowerBetter);
  if (job.runs > 1) await takeModel(runFolder(output, best.seed), output, inputs.files);
  return { output, title: data.title, task: data.task, primaryMetric, isLowerBetter, runs: results, best };
}

function runFolder(output: string, seed: number): string {
  return join(output, `run-${seed}`);
}

function resumable(error: InterruptedError, output: string): InterruptedError {
  return new InterruptedError({
    where: output,
    expected: "a fine-tuning to its end",
    got: verbatim("an interruption"),
    hint: `${error.hint ?? ""} Go on with: zhbert finetune --resume ${output}`.trim(),
    cause: error,
  });
}

/** By dev; without it the first run. */
function bestOf(runs: readonly FineTuningRunResult[], metric: string, isLowerBetter: boolean): FineTuningRunResult {
  const scoreOf = ({ scores }: FineTuningRunResult) => (isLowerBetter ? -1 : 1) * (scores["dev"]?.[metric] ?? 0);
  return runs.reduce((best, run) => (scoreOf(run) > scoreOf(best) ? run : best));
}

/** Puts the model of one run at the top, without a second copy where the disk can link. */
async function takeModel(run: string, output: string, files: ReadonlyMap<string, string>): Promise<void> {
  const temporary = join(output, `.${MODEL_FILE}.zhbert-tmp`);
  try {
    await rm(temporary, { force: true });
    await link(join(run, MODEL_FILE), temporary).catch(() => copyFile(join(run, MODEL_FILE), temporary));
    for (const [name, text] of files) await writeFileAtomic(join(output, name), text);
    await writeFileAtomic(join(output, RESULT_FILE), await readText(join(run, RESULT_FILE)));
    await rename(temporary, join(output, MODEL_FILE));
    await rm(temporary, { force: true });
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(join(output, MODEL_FILE), "a file that can be written", error);
  }
}
