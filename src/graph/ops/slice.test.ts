/** Slices, concatenation and splitting: values, gradients, named sizes. */
import { describe, expect, test } from "vitest";
import { at, checkOperator, expectShapeError, randomTensor, tabulate } from "../../../test/graph-checks.ts";
import { testRuntimes } from "../../../test/runtimes.ts";
import { GraphError } from "../../errors.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { add, mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { concat, slice, split } from "./slice.ts";

const x = randomTensor(1, [3, 5]);

describe("slice", () => {
  test.each([
    [0, 2],
    [1, 3],
    [3, 2],
    [0, 5],
    [4, 1],
  ])("from %i, %i columns", async (start, size) => {
    const expected = tabulate([3, size], (i, j) => at(x, i, start + j));
    const build = (a?: Tensor) => slice(a as Tensor, -1, start, size);
    await checkOperator({ build, inputs: [x], shape: [3, size], expected });
  });

  test("rows", async () => {
    const expected = tabulate([1, 5], (_, j) => at(x, 1, j));
    await checkOperator({ build: (a) => slice(a as Tensor, 0, 1, 1), inputs: [x], shape: [1, 5], expected });
  });

  test("the whole axis is the tensor itself", () => {
    const symbol = input("x", "float32", ["batch", 5]);
    expect(slice(symbol, 1, 0, 5)).toBe(symbol);
    expect(slice(symbol, 0, 0, "batch")).toBe(symbol);
  });

  test.each(testRuntimes)("a named size follows the run, through one session ($name)", async (runtime) => {
    const table = input("table", "float32", [6, 2]);
    const symbol = input("x", "float32", ["batch", "seq", 2]);
    const executable = await runtime.compile(buildGraph({ y: add(symbol, slice(table, 0, 0, "seq")) }));
    const positions = randomTensor(2, [6, 2]);
    for (const seq of [2, 6, 1]) {
      const host = randomTensor(seq, [3, seq, 2]);
      const { y } = await executable.run({ table: positions, x: host });
      expect(y?.shape).toEqual([3, seq, 2]);
      const expected = tabulate([3, seq, 2], (b, s, k) => Math.fround(at(host, b, s, k) + at(positions, s, k)));
      expect(Array.from(y?.data as Float32Array)).toEqual(expected);
    }
  });

  test("the gradient of a named size asks for a number", () => {
    const table = input("table", "float32", [6, 2]);
    const loss = reduceSum(mul(slice(table, 0, 0, "seq"), input("x", "float32", ["seq", 2])));
    expect(() => gradients(loss, [table])).toThrow(GraphError);
    expect(() => gradients(loss, [table])).toThrow(/slice.*seq/);
  });

  test("ranges outside of the axis are refused", () => {
    const symbol = input("x", "float32", [3, 5]);
    expectShapeError(() => slice(symbol, 1, 3, 3), "slice", "axis 1", "float32[3, 5]", "3 to 3+3");
    expectShapeError(() => slice(symbol, 1, -1, 2), "slice", "axis 1", "float32[3, 5]");
    expectShapeError(() => slice(symbol, 1, 2, -1), "slice", "axis 1", "float32[3, 5]");
    expectShapeError(() => slice(symbol, 1, 0.5, 1), "slice", "axis 1", "float32[3, 5]");
    expectShapeError(() => slice(symbol, 1, 1, "seq"), "slice", "axis 1", "1 to 1+seq");
    expectShapeError(() => slice(symbol, 2, 0, 1), "slice", "rank 2", "got 2");
  });
});

describe("concat", () => {
  test.each([
    [0, [4, 2], [2, 2], [1, 2]],
    [1, [2, 5], [2, 1], [2, 2]],
    [-1, [2, 5], [2, 1], [2, 2]],
  ] as const)("along axis %i", async (axis, shape, second, third) => {
    const parts = [randomTensor(1, axis === 0 ? [1, 2] : [2, 2]), randomTensor(2, second), randomTensor(3, third)];
    const along = axis === 0 ? 0 : 1;
    const expected = tabulate(shape, (...index) => {
      let position = index[along] as number;
      const part = parts.find((candidate) => {
        const size = candidate.shape[along] as number;
        if (position < size) return true;
        position -= size;
        return false;
      }) as (typeof parts)[number];
      return at(part, ...index.map((value, i) => (i === along ? position : value)));
    });
    await checkOperator({ build: (...tensors) => concat(tensors, axis), inputs: parts, shape, expected });
  });

  test("the same tensor twice gets both gradients", async () => {
    const expected = tabulate([6, 5], (i, j) => at(x, i % 3, j));
    await checkOperator({
      build: (a) => concat([a as Tensor, a as Tensor], 0),
      inputs: [x],
      shape: [6, 5],
      expected,
    });
  });

  test("one tensor is itself; named axes may stand beside", () => {
    const [a, b] = [input("a", "float32", ["batch", 2]), input("b", "float32", ["batch", 3])];
    expect(concat([a], 1)).toBe(a);
    expect(concat([a, b], 1).shape).toEqual(["batch", 5]);
  });

  test("what does not fit is refused", () => {
    const a = input("a", "float32", [2, 3]);
    expectShapeError(() => concat([a, input("b", "float32", [2, 4])], 0), "concat", "axis 0", "[2, 3]", "[2, 4]");
    expectShapeError(() => concat([a, input("b", "float32", [2])], 0), "concat", "[2, 3]", "[2]");
    expectShapeError(() => concat([a, input("b", "int32", [2, 3])], 0), "concat", "float32[2, 3]", "int32[2, 3]");
    expectShapeError(() => concat([input("c", "float32", ["batch", 3])], 0), "concat", "known size", "[batch, 3]");
    expectShapeError(() => concat([a, a], 2), "concat", "rank 2");
    expectShapeError(() => concat([], 0), "concat", "at least one tensor");
  });
});

describe("split", () => {
  test("parts in order, each with its gradient", async () => {
    for (const part of [0, 1, 2]) {
      const [start, size] = [[0, 2, 3][part] as number, [2, 1, 2][part] as number];
      await checkOperator({
        build: (a) => split(a as Tensor, 1, [2, 1, 2])[part] as Tensor,
        inputs: [x],
        shape: [3, size],
        expected: tabulate([3, size], (i, j) => at(x, i, start + j)),
      });
    }
  });

  test("put together again they are the tensor", async () => {
    const build = (a?: Tensor) => concat(split(a as Tensor, -1, [1, 4]), -1);
    await checkOperator({ build, inputs: [x], shape: [3, 5], expected: Array.from(x.data) });
  });

  test("sizes of another sum are refused", () => {
    const symbol = input("x", "float32", [3, 5]);
    expectShapeError(() => split(symbol, 1, [2, 2]), "split", "axis 1", "float32[3, 5]", "[2, 2]");
    expectShapeError(() => split(symbol, 1, [6, -1]), "slice", "axis 1", "float32[3, 5]");
  });
});
