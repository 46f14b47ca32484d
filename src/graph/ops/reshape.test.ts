/** Reshape: values, gradient, the axis left over, named axes. */
import { expect, test } from "vitest";
import { checkOperator, expectShapeError, numbers, randomTensor } from "../../../test/graph-checks.ts";
import { testRuntimes } from "../../../test/runtimes.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { reshape } from "./reshape.ts";
import { tanh } from "./tanh.ts";

test.each([
  [
    [3, 4],
    [3, 4],
  ],
  [
    [2, -1],
    [2, 6],
  ],
  [[-1], [12]],
  [
    [2, 3, -1, 1],
    [2, 3, 2, 1],
  ],
])("to %j", async (wanted, shape) => {
  const x = randomTensor(1, [2, 6]);
  await checkOperator({
    build: (a) => reshape(a as Tensor, wanted),
    inputs: [x],
    shape,
    expected: Array.from(x.data),
  });
});

test("a scalar and back", async () => {
  const x = randomTensor(2, [1, 1]);
  const build = (a?: Tensor) => reshape(a as Tensor, []);
  await checkOperator({ build, inputs: [x], shape: [], expected: Array.from(x.data) });
  expect(reshape(input("s", "float32", []), [1, 1]).shape).toEqual([1, 1]);
});

test("named axes are multiplied, divided, and inferred", () => {
  const x = input("x", "float32", ["batch", "seq", 12]);
  expect(reshape(x, ["batch*seq", 12]).shape).toEqual(["batch*seq", 12]);
  expect(reshape(x, [-1, 12]).shape).toEqual(["batch*seq", 12]);
  expect(reshape(x, ["batch", "seq", 4, -1]).shape).toEqual(["batch", "seq", 4, 3]);
  expect(reshape(x, ["batch", -1]).shape).toEqual(["batch", "12*seq"]);
});

test("reshapes of reshapes are one, and one to the same shape is none", () => {
  const x = input("x", "float32", [2, 6]);
  expect(reshape(x, [2, 6])).toBe(x);
  expect(reshape(reshape(x, [12]), [3, 4]).node.inputs[0]).toBe(x);
  expect(reshape(reshape(x, [12]), [2, 6])).toBe(x);
});

test.each(testRuntimes)("one session runs named axes of several sizes ($name)", async (runtime) => {
  const x = input("x", "float32", ["batch", "seq", 4]);
  const heads = reshape(tanh(reshape(x, ["batch*seq", 4])), ["batch", "seq", 2, 2]);
  const executable = await runtime.compile(buildGraph({ y: heads }));
  for (const [batch, seq] of [
    [2, 3],
    [5, 1],
    [1, 7],
  ] as const) {
    const host = randomTensor(batch, [batch, seq, 4]);
    const { y } = await executable.run({ x: host });
    expect(y?.shape).toEqual([batch, seq, 2, 2]);
    numbers(y).forEach((value, i) => {
      expect(value).toBeCloseTo(Math.tanh(host.data[i] as number), 5);
    });
  }
});

test("another number of elements is refused", () => {
  const x = input("x", "float32", [2, 6]);
  expectShapeError(() => reshape(x, [5, 2]), "reshape", "float32[2, 6]", "[5, 2]");
  expectShapeError(() => reshape(x, [5, -1]), "reshape", "float32[2, 6]", "[5, -1]");
  expectShapeError(() => reshape(x, [-1, -1]), "reshape", "float32[2, 6]", "[-1, -1]");
  expectShapeError(() => reshape(x, [0, -1]), "reshape", "float32[2, 6]", "[0, -1]");
  expectShapeError(() => reshape(input("y", "float32", ["batch", 6]), ["seq", 6]), "reshape", "[batch, 6]", "[seq, 6]");
});
