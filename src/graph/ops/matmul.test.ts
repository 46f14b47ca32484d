/** Matrix products in every combination of transpositions, factor, bias and broadcast batch axes. */
import { describe, expect, test } from "vitest";
import {
  at,
  checkOperator,
  evaluatePortable,
  expectClose,
  expectShapeError,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import type { HostTensor } from "../../util/tensor.ts";
import { input, type Tensor } from "../graph.ts";
import { gemm, linear, matmul } from "./matmul.ts";

const combinations = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
];

interface Product {
  readonly a: HostTensor<"float32">;
  readonly b: HostTensor<"float32">;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha?: number;
}

function plainProduct({ a, b, transA, transB, alpha = 1 }: Product, shape: readonly number[]): number[] {
  const inner = a.shape.at(transA ? -2 : -1) as number;
  return tabulate(shape, (...index) => {
    const [row, column] = index.splice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      const left = at(a, ...index, ...(transA ? [k, row] : [row, k]));
      sum += left * at(b, ...index, ...(transB ? [column, k] : [k, column]));
    }
    return alpha * sum;
  });
}

const oriented = (rows: number, columns: number, transposed: boolean) =>
  transposed ? [columns, rows] : [rows, columns];

const batches: readonly (readonly [number[], number[], number[]])[] = [
  [[], [], []],
  [[2], [2], [2]],
  [[2], [], [2]],
  [[], [2], [2]],
  [[2, 1], [3], [2, 3]],
];

describe.each(combinations)("matmul %j", ({ transA, transB }) => {
  test.each(batches)("batch axes %j and %j", async (left, right, batch) => {
    const a = randomTensor(1, [...left, ...oriented(2, 3, transA)]);
    const b = randomTensor(2, [...right, ...oriented(3, 4, transB)]);
    const shape = [...batch, 2, 4];
    await checkOperator({
      build: (...[x, y]) => matmul(x as Tensor, y as Tensor, { transA, transB }),
      inputs: [a, b],
      shape,
      expected: plainProduct({ a, b, transA, transB }, shape),
    });
  });

  test("alpha", async () => {
    const [a, b] = [randomTensor(3, [2, ...oriented(2, 3, transA)]), randomTensor(4, [2, ...oriented(3, 2, transB)])];
    await checkOperator({
      build: (...[x, y]) => matmul(x as Tensor, y as Tensor, { transA, transB, alpha: -0.25 }),
      inputs: [a, b],
      shape: [2, 2, 2],
      expected: plainProduct({ a, b, transA, transB, alpha: -0.25 }, [2, 2, 2]),
    });
  });

  test("from ONNX's own operators", async () => {
    const [a, b] = [randomTensor(5, [2, ...oriented(2, 3, transA)]), randomTensor(6, oriented(3, 4, transB))];
    const [x, y] = [input("a", "float32", a.shape), input("b", "float32", b.shape)];
    const results = await evaluatePortable({ y: matmul(x, y, { transA, transB, alpha: 0.5 }) }, { a, b });
    expectClose(results["y"] as number[], plainProduct({ a, b, transA, transB, alpha: 0.5 }, [2, 2, 4]), 1e-5);
  });

  test("inner axes that differ are refused", () => {
    const a = input("a", "float32", [7, ...oriented(2, 3, transA)]);
    const b = input("b", "float32", [7, ...oriented(5, 4, transB)]);
    const shapes = [`[${a.shape.join(", ")}]`, `[${b.shape.join(", ")}]`];
    expectShapeError(() => matmul(a, b, { transA, transB }), "matmul", "inner axes (3)", ...shapes);
  });
});

test("matmul refuses vectors, batch axes that do not broadcast, and two dtypes", () => {
  const a = input("a", "float32", [2, 3, 4]);
  expectShapeError(() => matmul(a, input("b", "float32", [4])), "matmul", "rank 2", "[2, 3, 4]", "[4]");
  expectShapeError(() => matmul(a, input("b", "float32", [5, 4, 2])), "matmul: batch axes", "axis 0", "[2]", "[5]");
  expectShapeError(() => matmul(a, input("b", "int32", [4, 2])), "matmul", "float32[2, 3, 4]", "int32[4, 2]");
});

test("named axes go through matmul", () => {
  const query = input("q", "float32", ["batch", 4, "seq", 8]);
  expect(matmul(query, query, { transB: true }).shape).toEqual(["batch", 4, "seq", "seq"]);
  const other = input("k", "float32", ["batch", 4, "seq", "head"]);
  expectShapeError(() => matmul(query, other, { transB: true }), "inner axes (8)", "head");
});

describe.each(combinations)("gemm %j", ({ transA, transB }) => {
  const [a, b, bias] = [
    randomTensor(7, oriented(2, 3, transA)),
    randomTensor(8, oriented(3, 4, transB)),
    randomTensor(9, [4]),
  ];

  test("without bias", async () => {
    await checkOperator({
      build: (...[x, y]) => gemm(x as Tensor, y as Tensor, undefined, transA, transB),
      inputs: [a, b],
      shape: [2, 4],
      expected: plainProduct({ a, b, transA, transB }, [2, 4]),
    });
  });

  test("with bias", async () => {
    const products = plainProduct({ a, b, transA, transB }, [2, 4]);
    await checkOperator({
      build: (...[x, y, z]) => gemm(x as Tensor, y as Tensor, z, transA, transB),
      inputs: [a, b, bias],
      shape: [2, 4],
      expected: products.map((value, i) => value + (bias.data[i % 4] as number)),
    });
  });

  test("axes that do not fit are refused", () => {
    const [x, y] = [
      input("x", "float32", oriented(2, 3, transA)),
      input("y", "float32", oriented(5, 4, transB)),
    ] as const;
    const shapes = [`[${x.shape.join(", ")}]`, `[${y.shape.join(", ")}]`];
    expectShapeError(() => gemm(x, y, undefined, transA, transB), "gemm", "inner axes (3)", ...shapes);
  });
});

test("gemm refuses other ranks, another bias, and two dtypes", () => {
  const [a, b] = [input("a", "float32", [2, 3]), input("b", "float32", [3, 4])];
  expectShapeError(() => gemm(input("c", "float32", [5, 2, 3]), b), "gemm", "[5, 2, 3]", "[3, 4]");
  expectShapeError(() => gemm(a, b, input("bias", "float32", [3])), "gemm: bias", "[4]", "float32[3]");
  expectShapeError(() => gemm(a, b, input("bias", "float32", [1, 4])), "gemm: bias", "[4]", "float32[1, 4]");
  expectShapeError(() => gemm(a, input("b", "int32", [3, 4])), "gemm", "float32[2, 3]", "int32[3, 4]");
});

test("linear", async () => {
  const [x, weight, bias] = [randomTensor(1, [3, 4]), randomTensor(2, [2, 4]), randomTensor(3, [2])];
  await checkOperator({
    build: (...[input, w, b]) => linear(input as Tensor, w as Tensor, b),
    inputs: [x, weight, bias],
    shape: [3, 2],
    expected: tabulate([3, 2], (row, column) => {
      let sum = at(bias, column);
      for (let k = 0; k < 4; k++) sum += at(x, row, k) * at(weight, column, k);
      return sum;
    }),
  });
});

test("floating-point operations of products", () => {
  const [a, b] = [input("a", "float32", [5, 3, 2]), input("b", "float32", [5, 3, 4])];
  const product = matmul(a, b, { transA: true });
  expect(product.node.operator.flops?.([a, b], [product], product.node.attributes)).toBe(2 * 5 * 2 * 3 * 4);
  const [c, d] = [input("c", "float32", [7, 3]), input("d", "float32", [4, 7])];
  const gemmed = gemm(c, d, undefined, true, true);
  expect(gemmed.node.operator.flops?.([c, d], [gemmed], gemmed.node.attributes)).toBe(2 * 3 * 7 * 4);
});
