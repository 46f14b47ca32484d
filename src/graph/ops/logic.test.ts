/** Comparison, choice and conversion. */
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
import { hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { input, type Tensor } from "../graph.ts";
import { mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { cast, equal, less, where } from "./logic.ts";

test("equal and less broadcast to both sides", async () => {
  const a = hostTensor("int32", [2, 1], Int32Array.of(1, 2));
  const b = hostTensor("int32", [3], Int32Array.of(0, 1, 2));
  const [x, y] = [input("a", "int32", [2, 1]), input("b", "int32", [3])];
  const [same, below] = [equal(x, y), less(x, y)];
  expect([same.dtype, same.shape, below.dtype]).toEqual(["bool", [2, 3], "bool"]);
  const results = await evaluate({ same, below }, { a, b });
  expect(numbers(results["same"])).toEqual([0, 1, 0, 0, 0, 1]);
  expect(numbers(results["below"])).toEqual([0, 0, 1, 0, 0, 0]);
});

test("comparisons refuse what does not fit", () => {
  const a = input("a", "float32", [2, 3]);
  expectShapeError(() => equal(a, input("b", "float32", [2])), "equal", "axis 1", "[2, 3]", "[2]");
  expectShapeError(() => less(a, input("b", "int32", [3])), "less", "float32[2, 3]", "int32[3]");
});

describe("where", () => {
  const condition = hostTensor("bool", [2, 3], Uint8Array.of(1, 0, 1, 0, 0, 1));

  test.each([
    [
      [2, 3],
      [2, 3],
    ],
    [[3], [2, 1]],
    [[], [2, 3]],
    [[4, 2, 3], [1]],
  ])("choices of %j and %j", async (left, right) => {
    const [a, b] = [randomTensor(1, left), randomTensor(2, right)];
    const shape = left.length === 3 ? [4, 2, 3] : [2, 3];
    await checkOperator({
      build: (...[x, y, mask]) => where(mask as Tensor, x as Tensor, y as Tensor),
      inputs: [a, b],
      constants: [condition],
      shape,
      expected: tabulate(shape, (...index) => {
        const [i, j] = index.slice(-2) as [number, number];
        return condition.data[i * 3 + j] === 1 ? at(a, ...index) : at(b, ...index);
      }),
    });
  });

  test("a condition of fewer axes", async () => {
    const [a, b] = [randomTensor(1, [2, 3]), randomTensor(2, [2, 3])];
    const row = hostTensor("bool", [3], Uint8Array.of(0, 1, 0));
    await checkOperator({
      build: (...[x, y, mask]) => where(mask as Tensor, x as Tensor, y as Tensor),
      inputs: [a, b],
      constants: [row],
      shape: [2, 3],
      expected: tabulate([2, 3], (i, j) => (j === 1 ? at(a, i, j) : at(b, i, j))),
    });
  });

  test("refuses a condition that is not bool, and shapes that do not fit", () => {
    const [mask, a] = [input("m", "bool", [2, 3]), input("a", "float32", [2, 3])];
    expectShapeError(() => where(a, a, a), "where: condition", "bool", "float32[2, 3]");
    expectShapeError(() => where(mask, a, input("b", "float32", [2, 4])), "where", "axis 1", "[2, 3]", "[2, 4]");
    expectShapeError(() => where(mask, a, input("b", "int32", [2, 3])), "where", "float32[2, 3]", "int32[2, 3]");
    const wide = input("w", "float32", [2, 4]);
    expectShapeError(() => where(mask, wide, wide), "where", "axis 1", "[2, 3]", "[2, 4]");
  });
});

describe("cast", () => {
  test("to the same dtype is the tensor itself", () => {
    const x = input("x", "float32", ["batch"]);
    expect(cast(x, "float32")).toBe(x);
    expect([cast(x, "int32").dtype, cast(x, "int32").shape]).toEqual(["int32", ["batch"]]);
  });

  test("float to integer and back truncates, and stops the gradient", async () => {
    const host = hostTensor("float32", [4], Float32Array.of(1.7, -1.7, 0.2, 3));
    const x = input("x", "float32", [4]);
    const truncated = cast(cast(x, "int32"), "float32");
    const [grad] = gradients(reduceSum(mul(x, truncated)), [x]);
    const results = await evaluate({ truncated, grad: grad as Tensor }, { x: host });
    expect(numbers(results["truncated"])).toEqual([1, -1, 0, 3]);
    expect(numbers(results["grad"])).toEqual([1, -1, 0, 3]);
  });

  test("through float64 the gradient goes on", async () => {
    const x = randomTensor(3, [2, 3]);
    await checkOperator({
      build: (a) => cast(cast(a as Tensor, "float64"), "float32"),
      inputs: [x],
      shape: [2, 3],
      expected: Array.from(x.data),
    });
  });
});

test("no gradient goes through a comparison", async () => {
  const x = input("x", "float32", [3]);
  const [grad] = gradients(reduceSum(mul(x, cast(equal(x, x), "float32"))), [x]);
  const results = await evaluate({ grad: grad as Tensor }, { x: randomTensor(4, [3]) });
  expect(numbers(results["grad"])).toEqual([1, 1, 1]);
});
