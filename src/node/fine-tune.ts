/**
 * Fine-tuning from a model and labelled data to a folder: one run or several seeds, each of which can be resumed at any time.
 */
import { copyFile, link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { InterruptedError, verbatim } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { namedData } from "../tasks/named-data.ts";
import { given } from "../util/given.ts";
import { fileError, readText, writeFileAtomic, writeTexts } from "./files.ts";
import { type FineTuneEnvironment, type Prepared, prepare } from "./fine-tuning-inputs.ts";
import { expectFree, type Job, readJob, type TaskSettingChoices, writeJob } from "./fine-tuning-job.ts";
import type { FineTuningChoices } from "./fine-tuning-plan.ts";
import { type FineTuningRunResult, runFineTuning } from "./fine-tuning-run.ts";
import { MODEL_FILE, RESULT_FILE } from "./run-folder.ts";
import { openRuntime, resumedChoice } from "./runtimes.ts";
import type { TaskDataOptions } from "./task-data.ts";

export type { FineTuneEnvironment };

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
  /** The name of a known data set. */
  readonly dataset?: string;
  readonly task: string;
  readonly primaryMetric: string;
  readonly isLowerBetter: boolean;
  readonly runs: readonly FineTuningRunResult[];
  /** The run whose model is at the top of the folder. */
  readonly best: FineTuningRunResult;
}

/**
 * Fine-tunes a model on labelled examples.
 * @throws {ArgumentError} when the data is named wrongly, before anything is read or looked for.
 * @throws {DataError} when examples cannot be learned from. @throws {ConfigError} when model and task do not fit.
 * @throws {FileError} when the folder holds something already. @throws {TrainingError} when the loss is not a number.
 * @throws {InterruptedError} when aborted, after a checkpoint.
 */
export async function fineTune(options: FineTuneOptions): Promise<FineTuneResult> {
  const { model, data, task = {}, runs = 1, output, overwrite = false, ...rest } = options;
  const { choices, environment } = split(rest);
  // A name that is misspelt is told at once.
  namedData(data.name, data.dataset);
  await expectFree(output, overwrite);
  const request = { model, data, task, choices, runs };
  const prepared = await prepare(request, environment);
  const { runtime, release } = await openRuntime(environment, aboutEngine(environment, prepared));
  const { name, precision, threads } = runtime;
  const job: Job = { ...request, runtime: name, precision, threads };
  try {
    await writeJob(output, job, overwrite);
    return await runAll({ job, prepared, runtime, output, environment, overwrite, resume: false });
  } finally {
    await release();
  }
}

/**
 * Goes on with a fine-tuning that was stopped; the result equals that of one that was not, bit for bit.
 * @throws {CheckpointError} when the folder is none of a fine-tuning.
 */
export async function resumeFineTuning(output: string, environment: FineTuneEnvironment = {}): Promise<FineTuneResult> {
  const job = await readJob(output);
  const prepared = await prepare(job, environment);
  const choice = resumedChoice(environment, { ...job, name: job.runtime });
  const { runtime, release } = await openRuntime(choice, aboutEngine(environment, prepared));
  try {
    return await runAll({ job, prepared, runtime, output, environment, overwrite: false, resume: true });
  } finally {
    await release();
  }
}

/** What an engine is chosen for, and who is told of it. */
function aboutEngine({ onNote }: FineTuneEnvironment, { inputs }: Prepared) {
  return {
    mode: "training" as const,
    config: inputs.config,
    onNote: (message: string) => onNote?.({ kind: "engine", level: "info", message }),
  };
}

/** Choices are what the result depends on; the rest is who watches. */
function split(rest: FineTuningChoices & FineTuneEnvironment) {
  const {
    threads,
    runtime,
    precision,
    download,
    signal,
    onNote,
    onLabels,
    onEncode,
    onResult,
    onStart,
    onStep,
    onLog,
    onEvaluation,
    onEvaluate,
  } = rest;
  const watching = { threads, runtime, precision, download, signal, onNote, onLabels, onEncode, onResult };
  const environment = given({ ...watching, onStart, onStep, onLog, onEvaluation, onEvaluate }) as FineTuneEnvironment;
  const choices = Object.fromEntries(Object.entries(rest).filter(([name]) => !(name in environment)));
  return { choices: given(choices) as FineTuningChoices, environment };
}

interface AllRuns {
  readonly job: Job;
  readonly prepared: Prepared;
  readonly runtime: Runtime;
  readonly output: string;
  readonly environment: FineTuneEnvironment;
  readonly overwrite: boolean;
  readonly resume: boolean;
}

async function runAll({
  job,
  prepared,
  runtime,
  output,
  environment,
  overwrite,
  resume,
}: AllRuns): Promise<FineTuneResult> {
  const { inputs, data, planOf } = prepared;
  const { seed: first } = planOf(undefined).settings;
  const results: FineTuningRunResult[] = [];
  try {
    for (let i = 0; i < job.runs; i++) {
      const folder = job.runs === 1 ? output : runFolder(output, first + i);
      const plan = planOf(first + i);
      const run = { ...inputs, runtime, output: folder, plan, overwrite, watcher: environment };
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
  const dataset = data.dataset === undefined ? {} : { dataset: data.dataset.name };
  const { title, task } = data;
  return { output, title, ...dataset, task, primaryMetric, isLowerBetter, runs: results, best };
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
    await writeTexts(output, files);
    await writeFileAtomic(join(output, RESULT_FILE), await readText(join(run, RESULT_FILE)));
    await rename(temporary, join(output, MODEL_FILE));
    await rm(temporary, { force: true });
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(join(output, MODEL_FILE), "a file that can be written", error);
  }
}
