/** Shares of training's time and of the machine's peak, from what programs do and the rate of the log. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { CompiledStep } from "../train/training-step.ts";
import { EngineWatch } from "./engine-watch.ts";

async function compile(_shape: object, _mode: string): Promise<CompiledStep> {
  const run = async () => {
    await setTimeout(5);
    return {};
  };
  return { executable: { run, dispose: async () => undefined }, dropoutSites: [], flops: 2e6 };
}

test("the time is that of the rate; only programs that train count, and each line begins anew", async () => {
  const watch = new EngineWatch(1e9);
  const timed = watch.timed(compile);
  const [training, evaluating] = [await timed({}, "train"), await timed({}, "evaluate")];
  for (let i = 0; i < 4; i++) await training.executable.run({});
  for (let i = 0; i < 4; i++) await evaluating.executable.run({});
  // 8e6 operations at 0.008 GFLOP/s: one second, of which at least 20 ms were the engine's.
  const { engineShare, peakShare } = watch.take(0.008);
  expect(peakShare).toBeCloseTo(0.008, 12);
  expect(engineShare).toBeGreaterThan(0.018);
  expect(engineShare).toBeLessThanOrEqual(1);
  expect(watch.take(0.008)).toEqual({});
});

test("without a peak there is no share of it, and without a rate none at all", async () => {
  const watch = new EngineWatch(undefined);
  const { executable } = await watch.timed(compile)({}, "train");
  await executable.run({});
  expect(Object.keys(watch.take(1))).toEqual(["engineShare"]);
  await executable.run({});
  expect(watch.take(0)).toEqual({});
});

test("a rate above the measured peak becomes the peak", async () => {
  const watch = new EngineWatch(1e9);
  const { executable } = await watch.timed(compile)({}, "train");
  await executable.run({});
  expect(watch.take(2).peakShare).toBe(1);
  await executable.run({});
  expect(watch.take(1).peakShare).toBe(0.5);
});
