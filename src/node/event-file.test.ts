/** Event files of runs that are stopped and go on: no step twice, nothing of others touched. */
import { appendFileSync, createReadStream, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecords } from "../data/tfrecord.ts";
import { FileError } from "../errors.ts";
import { stepOfEvent } from "../report/tensorboard.ts";
import { cutEvents, EventFile, removeEvents } from "./event-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-events-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const TIME = 1_700_000_000_000;
const line = (step: number) => ({ step, loss: 1 / step });
async function log(steps: readonly number[], now = TIME): Promise<void> {
  const file = new EventFile(folder, () => now);
  for (const step of steps) await file.append(line(step));
}
/** The steps of each file's records, version and start first. */
async function steps(): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for (const name of readdirSync(folder).sort()) {
    found[name] = [];
    for await (const data of readRecords(createReadStream(join(folder, name)), name))
      found[name].push(stepOfEvent(data));
  }
  return found;
}

test("a run that goes on has a file of its own, after the first even when the clock was set back", async () => {
  await log([1, 2, 3]);
  await cutEvents(folder, 2);
  await log([3, 4], TIME - 5000);
  expect(await steps()).toEqual({
    "events.out.tfevents.1700000000.zhbert": [0, 1, 1, 2],
    "events.out.tfevents.1700000001.zhbert": [0, 3, 3, 4],
  });
});

test("a record that was not finished is removed; a whole file is not written again", async () => {
  await log([1, 2]);
  const path = join(folder, "events.out.tfevents.1700000000.zhbert");
  const { ino } = statSync(path);
  await cutEvents(folder, 2);
  expect(statSync(path).ino).toBe(ino);
  appendFileSync(path, Buffer.alloc(5));
  await cutEvents(folder, 2);
  expect(await steps()).toEqual({ "events.out.tfevents.1700000000.zhbert": [0, 1, 1, 2] });
});

test("a new run removes its predecessor's files, and no other program's", async () => {
  writeFileSync(join(folder, "events.out.tfevents.1700000000.host.7.0"), "");
  await log([1]);
  await removeEvents(folder);
  expect(readdirSync(folder)).toEqual(["events.out.tfevents.1700000000.host.7.0"]);
});

test("a folder that is gone is an error with its name", async () => {
  rmSync(folder, { recursive: true });
  await expect(new EventFile(folder).append(line(1))).rejects.toThrow(FileError);
});
