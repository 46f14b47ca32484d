import { describe, expect, test } from "vitest";
import { graphCost } from "./cost.ts";
import { buildGraph, input, parameter, type Tensor } from "./graph.ts";
import { formatGraph, listGraph, summarizeByOperator } from "./listing.ts";
import { add, scale } from "./ops/arithmetic.ts";
import { constant, full } from "./ops/constant.ts";
import { exp } from "./ops/exp.ts";
import { layerNorm } from "./ops/layer-norm.ts";
import { linear, matmul } from "./ops/matmul.ts";
import { recompute } from "./ops/recompute.ts";
import { reshape } from "./ops/reshape.ts";
import { transpose } from "./ops/transpose.ts";

const x = input("x", "float32", ["batch", "seq", 4]);

describe("formatGraph", () => {
  test("inputs, parameters, nodes, outputs", () => {
    const flat = reshape(x, ["batch*seq", 4]);
    const dense = linear(flat, parameter("layer.0.query.weight", [6, 4]), parameter("layer.0.query.bias", [6]));
    const heads = transpose(reshape(dense, ["batch", "seq", 2, 3]), [0, 2, 1, 3]);
    const scores = scale(matmul(heads, heads, { transB: true, alpha: 0.5 }), 2);
    expect(formatGraph(buildGraph({ scores }))).toEqual([
      "inputs: 1",
      "  x float32[batch, seq, 4]",
      "parameters: 2",
      "  layer.0.query.weight float32[6, 4]",
      "  layer.0.query.bias float32[6]",
      "nodes: 6",
      "  %0 = reshape(x) float32[batch*seq, 4]",
      "  %1 = gemm(%0, layer.0.query.weight, ...bias, transB) float32[batch*seq, 6]",
      "  %2 = reshape(%1) float32[batch, seq, 2, 3]",
      "  %3 = transpose(%2, perm=[0, 2, 1, 3]) float32[batch, 2, seq, 3]",
      "  %4 = matmul(%3, %3, transB, alpha=0.5) float32[batch, 2, seq, seq]",
      "  %5 = mul(%4, 2) float32[batch, 2, seq, seq]",
      "outputs: 1",
      "  scores = %5",
    ]);
  });

  test("further outputs, constants, large constants, functions", () => {
    const { node } = layerNorm(input("y", "float32", [2, 8]), parameter("w", [8]), parameter("b", [8]), 1e-12);
    const mean = { node, index: 1, ...node.outputs[1] } as Tensor;
    const row = constant("float32", [8], [1, 2, 3, 4, 5, 6, 7, 8]);
    const sum = add(add(mean, row), full("float32", [2, 8], 3));
    const lines = formatGraph(buildGraph({ sum: recompute(exp, sum), same: scale(parameter("v", [2]), 1) }));
    expect(lines.filter((line) => line.includes("=")).map((line) => line.trim())).toEqual([
      "%0 = layerNorm(y, w, b, epsilon=1e-12) float32[2, 8]",
      "%1 = add(%0.1, [1, 2, 3, 4, 5, 6, ... 8]) float32[2, 8]",
      "%2 = full(value=3) float32[2, 8]",
      "%3 = add(%1, %2) float32[2, 8]",
      "%4 = exp(%3) float32[2, 8]",
      "%5 = recompute(%4, %3) float32[2, 8]",
      "sum = %5",
      "same = v",
    ]);
  });

  test("numbers do not depend on what was built before", () => {
    const build = () => formatGraph(buildGraph({ y: exp(scale(input("x", "float32", [3]), 2)) }));
    const first = build();
    exp(x);
    expect(build()).toEqual(first);
  });
});

test("listGraph names what formatGraph prints", () => {
  const graph = buildGraph({ y: exp(add(x, x)) });
  expect(listGraph(graph).nodes.map(({ name, operator, inputs, type }) => [name, operator, inputs, type])).toEqual([
    ["%0", "add", ["x", "x"], "float32[batch, seq, 4]"],
    ["%1", "exp", ["%0"], "float32[batch, seq, 4]"],
  ]);
});

test("summarizeByOperator", () => {
  const z = input("z", "float32", [10, 10]);
  const cost = graphCost(buildGraph({ y: matmul(exp(exp(z)), z), s: add(z, z) }));
  const summary = summarizeByOperator(cost);
  expect(summary.map(({ operator, count, flops }) => [operator, count, flops])).toEqual([
    ["matmul", 1, 2000],
    ["exp", 2, 200],
    ["add", 1, 100],
  ]);
  expect(summary.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
  expect(summary[1]).toMatchObject({ bytesRead: 800, bytesWritten: 800 });
});
