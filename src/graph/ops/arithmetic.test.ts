/** Element-wise arithmetic: values, gradients, broadcasting to both sides, folding. */
import { describe, expect, test } from "vitest";
import {
  at,
  checkOperator,
  expectShapeError,
  positiveTensor,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { input, type Tensor } from "../graph.ts";
import { add, addScalar, div, mul, scale, sub } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { constantValue, full } from "./constant.ts";

const operators = {
  add: { apply: add, plain: (a: number, b: number) => a + b },
  sub: { apply: sub, plain: (a: number, b: number) => a - b },
  mul: { apply: mul, plain: (a: number, b: number) => a * b },
  div: { apply: div, plain: (a: number, b: number) => a / b },
};

describe.each(Object.entries(operators))("%s", (name, { apply, plain }) => {
  test.each([
    [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3], [2, 3]],
    [[3], [2, 3], [2, 3]],
    [
      [2, 1, 3],
      [4, 1],
      [2, 4, 3],
    ],
    [
      [4, 1],
      [2, 1, 3],
      [2, 4, 3],
    ],
    [[2, 3], [], [2, 3]],
    [[1], [2, 1], [2, 1]],
  ])("%j and %j give %j", async (left, right, shape) => {
    const [a, b] = [randomTensor(1, left), positiveTensor(2, right, 0.8)];
    await checkOperator({
      build: apply as (...inputs: Tensor[]) => Tensor,
      inputs: [a, b],
      shape,
      expected: tabulate(shape, (...index) => plain(at(a, ...index), at(b, ...index))),
    });
  });

  test("a tensor with itself", async () => {
    const x = positiveTensor(3, [2, 3], 0.8);
    const expected = Array.from(x.data, (value) => plain(value, value));
    await checkOperator({ build: (a) => apply(a as Tensor, a as Tensor), inputs: [x], shape: [2, 3], expected });
  });

  test("names of axes broadcast against 1 and themselves", () => {
    const [a, b] = [input("a", "float32", ["batch", 1, 5]), input("b", "float32", ["seq", 1])];
    expect(apply(a, b).shape).toEqual(["batch", "seq", 5]);
  });

  test("shapes that do not broadcast are refused", () => {
    const [a, b] = [input("a", "float32", [2, 3]), input("b", "float32", [2, 4])];
    expectShapeError(() => apply(a, b), name, "axis 1", "[2, 3]", "[2, 4]");
    expectShapeError(() => apply(input("a", "float32", ["batch"]), input("b", "float32", ["seq"])), name, "axis 0");
    expectShapeError(() => apply(a, input("c", "int32", [2, 3])), name, "float32[2, 3]", "int32[2, 3]");
  });

  test("constants are folded", () => {
    expect(constantValue(apply(full("float32", [2, 1], 6), full("float32", [3], 4)))).toBe(plain(6, 4));
    expect(apply(full("float32", [2, 1], 6), full("float32", [3], 4)).shape).toEqual([2, 3]);
  });
});

test("integer constants are divided as ONNX divides integers", () => {
  expect(constantValue(div(full("int32", [], 7), full("int32", [], 2)))).toBe(3);
  expect(constantValue(div(full("int32", [], -7), full("int32", [], 2)))).toBe(-3);
  expect(constantValue(div(full("int32", [], 7), full("int32", [], 0)))).toBeUndefined();
});

test.each(["float32", "float16", "bfloat16"] as const)("constants of %s keep their fractions", (dtype) => {
  expect(constantValue(div(full(dtype, [], 7), full(dtype, [], 2)))).toBe(3.5);
});

test("neutral elements vanish unless they broadcast", () => {
  const x = input("x", "float32", [3]);
  expect(addScalar(x, 0)).toBe(x);
  expect(add(full("float32", [], 0), x)).toBe(x);
  expect(sub(x, full("float32", [1], 0))).toBe(x);
  expect(scale(x, 1)).toBe(x);
  expect(div(x, full("float32", [3], 1))).toBe(x);
  expect(mul(x, full("float32", [2, 3], 1)).shape).toEqual([2, 3]);
  expect(add(x, full("float32", [2, 1], 0)).shape).toEqual([2, 3]);
});

test("scalar factors are joined", () => {
  const x = input("x", "float32", [3]);
  const joined = scale(scale(x, 3), 4);
  expect(joined.node.inputs[0]).toBe(x);
  expect(constantValue(joined.node.inputs[1] as Tensor)).toBe(12);
});

test("the operation broadcasts by itself where its input was broadcast before", () => {
  const [x, row] = [input("x", "float32", [2, 3]), input("row", "float32", [3])];
  expect(mul(x, broadcastTo(row, [2, 3])).node.inputs).toEqual([x, row]);
});

test("scale and addScalar", async () => {
  const x = randomTensor(4, [2, 3]);
  const build = (a?: Tensor) => addScalar(scale(a as Tensor, -2.5), 0.75);
  await checkOperator({
    build,
    inputs: [x],
    shape: [2, 3],
    expected: Array.from(x.data, (value) => value * -2.5 + 0.75),
  });
});
