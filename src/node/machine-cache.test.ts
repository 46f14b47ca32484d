import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { machineCacheFolder, recall, remember } from "./machine-cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zhbert-cache-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const rate = (key: object) => ({
  kind: "rate",
  key,
  isValid: (value: unknown): value is number => typeof value === "number" && value > 0,
  folder,
});

test("a result is found again under its own key alone", async () => {
  await remember(rate({ threads: 2 }), 7);
  expect(await recall(rate({ threads: 2 }))).toBe(7);
  expect(await recall(rate({ threads: 1 }))).toBeUndefined();
});

test("what is old, from the future, damaged or no result is measured anew", async () => {
  await remember(rate({}), 7);
  const path = join(folder, (await readdir(folder))[0] as string);
  const stored = JSON.parse(await readFile(path, "utf8"));
  const days = (count: number) => new Date(Date.now() - count * 24 * 3600 * 1000).toISOString();
  for (const wrong of [
    { measured: days(8) },
    { measured: days(-1) },
    { measured: "?" },
    { value: -1 },
    { value: "7" },
  ]) {
    await writeFile(path, JSON.stringify({ ...stored, ...wrong }));
    expect(await recall(rate({}))).toBeUndefined();
  }
  await writeFile(path, JSON.stringify({ ...stored, measured: days(6) }));
  expect(await recall(rate({}))).toBe(7);
  await writeFile(path, "{");
  expect(await recall(rate({}))).toBeUndefined();
});

test("a folder that cannot be written costs the next measurement only", async () => {
  await writeFile(join(folder, "file"), "");
  await remember({ ...rate({}), folder: join(folder, "file") }, 7);
  expect(await recall({ ...rate({}), folder: join(folder, "file") })).toBeUndefined();
});

test("XDG_CACHE_HOME says where the cache is", () => {
  vi.stubEnv("XDG_CACHE_HOME", folder);
  expect(machineCacheFolder()).toBe(join(folder, "zhbert"));
});
