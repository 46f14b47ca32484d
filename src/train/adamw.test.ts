/** Four updates against numbers of PyTorch 2.13 (torch.optim.AdamW, clip_grad_norm_) and of BERT's rule in float64. */
import { describe, expect, test } from "vitest";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { AdamW, type AdamWName } from "./adamw.ts";
import { accumulate, type ClipRule, clipScale, type Gradients, globalNorm } from "./clipping.ts";
import { hasWeightDecay } from "./optimizer.ts";

const gradients: Gradients[] = [
  [
    [0.3, -0.1, 0.02],
    [1, -2],
  ],
  [
    [-0.2, 0.4, 0],
    [0.5, 0.25],
  ],
  [
    [0.05, 0.1, -0.6],
    [-1.5, 0.125],
  ],
  [
    [0.7, -0.3, 0.2],
    [0, 3],
  ],
].map(
  ([w, b]) =>
    new Map([
      ["x.weight", Float32Array.from(w!)],
      ["x.bias", Float32Array.from(b!)],
    ]),
);

function weights(): NamedTensors {
  return new Map<string, HostTensor>([
    ["x.weight", hostTensor("float32", [3], Float32Array.of(0.5, -1, 2))],
    ["x.bias", hostTensor("float32", [2], Float32Array.of(0.1, -0.2))],
  ]);
}

async function train(optimizer: AdamW, rule: ClipRule, steps = gradients) {
  const norms: number[] = [];
  for (const step of steps) {
    const norm = await globalNorm(step);
    await optimizer.update(step, 0.01, clipScale(norm, 1, rule));
    norms.push(norm);
  }
  return norms;
}

function expectClose(got: ArrayLike<number>, expected: number[]) {
  expect(got.length).toBe(expected.length);
  expected.forEach((value, i) => void expect(Math.abs(got[i]! - value)).toBeLessThan(3e-7));
}

test("PyTorch's AdamW with its clipping", async () => {
  const model = weights();
  const norms = await train(new AdamW(model, { name: "adamw" }), "pytorch");
  expectClose(norms, [2.2584065178793655, 0.7158910531638177, 1.6242305870780787, 3.1016124838541645]);
  expectClose(
    model.get("x.weight")!.data as Float32Array,
    [0.4900879050770614, -1.0057962450732534, 1.992819313690969],
  );
  expectClose(model.get("x.bias")!.data as Float32Array, [0.08115816604944212, -0.18527868770008618]);
});

test("BERT's AdamWeightDecay with TensorFlow's clipping", async () => {
  const model = weights();
  await train(new AdamW(model), "google");
  expectClose(
    model.get("x.weight")!.data as Float32Array,
    [0.4662320771517578, -1.0452088979800096, 1.9923827723011207],
  );
  expectClose(model.get("x.bias")!.data as Float32Array, [0.03188706643334249, -0.149376422598733]);
});

test.each<AdamWName>(["adamw-bert", "adamw"])("%s goes on bit for bit from its stored state", async (name) => {
  const straight = weights();
  await train(new AdamW(straight, { name }), "google");
  const stopped = weights();
  const first = new AdamW(stopped, { name });
  await train(first, "google", gradients.slice(0, 2));
  const second = new AdamW(stopped, { name });
  second.restore(new Map([...first.state()].map(([key, tensor]) => [key, structuredClone(tensor)])), first.updates);
  await train(second, "google", gradients.slice(2));
  for (const [key, tensor] of straight) expect(stopped.get(key)!.data).toEqual(tensor.data);
});

test("a state that does not fit is refused by name", () => {
  const optimizer = new AdamW(weights());
  const state = new Map(optimizer.state());
  state.set("second.x.bias", hostTensor("float32", [3], new Float32Array(3)));
  expect(() => optimizer.restore(state, 1, "checkpoint-1")).toThrow(
    "checkpoint-1: second.x.bias: expected float32[2], got float32[3]",
  );
  state.delete("second.x.bias");
  expect(() => optimizer.restore(state, 1)).toThrow("got nothing");
});

test("weights of another dtype are refused", () => {
  const half = new Map<string, HostTensor>([["w", hostTensor("float16", [2], new Uint16Array(2))]]);
  expect(() => new AdamW(half)).toThrow("optimizer: w: expected a float32 weight, got float16[2]");
});

test("biases and LayerNorm do not decay", () => {
  expect(hasWeightDecay("bert.encoder.layer.0.output.dense.weight")).toBe(true);
  expect(hasWeightDecay("bert.encoder.layer.0.output.dense.bias")).toBe(false);
  expect(hasWeightDecay("bert.encoder.layer.0.output.LayerNorm.weight")).toBe(false);
});

describe("clipping", () => {
  test("below the limit nothing is scaled, above it both rules differ by their epsilon", () => {
    expect(clipScale(0.5, 1, "google")).toBe(1);
    expect(clipScale(0.5, 1, "pytorch")).toBe(1);
    expect(clipScale(4, 1, "google")).toBe(0.25);
    expect(clipScale(4, 1, "pytorch")).toBe(1 / 4.000001);
    expect(clipScale(4, Number.POSITIVE_INFINITY, "google")).toBe(1);
  });

  test("a gradient that is not a number shows in the norm", async () => {
    expect(await globalNorm(new Map([["w", Float32Array.of(1, 2, 3, 4, Number.NaN)]]))).toBeNaN();
    expect(await globalNorm(new Map([["w", Float32Array.of(3e38, 3e38)]]))).toBeCloseTo(Math.SQRT2 * 3e38, -33);
  });

  test("accumulated micro-batches give the gradient of the whole", async () => {
    const sums = new Map([["w", Float32Array.of(1, 2)]]);
    await accumulate(sums, new Map([["w", Float32Array.of(0.5, -2)]]));
    expect([...sums.get("w")!]).toEqual([1.5, 0]);
  });
});
