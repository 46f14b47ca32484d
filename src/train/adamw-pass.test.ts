/** The program in vectors against the formula in float64. (Against PyTorch: adamw.test.ts.) */
import { expect, test } from "vitest";
import { Random } from "../util/random.ts";
import { type AdamWFactors, type Moments, updateByAdamW } from "./adamw-pass.ts";
import { BLOCK_LENGTH } from "./adamw-program.ts";

const usual: AdamWFactors = { beta1: 0.9, beta2: 0.999, scale: 0.5, rate: 1e-3, epsilon: 1e-8, decay: 1e-5 };

function momentsOf(length: number, gradientSize = 1): Moments {
  const random = new Random(7);
  const draw = (size: number) => Float32Array.from({ length }, () => size * (random.uniform() - 0.5));
  return [draw(1), draw(gradientSize), draw(0.1), draw(0.01).map(Math.abs)];
}

/** Weight, first and second moment of an element after the step, in float64. */
function stepOf([w, g, m, v]: Moments, i: number, factors: AdamWFactors): readonly [number, number, number] {
  const { beta1, beta2, scale, rate, epsilon, decay } = factors;
  const [weight, slope] = [w[i] as number, scale * (g[i] as number)];
  const mean = beta1 * (m[i] as number) + (1 - beta1) * slope;
  const square = beta2 * (v[i] as number) + (1 - beta2) * slope * slope;
  return [weight - (rate * mean) / (Math.sqrt(square) + epsilon) - decay * weight, mean, square];
}

test.each([1, 3, 4, 17, BLOCK_LENGTH, BLOCK_LENGTH + 1, 2 * BLOCK_LENGTH + 5])(
  "%i elements get their steps, and no memory behind them is touched",
  (length) => {
    const arrays = momentsOf(length);
    const expected = Array.from(arrays[0], (_, i) => stepOf(arrays, i, usual));
    const gradient = arrays[1].slice();
    // Each array lies inside of a larger one.
    const wide = arrays.map((array) => {
      const all = new Float32Array(length + 8).fill(5);
      all.set(array, 4);
      return all;
    });
    updateByAdamW(wide.map((all) => all.subarray(4, 4 + length)) as unknown as Moments, usual);
    for (const all of wide) {
      expect([...all.subarray(0, 4), ...all.subarray(4 + length)]).toEqual(new Array(8).fill(5));
    }
    expect(wide[1]?.subarray(4, 4 + length)).toEqual(gradient);
    for (const [at, place] of [0, 2, 3].entries()) {
      const worst = expected.reduce(
        (most, values, i) => Math.max(most, Math.abs((wide[place]?.[4 + i] as number) - (values[at] as number))),
        0,
      );
      expect(worst).toBeLessThan(2e-7);
    }
  },
);

test("gradients that clipping scales far down overflow nowhere", () => {
  const arrays = momentsOf(8, 1e30);
  const factors = { ...usual, scale: 1e-30 };
  const expected = Array.from(arrays[0], (_, i) => stepOf(arrays, i, factors));
  updateByAdamW(arrays, factors);
  expected.forEach(([weight], i) => void expect(arrays[0][i]).toBeCloseTo(weight, 6));
});

test("moments that nothing feeds end at 0, not at the smallest numbers that there are", () => {
  const arrays: Moments = [
    Float32Array.of(0.5, 0.5, 0.5, 0.5),
    new Float32Array(4),
    Float32Array.of(1e-38, -1e-44, 1, 0),
    Float32Array.of(1e-38, 1e-44, 1, 0),
  ];
  updateByAdamW(arrays, usual);
  expect([...arrays[2]].map((value) => value === 0)).toEqual([true, true, false, true]);
  expect([...arrays[3]].map((value) => value === 0)).toEqual([true, true, false, true]);
});

test("what is no number stays none", () => {
  const arrays = momentsOf(5);
  arrays[1][2] = Number.NaN;
  updateByAdamW(arrays, usual);
  expect([...arrays[0]].map(Number.isNaN)).toEqual([false, false, true, false, false]);
});
