/** Data made in parts, by machines that know nothing of each other: the bytes are those of one machine. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { smallDataOptions } from "../../test/small-data.ts";
import { ArgumentError, FileError, InterruptedError } from "../errors.ts";
import { Random } from "../util/random.ts";
import { type MakeDataOptions, makeData } from "./make-data.ts";

/** Documents of characters at random; some lines twice. */
function text(): string {
  const random = new Random(7);
  const lines = Array.from({ length: 500 }, (_, i) => {
    const length = 8 + random.integer(30);
    const line = Array.from({ length }, () => String.fromCodePoint(0x4e00 + random.integer(400))).join("");
    return `${line}。${i % 4 === 3 ? "\n" : ""}`;
  });
  return `${lines.map((line, i) => (i % 9 === 8 ? lines[i - 7] : line)).join("\n")}\n`;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-parts-"));
  writeFileSync(join(folder, "corpus.txt"), text());
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function make(output: string, options: Partial<MakeDataOptions> = {}) {
  return makeData({
    ...(await smallDataOptions(join(folder, "corpus.txt"), join(folder, output))),
    filters: { dropDuplicates: true },
    ...options,
  });
}

const filesOf = (name: string) =>
  Object.fromEntries(
    readdirSync(join(folder, name)).map((file) => [file, readFileSync(join(folder, name, file), "hex")]),
  );

/** Makes parts of n, each in a folder of its own, and copies their work into one. */
async function makeParts(into: string, indexes: readonly number[], options: Partial<MakeDataOptions> = {}) {
  const reports = [];
  for (const index of indexes) {
    const own = `${into}-machine-${index}`;
    reports.push(await make(own, { ...options, part: { index, count: 3 } }));
    expect(readdirSync(join(folder, own))).toEqual([`.zhbert-work-${index}-of-3`]);
    cpSync(join(folder, own), join(folder, into), { recursive: true });
  }
  return reports;
}

test("three parts in folders of their own give, together, the bytes of one run", async () => {
  const whole = await make("whole");
  const parts = await makeParts("merged", [1, 2, 3]);
  const sum = (name: "instances" | "documents" | "maskedTokens" | "corpusBytes" | "heldOutInstances") =>
    parts.reduce((total, report) => total + report[name], 0);
  for (const name of ["instances", "documents", "maskedTokens", "corpusBytes", "heldOutInstances"] as const) {
    expect(sum(name)).toBe(whole[name]);
    expect(parts.every((report) => report[name] > 0)).toBe(true);
  }
  expect(parts[1]?.partFolder).toBe(join(folder, "merged-machine-2", ".zhbert-work-2-of-3"));
  expect(await make("merged", { part: "merge" })).toEqual(whole);
  expect(filesOf("merged")).toEqual(filesOf("whole"));
  expect(whole.filtered.removedDuplicates).toBeGreaterThan(10);
});

test("without merge, what no part holds is made; parts may be fewer, and files have parts too", async () => {
  const options = { format: "jsonl", heldOut: 0, workers: 2 } as const;
  await make("whole.jsonl", options);
  for (const index of [1, 3]) await make("data.jsonl", { ...options, part: { index, count: 3 } });
  expect(existsSync(join(folder, "data.jsonl"))).toBe(false);
  await make("data.jsonl", options);
  expect(readFileSync(join(folder, "data.jsonl"))).toEqual(readFileSync(join(folder, "whole.jsonl")));
  expect(readdirSync(folder).filter((name) => name.includes("work"))).toEqual([]);
});

test("a merge names the blocks that no part holds, and removes nothing", async () => {
  await makeParts("merged", [1, 3]);
  const before = readdirSync(join(folder, "merged"));
  const error = await make("merged", { part: "merge" }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FileError);
  expect((error as FileError).message).toMatch(
    /expected parts beside it that hold all \d+ blocks .* none with block 1, 4, 7/,
  );
  expect(readdirSync(join(folder, "merged"))).toEqual(expect.arrayContaining(before));
  await makeParts("merged", [2]);
  await make("merged", { part: "merge" });
  await make("whole");
  expect(filesOf("merged")).toEqual(filesOf("whole"));
});

test("parts of other options are refused, and damaged runs count as missing", async () => {
  await makeParts("merged", [1, 2], { randomSeed: 4 });
  await expect(make("merged")).rejects.toThrow("got those of another (randomSeed: 4, not 3)");
  await makeParts("other", [1, 2, 3]);
  const runs = join(folder, "other", ".zhbert-work-2-of-3", "runs-000");
  for (const name of readdirSync(runs))
    writeFileSync(join(runs, name), readFileSync(join(runs, name)).fill(7, 300, 310));
  await expect(make("other", { part: "merge" })).rejects.toThrow("none with block 1, 4");
  await make("other");
  await make("whole");
  expect(filesOf("other")).toEqual(filesOf("whole"));
});

test("neither a finished part nor one that others made is lost by an interruption", async () => {
  await makeParts("merged", [1, 2, 3]);
  const stopped = { signal: AbortSignal.abort() };
  for (const options of [
    stopped,
    { ...stopped, part: "merge" } as const,
    { ...stopped, part: { index: 1, count: 3 } },
  ]) {
    await expect(make("merged", options)).rejects.toThrow(InterruptedError);
  }
  await make("merged", { part: "merge" });
  await make("whole");
  expect(filesOf("merged")).toEqual(filesOf("whole"));
});

test("more parts than blocks are empty parts", async () => {
  const report = await make("data", { part: { index: 900, count: 900 } });
  expect(report.instances).toBe(0);
});

test("what one machine must make has no parts", async () => {
  const one = { index: 1, count: 2 };
  const google = { googleCompatible: true, filters: {}, heldOut: 0, splitsSentences: false };
  await expect(make("data", { ...google, part: one })).rejects.toThrow("part: expected none with googleCompatible");
  await expect(make("data", { part: { index: 3, count: 2 } })).rejects.toThrow(ArgumentError);
  mkdirSync(join(folder, "data"));
  await expect(make("data", { part: "merge" })).rejects.toThrow(FileError);
});
