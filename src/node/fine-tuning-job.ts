/** The folder of a fine-tuning: what it was asked for, so that it can go on; whether another one is there. */
import { readdir, rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { CheckpointError, FileError, verbatim } from "../errors.ts";
import type { TaskSettings } from "../tasks/task.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";
import type { FineTuningChoices } from "./fine-tuning-plan.ts";
import { RESULT_FILE, RunFolder } from "./run-folder.ts";
import type { TaskDataOptions } from "./task-data.ts";

/** What of a task's settings is chosen: `{ maxSeqLength: 256 }`. */
export type TaskSettingChoices = Partial<Omit<TaskSettings, "task">> & Readonly<Record<string, unknown>>;

/** The content of fine-tuning.json: what a resumed fine-tuning begins with. */
export interface Job {
  readonly model: string;
  readonly data: TaskDataOptions;
  readonly task: TaskSettingChoices;
  readonly choices: FineTuningChoices;
  readonly runs: number;
  /** The engine by name, its precision and threads. */
  readonly runtime: string;
  readonly precision: string;
  readonly threads: number;
}

/** The name of the file that says what a fine-tuning was asked for. */
const JOB_FILE = "fine-tuning.json";

/** Begins the folder of a fine-tuning. @param overwrite - removes the runs of another one. */
export async function writeJob(output: string, job: Job, overwrite: boolean): Promise<void> {
  await makeFolder(output).catch((error) => {
    throw fileError(output, "a folder that can be written", error);
  });
  if (overwrite) await removeRuns(output);
  await writeFileAtomic(join(output, JOB_FILE), `${JSON.stringify(await movable(job, output), undefined, 2)}\n`);
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

/** Refuses a folder that holds a model or runs already. @throws {FileError} */
export async function expectFree(output: string, overwrite: boolean): Promise<void> {
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

/**
 * What a fine-tuning was asked for.
 * @throws {CheckpointError} when the folder is none of a fine-tuning.
 */
export async function readJob(output: string): Promise<Job> {
  const path = join(output, JOB_FILE);
  try {
    // Folders of earlier versions say nothing of the engine, since there was one.
    const engine = { runtime: "onnxruntime", precision: "f32" };
    const job: Job = { ...engine, ...JSON.parse(await readText(path)) };
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
