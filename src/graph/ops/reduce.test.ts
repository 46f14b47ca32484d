/** Mean, maximum, the position of the maximum, and the sum of exponentials. */
import { describe, expect, test } from "vitest";
import {
  at,
  checkOperator,
  evaluate,
  expectShapeError,
  numbers,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { GraphError } from "../../errors.ts";
import { hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { input, type Tensor } from "../graph.ts";
import { reduceSum } from "./broadcast.ts";
import { logSumExp, reduceMax, reduceMean } from "./reduce.ts";

const x = randomTensor(1, [2, 3, 4]);

describe("reduceMean", () => {
  test.each([
    [false, [2, 4]],
    [true, [2, 1, 4]],
  ])("keepDims %s", async (keepDims, shape) => {
    const expected = tabulate([2, 4], (i, k) => (at(x, i, 0, k) + at(x, i, 1, k) + at(x, i, 2, k)) / 3);
    const build = (a?: Tensor) => reduceMean(a as Tensor, [-2], keepDims);
    await checkOperator({ build, inputs: [x], shape, expected });
  });

  test("every axis when none is named; a scalar is itself", async () => {
    const expected = [x.data.reduce((sum, value) => sum + value, 0) / 24];
    await checkOperator({ build: (a) => reduceMean(a as Tensor), inputs: [x], shape: [], expected });
    const scalar = randomTensor(2, []);
    await checkOperator({ build: (a) => reduceMean(a as Tensor), inputs: [scalar], shape: [], expected: [at(scalar)] });
  });

  test("its gradient needs the size of the axis", () => {
    const symbol = input("x", "float32", ["batch", 3]);
    expect(reduceMean(symbol, [0]).shape).toEqual([3]);
    expect(() => gradients(reduceMean(symbol), [symbol])).toThrow(GraphError);
    expect(() => gradients(reduceMean(symbol), [symbol])).toThrow(/reduceMean.*batch/);
  });
});

describe("reduceMax", () => {
  test.each([
    [false, [2, 4]],
    [true, [2, 1, 4]],
  ])("keepDims %s", async (keepDims, shape) => {
    const expected = tabulate([2, 4], (i, k) => Math.max(at(x, i, 0, k), at(x, i, 1, k), at(x, i, 2, k)));
    const build = (a?: Tensor) => reduceMax(a as Tensor, [1], keepDims);
    await checkOperator({ build, inputs: [x], shape, expected });
  });

  test("over no axes it is the tensor itself", async () => {
    const build = (a?: Tensor) => reduceMax(a as Tensor, []);
    await checkOperator({ build, inputs: [x], shape: [2, 3, 4], expected: Array.from(x.data) });
  });

  test("equal maxima each get the whole gradient", async () => {
    const symbol = input("x", "float32", [3]);
    const [grad] = gradients(reduceSum(reduceMax(symbol, [0])), [symbol]);
    const results = await evaluate(
      { grad: grad as Tensor },
      { x: hostTensor("float32", [3], Float32Array.of(5, 1, 5)) },
    );
    expect(numbers(results["grad"])).toEqual([1, 0, 1]);
  });
});

describe("logSumExp", () => {
  test.each([
    [false, [2, 3]],
    [true, [2, 3, 1]],
  ])("keepDims %s", async (keepDims, shape) => {
    const expected = tabulate([2, 3], (i, j) =>
      Math.log([0, 1, 2, 3].reduce((sum, k) => sum + Math.exp(at(x, i, j, k)), 0)),
    );
    const build = (a?: Tensor) => logSumExp(a as Tensor, [-1], keepDims);
    await checkOperator({ build, inputs: [x], shape, expected });
  });

  test("neither large nor small values overflow", async () => {
    const symbol = input("x", "float32", [2, 3]);
    const host = hostTensor("float32", [2, 3], Float32Array.of(1000, 1000, -1e4, -1000, -1000, -1e4));
    const y = logSumExp(symbol, [1]);
    const [grad] = gradients(reduceSum(y), [symbol]);
    const results = await evaluate({ y, grad: grad as Tensor }, { x: host });
    expect(numbers(results["y"])[0]).toBeCloseTo(1000 + Math.LN2, 3);
    expect(numbers(results["y"])[1]).toBeCloseTo(-1000 + Math.LN2, 3);
    numbers(results["grad"]).forEach((value, i) => {
      expect(value).toBeCloseTo([0.5, 0.5, 0][i % 3] as number, 3);
    });
  });
});

test("axes outside of the rank are refused", () => {
  const symbol = input("x", "float32", [2, 3]);
  expectShapeError(() => reduceMean(symbol, [2]), "reduceMean", "rank 2", "got 2");
  expectShapeError(() => reduceMax(symbol, [-3]), "reduceMax", "rank 2", "got -3");
});
