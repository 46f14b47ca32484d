/** Summation and broadcasting, each the other's gradient. */
import { describe, expect, test } from "vitest";
import { at, checkOperator, expectShapeError, randomTensor, tabulate } from "../../../test/graph-checks.ts";
import { input, type Tensor } from "../graph.ts";
import { beforeBroadcast, broadcastTo, reduceSum, unbroadcast } from "./broadcast.ts";
import { constantValue, full } from "./constant.ts";

describe("reduceSum", () => {
  const x = randomTensor(1, [2, 3, 4]);
  /** The sum over one axis, by its position. */
  const overMiddle = tabulate([2, 4], (i, k) => at(x, i, 0, k) + at(x, i, 1, k) + at(x, i, 2, k));

  test.each([
    [[1], false, [2, 4]],
    [[-2], false, [2, 4]],
    [[1], true, [2, 1, 4]],
  ])("axes %j, keepDims %s", async (axes, keepDims, shape) => {
    const build = (a?: Tensor) => reduceSum(a as Tensor, axes, keepDims);
    await checkOperator({ build, inputs: [x], shape, expected: overMiddle });
  });

  test("several axes, in any order", async () => {
    const expected = tabulate([3], (j) => {
      let sum = 0;
      for (let i = 0; i < 2; i++) for (let k = 0; k < 4; k++) sum += at(x, i, j, k);
      return sum;
    });
    await checkOperator({ build: (a) => reduceSum(a as Tensor, [-1, 0]), inputs: [x], shape: [3], expected });
  });

  test("every axis when none is named; a scalar is itself", async () => {
    const expected = [x.data.reduce((sum, value) => sum + value, 0)];
    await checkOperator({ build: (a) => reduceSum(a as Tensor), inputs: [x], shape: [], expected });
    const scalar = input("s", "float32", []);
    expect(reduceSum(scalar)).toBe(scalar);
  });

  test("axes outside of the rank, and an axis twice, are refused", () => {
    const symbol = input("x", "float32", [2, 3, 4]);
    expectShapeError(() => reduceSum(symbol, [3]), "reduceSum", "rank 3", "got 3");
    expectShapeError(() => reduceSum(symbol, [-4]), "reduceSum", "rank 3", "got -4");
    expectShapeError(() => reduceSum(symbol, [0.5]), "reduceSum", "rank 3", "got 0.5");
    expectShapeError(() => reduceSum(symbol, [1, -2]), "reduceSum", "[1, -2]");
  });
});

describe("broadcastTo", () => {
  test.each([
    [[3], [2, 3]],
    [
      [2, 1],
      [2, 3],
    ],
    [[], [2, 3]],
    [
      [1, 3, 1],
      [2, 3, 2],
    ],
  ])("%j to %j", async (from, shape) => {
    const x = randomTensor(2, from);
    const expected = tabulate(shape, (...index) => at(x, ...index));
    await checkOperator({ build: (a) => broadcastTo(a as Tensor, shape), inputs: [x], shape, expected });
  });

  test("what does not broadcast is refused", () => {
    const x = input("x", "float32", [2, 3]);
    expectShapeError(() => broadcastTo(x, [2, 4]), "broadcastTo", "axis 1", "[2, 3]", "[2, 4]");
    expectShapeError(() => broadcastTo(x, [3]), "broadcastTo", "[3]", "float32[2, 3]");
    expectShapeError(() => broadcastTo(x, [2, 1]), "broadcastTo", "[2, 1]", "float32[2, 3]");
  });

  test("constants and equal shapes need no node", () => {
    const x = input("x", "float32", [2, 3]);
    expect(broadcastTo(x, [2, 3])).toBe(x);
    const ones = broadcastTo(full("float32", [3], 1), [2, 3]);
    expect([constantValue(ones), ones.shape]).toEqual([1, [2, 3]]);
    expect(beforeBroadcast(broadcastTo(x, [4, 2, 3]))).toBe(x);
    expect(beforeBroadcast(x)).toBe(x);
  });
});

test("unbroadcast keeps named axes and sums the others", () => {
  const grad = input("g", "float32", ["batch", "seq", 5]);
  expect(unbroadcast(grad, ["seq", 1]).shape).toEqual(["seq", 1]);
  expect(unbroadcast(grad, [5]).shape).toEqual([5]);
  expect(unbroadcast(grad, []).shape).toEqual([]);
  expect(unbroadcast(grad, ["batch", "seq", 5])).toBe(grad);
});
