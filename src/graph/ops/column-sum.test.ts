/** Sums of columns, in both of their forms. */
import { expect, test } from "vitest";
import { at, checkOperator, expectShapeError, randomTensor, tabulate } from "../../../test/graph-checks.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { buildGraph, input } from "../graph.ts";
import { columnSum } from "./column-sum.ts";

test("columnSum", async () => {
  const x = randomTensor(3, [5, 4]);
  const expected = tabulate([4], (column) => [0, 1, 2, 3, 4].reduce((sum, row) => sum + at(x, row, column), 0));
  await checkOperator({ build: columnSum, inputs: [x], shape: [4], expected });
});

test("takes matrices", () => {
  expectShapeError(() => columnSum(input("x", "float32", [2, 3, 4])), "columnSum", "a matrix", "[2, 3, 4]");
});

test("is a product with ones where products are bfloat16 and the rows are known", () => {
  const types = (rows: number | string, bfloat16Products: boolean) => {
    const graph = buildGraph({ sums: columnSum(input("x", "float32", [rows, 4])) });
    return lowerGraph(graph, { contrib: false, bfloat16Products }).nodes.map(({ opType }) => opType);
  };
  expect(types(5, true)).toEqual(["MatMul", "Squeeze"]);
  expect(types("rows", true)).toEqual(["ReduceSum"]);
  expect(types(5, false)).toEqual(["ReduceSum"]);
});
