/**
 * Searches a grid of options on dev by successive halving: every place is fine-tuned for an epoch or so, the better half goes
 * on, and the best are trained to their end. Each place is a run of its own that stops and goes on, so that a search can be
 * interrupted at any time.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  ArgumentError,
  CheckpointError,
  DataError,
  InterruptedError,
  RuntimeError,
  TrainingError,
  verbatim,
} from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { findDataset } from "../tasks/datasets/datasets.ts";
import { fineTuningDefaults } from "../tasks/protocol/default-rates.ts";
import { bestTrials, halvingRungs, nextTrials, type Rung, type Trial } from "../tasks/protocol/halving.ts";
import { digestOf, type OptionValues, type ProtocolTask, pointName, pointsOf } from "../tasks/protocol/protocol.ts";
import { dataOfTask } from "../tasks/tasks.ts";
import { inPercent } from "../util/percent.ts";
import { loadPretrained } from "./bert-model.ts";
import { dataDigest, modelDigest } from "./content-digest.ts";
import { lockFolder } from "./data-lock.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";
import { type FineTuneResult, fineTune, resumeFineTuning } from "./fine-tune.ts";
import type { FineTuneEnvironment } from "./fine-tuning-inputs.ts";
import { readResult } from "./fine-tuning-run.ts";
import { curveOf, type FineTuneOptionsOf } from "./protocol-cell.ts";

/** What is searched. */
export interface SearchOptions {
  readonly model: string;
  /** A data set's name or a task. */
  readonly task: string;
  /** Of every run. */
  readonly options: OptionValues;
  readonly grid: ProtocolTask["grid"];
  /** 1 when left out. */
  readonly seed?: number;
  /** The folder of the runs. */
  readonly output: string;
  readonly optionsOf: FineTuneOptionsOf;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal;
  /** Trains every place to its end. */
  readonly isExhaustive?: boolean;
  readonly onNote?: (message: string) => void;
  /** The rounds, once it is known how many evaluations a run has. */
  readonly onStart?: (rungs: readonly Rung[]) => void;
  /** @param evaluations - made so far over all places. */
  readonly onProgress?: (evaluations: number, place: OptionValues, fields: Readonly<Record<string, string>>) => void;
  readonly onTrial?: (trial: SearchTrial) => void;
}

/** A place of the grid, and the primary metric on dev at each of its evaluations. */
export interface SearchTrial extends Trial<OptionValues> {
  readonly folder: string;
  /** Whether it was trained to its end. */
  readonly isComplete: boolean;
}

/** What a search has found. */
export interface SearchResult {
  readonly metric: string;
  /** The best first; those that were stopped early after those that went further. */
  readonly trials: readonly SearchTrial[];
  readonly best: SearchTrial | undefined;
}

const TRIAL_FILE = "trial.json";
/** Why a run was stopped that may go on. */
const PAUSE = new Error("a pause of the search");

/**
 * Searches for the best options.
 * @throws {DataError} when the data cannot be learned from or has nothing to measure on: a place whose loss is not a number, or
 * which the engine has no memory for, counts as failed instead. @throws {ArgumentError} when runs have `steps` or `evalSteps`.
 * @throws {FileError} when another process uses the folder. @throws {InterruptedError} when aborted; the same call goes on.
 */
export async function searchOptions(options: SearchOptions): Promise<SearchResult> {
  await makeFolder(options.output).catch((error) => {
    throw fileError(options.output, "a folder that can be written", error);
  });
  const unlock = await lockFolder(options.output);
  try {
    for (const place of pointsOf(options.grid)) expectEpochs(options, place);
    return await new Search(await withEpochs(options)).run();
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError({
      where: options.output,
      expected: "a search to its end",
      got: verbatim("an interruption"),
      hint: "The same command goes on.",
      cause: error,
    });
  } finally {
    await unlock();
  }
}

/** Rounds are counted in evaluations, one after each epoch: a run of another measure would be stopped before its end. */
function expectEpochs({ optionsOf, task, options }: SearchOptions, place: OptionValues): void {
  const run = optionsOf(task, { ...options, ...place });
  for (const name of ["steps", "evalSteps"] as const) {
    if (run[name] === undefined) continue;
    throw new ArgumentError({
      where: `search: ${name}`,
      expected: "whole epochs, with an evaluation after each",
      got: run[name],
      hint: `leave ${name} out, and say epochs`,
    });
  }
}

/** The rounds depend on the epochs, so that they are said even where they are the default. */
async function withEpochs(options: SearchOptions): Promise<SearchOptions> {
  const { epochs, data } = options.optionsOf(options.task, options.options);
  if (epochs !== undefined || "epochs" in options.grid) return options;
  const { name, dataset: learned = name } = data;
  const dataset = findDataset(learned);
  const { config } = await loadPretrained(options.model);
  const task = findDataset(name)?.task ?? dataOfTask(name);
  const defaults = fineTuningDefaults({ task, model: config, ...(dataset && { dataset: dataset.title }) });
  return { ...options, options: { epochs: defaults.epochs, ...options.options } };
}

class Search {
  readonly #options: SearchOptions;
  #metric = "";
  #isLowerBetter = false;
  #evaluationsBefore = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  async run(): Promise<SearchResult> {
    const digest = await this.#digest();
    let trials = await Promise.all(pointsOf(this.#options.grid).map((place) => this.#open(place, digest)));
    const evaluations = Math.max(...trials.map(({ place }) => this.#evaluationsOf(place)));
    const rungs = this.#options.isExhaustive
      ? [{ places: trials.length, evaluations }]
      : halvingRungs(trials.length, evaluations);
    this.#options.onStart?.(rungs);
    for (;;) {
      const next = nextTrials(
        trials.map((trial) => asFar(trial, evaluations)),
        rungs,
        this.#isLowerBetter,
      );
      const [open] = next?.trials ?? [];
      if (next === undefined || open === undefined) break;
      const index = trials.findIndex(({ place }) => place === open.place);
      const { evaluations: target } = rungs[next.rung] as Rung;
      this.#evaluationsBefore = trials.reduce((sum, { values }, i) => sum + (i === index ? 0 : values.length), 0);
      const trial = await this.#train(trials[index] as SearchTrial, target);
      trials = trials.map((one, i) => (i === index ? trial : one));
      this.#options.onTrial?.(trial);
      await this.#dropLosers(trials, rungs);
    }
    const ranked = bestTrials(trials, undefined, this.#isLowerBetter).filter(({ failed }) => failed === undefined);
    const complete = ranked.filter(({ isComplete }) => isComplete);
    const others = trials.filter((one) => !complete.includes(one));
    const sorted = [...complete, ...bestTrials(others, undefined, this.#isLowerBetter)];
    return { metric: this.#metric, trials: sorted, best: complete[0] };
  }

  /** What all runs are made from. */
  async #digest(): Promise<string> {
    const { model, task, options, seed = 1, optionsOf } = this.#options;
    const { folder, train, dev, test } = optionsOf(task, options).data;
    const places = Object.entries({ folder, train, dev, test }).filter(([, path]) => path !== undefined);
    const data = await dataDigest(Object.fromEntries(places) as Record<string, string>);
    return digestOf({ model: await modelDigest(model), data, task, options, seed });
  }

  /** A place as an earlier call has left it. */
  async #open(place: OptionValues, digest: string): Promise<SearchTrial> {
    const folder = join(this.#options.output, pointName(place));
    const stored = await readTrial(folder);
    if (stored?.digest !== digest) {
      await rm(folder, { recursive: true, force: true });
      await writeTrial(folder, { digest, place });
      return { place, folder, values: [], isComplete: false };
    }
    this.#know(stored);
    const values = this.#metric === "" ? [] : (await curveOf(folder, this.#metric)).map(([, value]) => value);
    const isComplete = (await readResult(folder)) !== undefined;
    return { place, folder, values, isComplete, ...(stored.failed === undefined ? {} : { failed: stored.failed }) };
  }

  #know({ metric, isLowerBetter }: StoredTrial): void {
    if (metric !== undefined) [this.#metric, this.#isLowerBetter] = [metric, isLowerBetter ?? false];
  }

  /** Dev is measured after each epoch. */
  #evaluationsOf(place: OptionValues): number {
    const { task, options, optionsOf } = this.#options;
    const { epochs } = optionsOf(task, { ...options, ...place });
    return Math.max(1, Math.ceil(epochs ?? 1));
  }

  /** Trains a place until it has so many evaluations behind it, or its end. */
  async #train(trial: SearchTrial, target: number): Promise<SearchTrial> {
    const { signal, onProgress } = this.#options;
    const pause = new AbortController();
    let [evaluations, steps] = [trial.values.length, Number.POSITIVE_INFINITY];
    const environment: FineTuneEnvironment = {
      runtime: this.#options.runtime,
      signal: signal === undefined ? pause.signal : AbortSignal.any([signal, pause.signal]),
      onNote: ({ kind, level, message }) => {
        // A search tries what is far from the table on purpose.
        if (level === "warning" && kind !== "learning-rate") this.#options.onNote?.(message);
      },
      onStart: (run) => {
        steps = run.steps;
        const { primaryMetric, isLowerBetter = false } = run.task;
        [this.#metric, this.#isLowerBetter] = [primaryMetric, isLowerBetter];
      },
      onStep: (_, { loss }) =>
        onProgress?.(this.#evaluationsBefore + evaluations, trial.place, { loss: loss.toFixed(3) }),
      onEvaluation: (step, { evaluation }) => {
        evaluations++;
        const value = evaluation.metrics[this.#metric];
        const fields = value === undefined ? {} : { [this.#metric]: inPercent(value) };
        onProgress?.(this.#evaluationsBefore + evaluations, trial.place, fields);
        if (evaluations >= target && step < steps) pause.abort(PAUSE);
      },
    };
    let failed: string | undefined;
    try {
      await this.#tune(trial, environment);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (!(error instanceof InterruptedError)) failed = failureOf(error);
      // Before anything was trained it is the model's failure, or that of the options of all places.
      if (failed !== undefined && this.#metric === "") throw error;
    }
    const stored = (await readTrial(trial.folder)) as StoredTrial;
    await writeTrial(trial.folder, {
      ...stored,
      metric: this.#metric,
      isLowerBetter: this.#isLowerBetter,
      ...(failed === undefined ? {} : { failed }),
    });
    const found = await this.#open(trial.place, stored.digest);
    if (failed === undefined && found.values.length === 0) throw nothingMeasured(this.#options);
    return found;
  }

  #tune({ place, folder, values }: SearchTrial, environment: FineTuneEnvironment): Promise<FineTuneResult> {
    const { model, task, options, seed = 1, optionsOf } = this.#options;
    const begin = async () => {
      const run = optionsOf(task, { ...options, ...place });
      const data = { ...run.data, splits: ["train", "dev"] };
      return fineTune({ ...run, ...environment, model, data, seed, output: folder, overwrite: true });
    };
    if (values.length === 0) return begin();
    return resumeFineTuning(folder, environment).catch((error) => {
      if (error instanceof CheckpointError) return begin();
      throw error;
    });
  }

  /** Weights of places that do not go on are of no more use; what was measured stays. */
  async #dropLosers(trials: readonly SearchTrial[], rungs: readonly Rung[]): Promise<void> {
    const last = rungs.at(-1) as Rung;
    const next = nextTrials(
      trials.map((trial) => asFar(trial, last.evaluations)),
      rungs,
      this.#isLowerBetter,
    );
    if (next === undefined) return;
    const round = rungs[next.rung] as Rung;
    const before = rungs[next.rung - 1];
    if (before === undefined) return;
    const alive = trials.filter(({ failed }) => failed === undefined);
    const ranked = bestTrials(alive, before.evaluations, this.#isLowerBetter);
    for (const { folder, isComplete } of ranked.slice(round.places)) if (!isComplete) await removeWeights(folder);
  }
}

/** Why a place cannot be trained on; what is no fault of its options (files, the data) ends the search, and is mended first. */
function failureOf(error: unknown): string {
  if (error instanceof TrainingError || error instanceof RuntimeError) return error.message;
  throw error;
}

function nothingMeasured({ task }: SearchOptions): DataError {
  return new DataError({
    where: task,
    expected: "development examples to choose by",
    got: verbatim("none"),
    hint: "Give --dev, or more training examples: a share of them is then held out.",
  });
}

/** A run that ended earlier than others (fewer epochs, early stopping) has nothing more to come. */
function asFar(trial: SearchTrial, evaluations: number): SearchTrial {
  if (!trial.isComplete || trial.values.length >= evaluations) return trial;
  const missing = evaluations - trial.values.length;
  return { ...trial, values: [...trial.values, ...new Array<number>(missing).fill(Number.NaN)] };
}

interface StoredTrial {
  readonly digest: string;
  readonly place: OptionValues;
  readonly metric?: string;
  readonly isLowerBetter?: boolean;
  readonly failed?: string;
}

async function readTrial(folder: string): Promise<StoredTrial | undefined> {
  const path = join(folder, TRIAL_FILE);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  try {
    return JSON.parse(await readText(path)) as StoredTrial;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function writeTrial(folder: string, trial: StoredTrial): Promise<void> {
  return writeFileAtomic(join(folder, TRIAL_FILE), `${JSON.stringify(trial)}\n`);
}

async function removeWeights(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^(checkpoint-\d+|best|model\.safetensors)$/.test(name)) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
