import { expect, test } from "vitest";
import { randomTensor } from "../../test/graph-checks.ts";
import { hostTensor } from "../util/tensor.ts";
import { quantizeRows, REDUCED_LEVEL } from "./quantize-rows.ts";

test("each row has the scale of its largest value, and no value is off by more than half a level", () => {
  const matrix = randomTensor(1, [5, 64]);
  for (let at = 64; at < 128; at++) matrix.data[at] = (matrix.data[at] as number) * 1000;
  const { values, scale } = quantizeRows(matrix);
  expect(scale.shape).toEqual([5, 1]);
  for (let row = 0; row < 5; row++) {
    const own = matrix.data.subarray(row * 64, (row + 1) * 64);
    const step = scale.data[row] as number;
    expect(step).toBeCloseTo(Math.max(...own.map(Math.abs)) / 127, 6);
    own.forEach((value, column) => {
      expect(Math.abs(value - step * (values.data[row * 64 + column] as number))).toBeLessThan(0.501 * step);
    });
  }
});

test("7 bits: no sum of two products with uint8 leaves 16 bits", () => {
  const { values } = quantizeRows(randomTensor(2, [3, 100]), { largest: REDUCED_LEVEL });
  const largest = Math.max(...values.data.map(Math.abs));
  expect(largest).toBe(63);
  expect(2 * 255 * largest).toBeLessThan(2 ** 15);
});

test("a row of zeros stays zeros, on a scale that can be divided by", () => {
  const { values, scale } = quantizeRows(hostTensor("float32", [1, 3], new Float32Array(3)));
  expect(Array.from(values.data)).toEqual([0, 0, 0]);
  expect(scale.data[0]).toBeGreaterThan(0);
});

test("no scale is below the least one asked for", () => {
  const matrix = hostTensor("float32", [2, 2], Float32Array.of(1e-9, -1e-9, 1, 1));
  const { scale } = quantizeRows(matrix, { leastScale: (row) => (row === 0 ? 0.5 : 0) });
  expect(Array.from(scale.data)).toEqual([0.5, Math.fround(1 / 127)]);
});
