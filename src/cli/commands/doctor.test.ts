import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "zhbert-doctor-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

test("zhbert doctor --json measures, and says which engine is taken for what", { timeout: 180_000 }, async () => {
  const [report] = parseLines(await runCommand(["doctor", "--json"]));
  const [onnx] = report.engines;
  expect(report.engines.map(({ runtime }: { runtime: string }) => runtime)).toEqual([
    "onnxruntime",
    "openvino",
    "webgpu",
  ]);
  expect(onnx).toMatchObject({ isReady: true, version: expect.stringMatching(/^\d+\.\d+/), problems: [] });
  for (const { isReady, hint, path } of report.engines) expect(isReady ? typeof path : typeof hint).toBe("string");
  expect(report.peaks[0]).toMatchObject({
    runtime: "onnxruntime",
    precision: "f32",
    flopsPerSecond: expect.any(Number),
  });
  const int8 = report.peaks.find(
    ({ runtime, precision }: { runtime: string; precision: string }) =>
      runtime === "onnxruntime" && precision === "int8",
  );
  expect(int8.flopsPerSecond).toBeGreaterThan(0);
  expect(report.bandwidth.bytesPerSecond).toBeGreaterThan(0);
  expect(report.choices.map(({ mode, sizes }: { mode: string; sizes: string[] }) => [mode, ...sizes])).toEqual([
    ["inference", "rbt3", "base"],
    ["training", "rbt3", "base"],
  ]);
  for (const { f32, comparison } of report.choices) {
    expect(f32).toMatchObject({ precision: "f32", milliseconds: expect.any(Number) });
    expect(comparison.times.length).toBeGreaterThan(0);
  }
  expect(report.jieba).toEqual({ version: expect.stringMatching(/^\d/) });
  // What was measured is there for the commands.
  expect(report.caches.measurements).toBe(join(cache, "zhbert"));
  expect((await readdir(join(cache, "zhbert"))).some((name) => name.startsWith("peak-"))).toBe(true);
});
