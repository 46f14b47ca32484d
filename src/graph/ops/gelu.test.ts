import { expect, test } from "vitest";
import {
  checkOperator,
  evaluate,
  evaluatePortable,
  expectClose,
  numbers,
  randomTensor,
} from "../../../test/graph-checks.ts";
import { hostTensor } from "../../util/tensor.ts";
import { input } from "../graph.ts";
import { gelu, geluTanh } from "./gelu.ts";

/** The normal distribution's cumulative probability by Simpson's rule over its density. */
function cdf(x: number): number {
  const steps = 2000;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density((x * i) / steps);
  return 0.5 + (sum * x) / (3 * steps);
}

function tanhForm(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

test("gelu", async () => {
  const x = randomTensor(1, [3, 4]);
  await checkOperator({ build: gelu, inputs: [x], shape: [3, 4], expected: Array.from(x.data, (v) => v * cdf(v)) });
});

test("geluTanh", async () => {
  const x = randomTensor(2, [3, 4]);
  await checkOperator({ build: geluTanh, inputs: [x], shape: [3, 4], expected: Array.from(x.data, tanhForm) });
});

test("the approximation is within 1e-3 of the exact form", async () => {
  const x = hostTensor(
    "float32",
    [121],
    Float32Array.from({ length: 121 }, (_, i) => (i - 60) / 10),
  );
  const symbol = input("x", "float32", [121]);
  const { exact, near } = await evaluate({ exact: gelu(symbol), near: geluTanh(symbol) }, { x });
  const differences = numbers(exact).map((value, i) => Math.abs(value - (numbers(near)[i] as number)));
  expect(Math.max(...differences)).toBeLessThan(1e-3);
  expect(Math.max(...differences)).toBeGreaterThan(1e-5);
});

test.each([
  ["gelu", gelu, (v: number) => v * cdf(v)],
  ["geluTanh", geluTanh, tanhForm],
] as const)("%s from ONNX's own operators has the same values", async (_, apply, plain) => {
  const x = randomTensor(3, [4]);
  const { y } = await evaluatePortable({ y: apply(input("x", "float32", [4])) }, { x });
  expectClose(y as number[], Array.from(x.data, plain), 1e-5);
});
