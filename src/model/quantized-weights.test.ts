/** Integers with scales as files have them: read as floats, or as integers for graphs, and refused where they cannot be. */
import { describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { ConfigError } from "../errors.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { dequantized, matchInferenceWeights } from "./quantized-weights.ts";

const LAYER = "bert.pooler.dense";
const shapes = new Map([
  [`${LAYER}.weight`, [2, 3]],
  [`${LAYER}.bias`, [2]],
]);
const float = (shape: readonly number[], ...values: number[]) =>
  hostTensor("float32", shape, Float32Array.from(values));
const STATIC = { activations: "static", ignore: [] } as const;

function tensors(changes: Readonly<Record<string, HostTensor | undefined>> = {}): NamedTensors {
  const all: Record<string, HostTensor | undefined> = {
    [`${LAYER}.weight`]: hostTensor("int8", [2, 3], Int8Array.of(1, 2, 3, -4, 5, -127)),
    [`${LAYER}.weight_scale`]: float([2, 1], 0.5, 0.25),
    [`${LAYER}.bias`]: float([2], 3, -1),
    [`${LAYER}.input_scale`]: float([1], 0.125),
    [`${LAYER}.input_zero_point`]: hostTensor("int8", [1], Int8Array.of(-28)),
    ...changes,
  };
  return new Map(Object.entries(all).flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor]])));
}

const match = (changes: Readonly<Record<string, HostTensor | undefined>> = {}, quantization = STATIC as never) =>
  matchInferenceWeights(lazyTensors(tensors(changes)), shapes, "w", quantization);

test("floats by the weight's own name; integers, scale and an integer bias beside it", () => {
  const { weights, report, quantized } = match();
  const read = (name: string) => Array.from(weights.get(name)?.read().data as Float32Array, Number);
  expect(read(`${LAYER}.weight`)).toEqual([0.5, 1, 1.5, -1, 1.25, -31.75]);
  expect(read(`${LAYER}.weight_quantized`)).toEqual([1, 2, 3, -4, 5, -127]);
  expect(weights.get(`${LAYER}.weight_scale`)?.shape).toEqual([2]);
  expect(read(`${LAYER}.bias_quantized`)).toEqual([3 / (0.125 * 0.5), -1 / (0.125 * 0.25)]);
  expect(quantized?.inputs.get(LAYER)).toEqual({ scale: 0.125, zeroPoint: 100 });
  expect(report).toMatchObject({ loaded: [`${LAYER}.weight`, `${LAYER}.bias`], missing: [], unexpected: [] });
});

test("scales of half precision", () => {
  const half = hostTensor("float16", [2, 1], Uint16Array.of(0x3800, 0x3400));
  const { weights } = match({ [`${LAYER}.weight_scale`]: half });
  expect(Array.from(weights.get(`${LAYER}.weight_scale`)?.read().data as Float32Array)).toEqual([0.5, 0.25]);
});

test("a layer that config.json leaves out computes in float; with dynamic inputs no scale is needed", () => {
  expect(match({}, { activations: "static", ignore: [LAYER] } as never).quantized?.inputs.size).toBe(0);
  const none = { [`${LAYER}.input_scale`]: undefined, [`${LAYER}.input_zero_point`]: undefined };
  expect(match(none, { activations: "dynamic", ignore: [] } as never).quantized?.inputs.get(LAYER)).toBe("dynamic");
});

test("without a config that says so, integers are refused", () => {
  const plain = () => matchInferenceWeights(lazyTensors(tensors()), shapes, "w", undefined);
  expect(plain).toThrow(/w: bert.pooler.dense.weight: expected a weight of float32/);
});

describe("refused", () => {
  const wrong: [string, Readonly<Record<string, HostTensor | undefined>>, RegExp][] = [
    [
      "no scale",
      { [`${LAYER}.weight_scale`]: undefined },
      /weight_scale: expected a scale for each of the 2 rows.*nothing/,
    ],
    [
      "a scale for another number of rows",
      { [`${LAYER}.weight_scale`]: float([3, 1], 1, 1, 1) },
      /got float32\[3, 1\]/,
    ],
    ["scales by column", { [`${LAYER}.weight_scale`]: float([1, 2], 1, 1) }, /got float32\[1, 2\]/],
    [
      "no scale of the input",
      { [`${LAYER}.input_scale`]: undefined },
      /input_scale: expected a positive number.*nothing/,
    ],
    ["a scale of 0", { [`${LAYER}.input_scale`]: float([1], 0) }, /expected a positive number, float32\[1\], got 0/],
    ["a scale that is no number", { [`${LAYER}.input_scale`]: float([1], Number.NaN) }, /got NaN/],
    [
      "a zero point of another dtype",
      { [`${LAYER}.input_zero_point`]: hostTensor("int32", [1], Int32Array.of(5)) },
      /input_zero_point: expected int8\[1\], got int32\[1\]/,
    ],
  ];
  test.each(wrong)("%s", (_, changes, message) => {
    expect(() => match(changes)).toThrow(ConfigError);
    expect(() => match(changes)).toThrow(message);
  });
});

test("files without integers are as they were", () => {
  const plain = lazyTensors(new Map([["a.weight", float([1, 1], 2)]]));
  expect([...dequantized(plain, "w")]).toEqual([...plain]);
});
