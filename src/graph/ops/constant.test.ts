/** Constants: their values on the engine for every dtype, sharing, and how a named axis gives their size. */
import { expect, test } from "vitest";
import { evaluate, expectShapeError, numbers } from "../../../test/graph-checks.ts";
import type { DType } from "../../util/tensor.ts";
import { zeros } from "../../util/tensor.ts";
import { input } from "../graph.ts";
import { add } from "./arithmetic.ts";
import { constant, constantValue, full } from "./constant.ts";
import { cast } from "./logic.ts";

test("full", async () => {
  const results = await evaluate({
    matrix: full("float32", [2, 3], 0.5),
    scalar: full("float32", [], -1),
    whole: full("int64", [2], 7),
  });
  expect(results["matrix"]?.shape).toEqual([2, 3]);
  expect(numbers(results["matrix"])).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  expect(results["scalar"]?.shape).toEqual([]);
  expect(numbers(results["scalar"])).toEqual([-1]);
  expect(results["whole"]?.data).toEqual(BigInt64Array.of(7n, 7n));
});

test("full over a named axis has the size of the run", async () => {
  const x = input("x", "float32", ["batch", 2]);
  const outputs = { ones: full("float32", ["batch", 3], 1), sum: add(x, full("float32", [2], 1)) };
  const { ones } = await evaluate(outputs, { x: zeros("float32", [4, 2]) });
  expect(ones?.shape).toEqual([4, 3]);
});

test.each<[DType, number[]]>([
  ["float32", [1.5, -2, 0]],
  ["float64", [1.5, -2, 0]],
  ["float16", [1.5, -2, 0]],
  ["bfloat16", [1.5, -2, 0]],
  ["int64", [1, -2, 300]],
  ["int32", [1, -2, 300]],
  ["int8", [1, -2, 100]],
  ["uint8", [1, 2, 200]],
  ["bool", [1, 0, 1]],
])("a constant of %s", async (dtype, values) => {
  const { y } = await evaluate({ y: cast(constant(dtype, [3], values), "float32") });
  expect(numbers(y)).toEqual(values);
});

test("long constants that differ stay apart, equal ones of one shape are one value", async () => {
  const ascending = Array.from({ length: 12 }, (_, i) => i);
  const results = await evaluate({
    up: constant("float32", [12], ascending),
    down: constant("float32", [12], [...ascending].reverse()),
    square: constant("float32", [3, 4], ascending),
  });
  expect(numbers(results["up"])).toEqual(ascending);
  expect(numbers(results["down"])).toEqual([...ascending].reverse());
  expect(results["square"]?.shape).toEqual([3, 4]);
});

test("as many elements as the shape says", () => {
  expectShapeError(() => constant("float32", [2, 3], [1, 2]), "constant", "6 elements", "got 2");
});

test("constantValue", () => {
  expect(constantValue(full("float32", [4], 2.5))).toBe(2.5);
  expect(constantValue(constant("float32", [1], [2.5]))).toBeUndefined();
  expect(constantValue(input("x", "float32", []))).toBeUndefined();
});
