/**
 * The folder of a training run: the last complete model at its top, checkpoints to resume from, and what was measured.
 *
 * A checkpoint is written under a temporary name and renamed when it is whole; the model at the top follows. Whatever stops
 * the process, each name holds either the old content or the new.
 */
import { appendFile, copyFile, link, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { CheckpointError, FileError, verbatim } from "../errors.ts";
import { TASK_FILE } from "../inference/load-model.ts";
import { SENTENCE_FILES } from "../inference/sentence-modules.ts";
import type { MeasuredLine } from "../report/tensorboard.ts";
import { formatTrainerState, parseTrainerState, type TrainerState } from "../train/trainer-state.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { lockFolder } from "./data-lock.ts";
import { cutEvents, EventFile, removeEvents } from "./event-file.ts";
import { fileError, makeFolder, readBytes, readText, writeFileAtomic, writeTexts } from "./files.ts";

/** The name of the weights within a model's folder. */
export const MODEL_FILE = "model.safetensors";
/** The name of the measurements within a run's folder. */
export const METRICS_FILE = "metrics.jsonl";
/** The scores of a finished fine-tuning, within its folder; a resumed one takes them for its own. */
export const RESULT_FILE = "result.json";

const MOMENTS_FILE = "optimizer.safetensors";
const AVERAGE_FILE = "average.safetensors";
/** The name of what stands in a checkpoint beside weights and moments. */
export const STATE_FILE = "trainer-state.json";
/** The model of the best held-out evaluation. */
const BEST_FOLDER = "best";
const BEST_FILE = "evaluation.json";
const CHECKPOINT = /^checkpoint-(\d+)$/;
/** What a killed process may leave: unfinished files and folders, and folders that were being removed. */
const TEMPORARY = /^\..*\.zhbert-tmp$/;

/** A checkpoint as it is written. */
export interface CheckpointContent {
  readonly weights: NamedTensors;
  readonly moments: NamedTensors;
  /** The moving average of the weights, if there is one. */
  readonly average?: NamedTensors;
  readonly state: TrainerState;
}

/** A run's folder; `files` are the small files of the model (config.json, vocab.txt, tokenizer.json) by name. */
export class RunFolder {
  readonly path: string;
  readonly #files: ReadonlyMap<string, string>;
  readonly #events: EventFile;
  #unlock: (() => Promise<void>) | undefined;

  private constructor(path: string, files: ReadonlyMap<string, string>, unlock: () => Promise<void>) {
    this.path = path;
    this.#files = files;
    this.#events = new EventFile(path);
    this.#unlock = unlock;
  }

  /** Gives the folder's lock up; another run may go on with it then. */
  async close(): Promise<void> {
    const unlock = this.#unlock;
    this.#unlock = undefined;
    await unlock?.();
  }

  /**
   * Checks that a new run may begin in a folder, before any work is done for it.
   * @param overwrite - allows a run or model to be there.
   * @throws {FileError} when the folder holds a run or a model already.
   */
  static async expectFree(path: string, overwrite = false): Promise<void> {
    const steps = await checkpointSteps(path);
    const isRun = steps.length > 0;
    if ((isRun || (await exists(join(path, MODEL_FILE)))) && !overwrite) {
      throw new FileError({
        where: path,
        expected: "a new folder for the run",
        got: verbatim(isRun ? `one with ${steps.length} checkpoints of another run` : `one that holds ${MODEL_FILE}`),
        hint: `${isRun ? `Go on with ${await resumeCommand(path)}, name` : "Name"} another folder, or give --overwrite.`,
      });
    }
  }

  /**
   * Begins a new run.
   * @param overwrite - removes the checkpoints, measurements and model that are there.
   * @throws {FileError} when the folder holds a run or a model already, another process has it, or it cannot be written.
   */
  static async create(path: string, files: ReadonlyMap<string, string>, overwrite = false): Promise<RunFolder> {
    await RunFolder.expectFree(path, overwrite);
    const folder = new RunFolder(path, files, await lockRun(path));
    try {
      // Another run may have begun, or ended, before the lock.
      await RunFolder.expectFree(path, overwrite);
      await folder.#clear();
      await folder.#writeSmallFiles(path);
      return folder;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  /** Removes what another run left. */
  async #clear(): Promise<void> {
    try {
      await this.removeCheckpoints();
      for (const name of [METRICS_FILE, MODEL_FILE, RESULT_FILE, TASK_FILE, ...SENTENCE_FILES])
        await rm(join(this.path, name), { force: true });
      await removeEvents(this.path);
    } catch (error) {
      throw fileError(this.path, "a folder that can be written", error);
    }
  }

  /**
   * Opens a run to go on with it, and completes or removes what a killed process left.
   * @throws {CheckpointError} when there is no checkpoint. @throws {FileError} when another process has the run.
   */
  static async open(path: string, fileNames: readonly string[]): Promise<{ folder: RunFolder; checkpoint: string }> {
    const step = (await checkpointSteps(path)).at(-1);
    if (step === undefined) {
      throw new CheckpointError({
        where: path,
        expected: "the folder of a run with a checkpoint to resume from",
        got: verbatim("none"),
        hint: "Name the folder that zhbert pretrain -o wrote; a run stopped before its first checkpoint begins anew.",
      });
    }
    const unlock = await lockRun(path);
    try {
      const last = (await checkpointSteps(path)).at(-1) ?? step;
      const checkpoint = join(path, `checkpoint-${last}`);
      const files = new Map<string, string>();
      for (const name of fileNames) files.set(name, await readText(join(checkpoint, name)));
      const folder = new RunFolder(path, files, unlock);
      await completeBest(path);
      for (const name of await readdir(path)) {
        if (TEMPORARY.test(name)) await rm(join(path, name), { recursive: true, force: true });
      }
      await folder.#promote(checkpoint);
      return { folder, checkpoint };
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Writes `checkpoint-N/`, then makes its model the one at the top, then removes the oldest beyond `limit`. */
  async save({ weights, moments, average, state }: CheckpointContent, limit: number): Promise<void> {
    const target = await this.#writeFolder(`checkpoint-${state.step}`, async (folder) => {
      await writeFileAtomic(join(folder, MODEL_FILE), writeSafetensors(weights));
      await writeFileAtomic(join(folder, MOMENTS_FILE), writeSafetensors(moments));
      if (average !== undefined) await writeFileAtomic(join(folder, AVERAGE_FILE), writeSafetensors(average));
      await writeFileAtomic(join(folder, STATE_FILE), formatTrainerState(state));
    });
    await this.#promote(target);
    await this.#keepLast(limit);
  }

  /** Makes `best/` this model. */
  async saveBest(weights: NamedTensors, evaluation: object): Promise<void> {
    await this.#writeFolder(BEST_FOLDER, async (folder) => {
      await writeFileAtomic(join(folder, MODEL_FILE), writeSafetensors(weights));
      await writeFileAtomic(join(folder, BEST_FILE), `${JSON.stringify(evaluation)}\n`);
    });
  }

  /** Makes the model of `best/`, if there is one, that at the top. */
  async promoteBest(): Promise<void> {
    const best = join(this.path, BEST_FOLDER);
    if (await exists(join(best, MODEL_FILE))) await this.#promote(best);
  }

  /** Leaves the model at the top and what was measured: removes the checkpoints and `best/`. */
  async removeCheckpoints(): Promise<void> {
    for (const step of await checkpointSteps(this.path)) await removeFolder(join(this.path, `checkpoint-${step}`));
    await removeFolder(join(this.path, BEST_FOLDER));
  }

  /** Writes a folder with a model's small files and more, whole or not at all; gives its path. */
  async #writeFolder(name: string, write: (folder: string) => Promise<void>): Promise<string> {
    const target = join(this.path, name);
    const temporary = join(this.path, `.${name}.zhbert-tmp`);
    try {
      await removeFolder(temporary);
      await makeFolder(temporary);
      await this.#writeSmallFiles(temporary);
      await write(temporary);
      await removeFolder(target);
      await rename(temporary, target);
      return target;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw error instanceof FileError ? error : fileError(target, "a folder that can be written", error);
    }
  }

  /** Appends a line to metrics.jsonl, and its numbers to TensorBoard's file. @throws {FileError} when it cannot be written. */
  async appendMetrics(line: MeasuredLine): Promise<void> {
    const path = join(this.path, METRICS_FILE);
    try {
      await appendFile(path, `${JSON.stringify(line)}\n`);
    } catch (error) {
      throw fileError(path, "a file that can be written", error);
    }
    await this.#events.append(line);
  }

  /** Removes the measurements after a step, and a line that a killed process left unfinished. */
  async cutMetrics(step: number): Promise<void> {
    const kept = (await readMetrics(this.path)).filter((line) => line.step <= step);
    await this.write(METRICS_FILE, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await cutEvents(this.path, step);
  }

  /** Writes a further file of the run, whole or not at all; gives its path. */
  async write(name: string, content: string | Uint8Array[]): Promise<string> {
    const path = join(this.path, name);
    await writeFileAtomic(path, content);
    return path;
  }

  async #writeSmallFiles(folder: string): Promise<void> {
    await writeTexts(folder, this.#files);
  }

  /** Makes a checkpoint's model the one at the top: the weights by one rename, linked where the disk can. */
  async #promote(checkpoint: string): Promise<void> {
    await this.#writeSmallFiles(this.path);
    const temporary = join(this.path, `.${MODEL_FILE}.zhbert-tmp`);
    const source = join(checkpoint, MODEL_FILE);
    try {
      await rm(temporary, { force: true });
      await link(source, temporary).catch(() => copyFile(source, temporary));
      await rename(temporary, join(this.path, MODEL_FILE));
      // Renaming a link to one of the same file does nothing and leaves both.
      await rm(temporary, { force: true });
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw fileError(join(this.path, MODEL_FILE), "a file that can be written", error);
    }
  }

  async #keepLast(limit: number): Promise<void> {
    const steps = await checkpointSteps(this.path);
    for (const step of limit > 0 ? steps.slice(0, -limit) : [])
      await removeFolder(join(this.path, `checkpoint-${step}`));
  }
}

/** The command that goes on with the run in a folder. */
async function resumeCommand(path: string): Promise<string> {
  const isFineTuning = await exists(join(path, TASK_FILE));
  return isFineTuning ? `zhbert finetune --resume ${path}` : `zhbert pretrain ${path} --resume`;
}

/** A checkpoint read back; the weights and moments are this caller's own memory. */
export async function readCheckpoint(path: string): Promise<CheckpointContent> {
  const read = async (name: string) => readSafetensors(await readBytes(join(path, name)), join(path, name));
  const state = await readTrainerState(path);
  if (basename(path) !== `checkpoint-${state.step}`) {
    throw new CheckpointError({
      where: path,
      expected: `the folder of step ${state.step}, as ${STATE_FILE} says`,
      got: verbatim(basename(path)),
      hint: "Rename the folder back.",
    });
  }
  const average = (await exists(join(path, AVERAGE_FILE))) ? { average: await read(AVERAGE_FILE) } : {};
  return { weights: await read(MODEL_FILE), moments: await read(MOMENTS_FILE), ...average, state };
}

/** The state within a checkpoint's folder. */
export async function readTrainerState(path: string): Promise<TrainerState> {
  return parseTrainerState(await readText(join(path, STATE_FILE)), join(path, STATE_FILE));
}

/** A line of metrics.jsonl. */
export type MetricsLine = Readonly<Record<string, unknown>> & { readonly step: number };

/** The lines of a run's metrics.jsonl; unfinished ones are left out. No file gives no lines. */
export async function readMetrics(path: string): Promise<MetricsLine[]> {
  const file = join(path, METRICS_FILE);
  if (!(await exists(file))) return [];
  return (await readText(file)).split("\n").flatMap((text) => {
    try {
      const line = JSON.parse(text);
      return typeof line?.step === "number" ? [line] : [];
    } catch {
      return [];
    }
  });
}

/** The steps of a folder's whole checkpoints, ascending; none for a folder that is not there. */
export async function checkpointSteps(path: string): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(path, "a folder that can be read", error);
  }
  const steps = names.flatMap((name) => CHECKPOINT.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => a - b);
}

/** Puts a whole `best/` in its place that a killed process had not come to rename. */
async function completeBest(path: string): Promise<void> {
  const [best, temporary] = [join(path, BEST_FOLDER), join(path, `.${BEST_FOLDER}.zhbert-tmp`)];
  // The file that is written last.
  if ((await exists(best)) || !(await exists(join(temporary, BEST_FILE)))) return;
  try {
    await rename(temporary, best);
  } catch (error) {
    throw fileError(best, "a folder that can be written", error);
  }
}

/** Makes the folder, and keeps other runs out of it. */
async function lockRun(path: string): Promise<() => Promise<void>> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw fileError(path, "a folder that can be written", error);
  }
  return lockFolder(path);
}

/** Renames first, so that a folder removed in part does not look whole. */
async function removeFolder(path: string): Promise<void> {
  if (!(await exists(path))) return;
  const doomed = join(dirname(path), `.removed-${basename(path)}.zhbert-tmp`);
  await rm(doomed, { recursive: true, force: true });
  await rename(path, doomed);
  await rm(doomed, { recursive: true, force: true });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
