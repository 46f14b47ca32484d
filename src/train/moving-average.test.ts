/** The average against that of PyTorch where its numbers are there, and by hand. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { AdamW } from "./adamw.ts";
import { MovingAverage } from "./moving-average.ts";

const one = (value: number): NamedTensors =>
  new Map<string, HostTensor>([["w", hostTensor("float32", [1], Float32Array.of(value))]]);
const read = (tensors: NamedTensors) => tensors.get("w")!.data[0];

test("the first update takes the weights, the next ones a share of them; a stored average goes on", async () => {
  const weights = one(8);
  const follower = new MovingAverage(weights, 0.75);
  await follower.update();
  expect(read(follower.average)).toBe(8);
  (weights.get("w")!.data as Float32Array)[0] = 4;
  await follower.update();
  expect(read(follower.average)).toBe(7);
  const resumed = new MovingAverage(weights, 0.75);
  resumed.restore(structuredClone(follower.average));
  await resumed.update();
  expect(read(resumed.average)).toBe(6.25);
});

test("a stored average that does not fit is refused", () => {
  const follower = new MovingAverage(one(1), 0.5);
  expect(() => follower.restore(undefined)).toThrow("moving average: w: expected float32[1], got nothing");
  const longer = new Map<string, HostTensor>([["w", hostTensor("float32", [2], new Float32Array(2))]]);
  expect(() => follower.restore(longer)).toThrow("expected float32[1], got float32[2]");
});

describeShared("reference/optim/averages.safetensors", "PyTorch's AveragedModel over AdamW", (path) => {
  const stored = readSafetensors(new Uint8Array(readFileSync(path)), path);
  const entry = (name: string, step: number) =>
    (stored.get(name)!.data as Float32Array).slice(step * 12, step * 12 + 12);

  test.each([0.9, 0.99])("decay %f", async (decay) => {
    const start = Float32Array.from(stored.get("in.start")!.data as Float32Array);
    const weights = new Map<string, HostTensor>([["w", hostTensor("float32", [3, 4], start)]]);
    const optimizer = new AdamW(weights, { name: "adamw" });
    const follower = new MovingAverage(weights, decay);
    for (let step = 0; step < 12; step++) {
      await optimizer.update(new Map([["w", entry("in.grads", step)]]), 1e-2);
      await follower.update();
      const expected = entry(`ema_${decay}.average`, step);
      expected.forEach((value, i) => void expect(follower.average.get("w")!.data[i]).toBeCloseTo(value, 6));
    }
  });
});
