/**
 * TensorBoard's event files in a run's folder: one for each time that the run was started, beside metrics.jsonl.
 * Every record is handed to the system as it is made, so that a TensorBoard can follow.
 */
import { createReadStream } from "node:fs";
import { appendFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { frameRecord, readRecords } from "../data/tfrecord.ts";
import { DataError } from "../errors.ts";
import {
  type MeasuredLine,
  scalarsOf,
  scalarsRecord,
  sessionStartRecord,
  stepOfEvent,
  versionRecord,
} from "../report/tensorboard.ts";
import { fileError, writeFileAtomic } from "./files.ts";

/** Ours alone: what other programs write into the folder stays. TensorBoard reads files in the order of their names. */
const EVENT_FILE = /^events\.out\.tfevents\.(\d{10,})\.zhbert$/;

/** Writes the measurements of a run; the file appears with the first. */
export class EventFile {
  readonly #folder: string;
  readonly #now: () => number;
  #path: string | undefined;

  /** @param now - milliseconds since 1970. */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Appends the numbers of a line of metrics.jsonl. @throws {FileError} when the file cannot be written. */
  async append(line: MeasuredLine): Promise<void> {
    const wallTime = this.#now() / 1000;
    const records = this.#path === undefined ? [versionRecord(wallTime), sessionStartRecord(wallTime, line.step)] : [];
    this.#path ??= await this.#newPath();
    try {
      await appendFile(this.#path, Buffer.concat([...records, scalarsRecord(wallTime, line.step, scalarsOf(line))]));
    } catch (error) {
      throw fileError(this.#path, "a file that can be written", error);
    }
  }

  /** After all that are there, also when the clock was set back. */
  async #newPath(): Promise<string> {
    const last = (await eventFiles(this.#folder)).at(-1)?.seconds ?? 0;
    const seconds = Math.max(Math.floor(this.#now() / 1000), last + 1);
    return join(this.#folder, `events.out.tfevents.${String(seconds).padStart(10, "0")}.zhbert`);
  }
}

/** Removes what was measured after a step, and a record that a killed process left unfinished. */
export async function cutEvents(folder: string, step: number): Promise<void> {
  for (const { path } of await eventFiles(folder)) {
    const { kept, isWhole } = await recordsUpTo(path, step);
    if (!isWhole) await writeFileAtomic(path, kept);
  }
}

/** Removes the event files of an earlier run. */
export async function removeEvents(folder: string): Promise<void> {
  for (const { path } of await eventFiles(folder)) await rm(path, { force: true });
}

/** The records of a file up to a step, and whether these are all. */
async function recordsUpTo(path: string, step: number): Promise<{ kept: Uint8Array[]; isWhole: boolean }> {
  const kept: Uint8Array[] = [];
  let count = 0;
  try {
    for await (const data of readRecords(createReadStream(path), path)) {
      count++;
      if (stepOfEvent(data) <= step) kept.push(frameRecord(data));
    }
    return { kept, isWhole: kept.length === count };
  } catch (error) {
    // What follows damage cannot be told apart: it goes, the run's numbers are all in metrics.jsonl.
    if (error instanceof DataError) return { kept, isWhole: false };
    throw fileError(path, "a file that can be read", error);
  }
}

/** In the order in which they were begun. */
async function eventFiles(folder: string): Promise<{ path: string; seconds: number }[]> {
  const names = await readdir(folder).catch((error) => {
    throw fileError(folder, "a folder that can be read", error);
  });
  const files = names.flatMap((name) => {
    const seconds = EVENT_FILE.exec(name)?.[1];
    return seconds === undefined ? [] : [{ path: join(folder, name), seconds: Number(seconds) }];
  });
  return files.sort((a, b) => a.seconds - b.seconds);
}
