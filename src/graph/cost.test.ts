/** Costs of graphs small enough to count by hand. */
import { describe, expect, test } from "vitest";
import { expectShapeError } from "../../test/graph-checks.ts";
import { gradients } from "./autodiff.ts";
import { graphCost } from "./cost.ts";
import { buildGraph, input, parameter, type Tensor } from "./graph.ts";
import { add, addScalar, mul } from "./ops/arithmetic.ts";
import { reduceSum } from "./ops/broadcast.ts";
import { full } from "./ops/constant.ts";
import { exp } from "./ops/exp.ts";
import { gather } from "./ops/gather.ts";
import { linear } from "./ops/matmul.ts";
import { recompute } from "./ops/recompute.ts";
import { reshape } from "./ops/reshape.ts";
import { slice } from "./ops/slice.ts";
import { tanh } from "./ops/tanh.ts";

const FLOAT = 4;

describe("graphCost", () => {
  test("counts operations, parameters and bytes for the sizes of a run", () => {
    const x = input("x", "float32", ["batch", "seq", 4]);
    const flat = reshape(x, ["batch*seq", 4]);
    const y = exp(linear(flat, parameter("w", [5, 4]), parameter("b", [5])));
    const cost = graphCost(buildGraph({ y }), { batch: 2, seq: 3 });
    expect(cost.flops).toBe(2 * 6 * 4 * 5 + 6 * 5);
    expect([cost.parameters, cost.parameterBytes]).toEqual([25, 25 * FLOAT]);
    expect([cost.inputBytes, cost.outputBytes]).toEqual([24 * FLOAT, 30 * FLOAT]);
    // The product reads x, w and b; exp reads the product. Reshape moves nothing.
    expect(cost.bytesRead).toBe((24 + 20 + 5 + 30) * FLOAT);
    expect(cost.bytesWritten).toBe((30 + 30) * FLOAT);
    expect(cost.nodes.map(({ node }) => node.operator.name)).toEqual(["reshape", "gemm", "exp"]);
  });

  test("a named axis needs a size", () => {
    const graph = buildGraph({ y: exp(input("x", "float32", ["batch", 4])) });
    expectShapeError(() => graphCost(graph), "cost", '"batch"');
  });

  test("gather and slice read what they return, not the whole table", () => {
    const table = parameter("table", [1000, 8]);
    const rows = gather(table, input("i", "int32", [3]));
    const cost = graphCost(buildGraph({ y: slice(rows, 1, 2, 4) }));
    expect(cost.nodes.map(({ bytesRead }) => bytesRead)).toEqual([3 * 4 + 24 * FLOAT, 12 * FLOAT]);
    expect(cost.flops).toBe(0);
  });
});

describe("the peak of memory", () => {
  const peak = (outputs: Record<string, Tensor>, sizes = {}) => {
    const { peakActivationBytes, peakNode } = graphCost(buildGraph(outputs), sizes);
    return [peakActivationBytes / FLOAT, peakNode?.operator.name];
  };
  const x = input("x", "float32", [10]);

  test("a chain holds two results at once, whatever its length", () => {
    let y = x;
    for (let i = 0; i < 20; i++) y = exp(tanh(y));
    expect(peak({ y })).toEqual([20, "exp"]);
  });

  test("inputs, outputs and scalar constants are not counted", () => {
    expect(peak({ y: addScalar(x, 2) })).toEqual([0, undefined]);
    expect(peak({ y: exp(addScalar(x, 2)) })).toEqual([10, "add"]);
  });

  test("a result lives until its last use", () => {
    const first = exp(x);
    let y = first;
    for (let i = 0; i < 5; i++) y = tanh(y);
    expect(peak({ y: exp(add(y, first)) })).toEqual([30, "tanh"]);
  });

  test("a reshape keeps its source alive instead of copying it", () => {
    const y = reshape(exp(x), [2, 5]);
    expect(peak({ y: reduceSum(mul(tanh(y), y)) })).toEqual([30, "mul"]);
  });

  test("an output seen through a reshape is the caller's memory", () => {
    expect(peak({ y: reshape(exp(x), [2, 5]) })).toEqual([0, undefined]);
  });

  test("arrays of one value take memory", () => {
    expect(peak({ y: reduceSum(full("float32", [50], 1)) })).toEqual([50, "full"]);
  });

  test("recomputation lowers it", () => {
    const weights = [0, 1, 2, 3].map((i) => parameter(`w${i}`, [8, 8]));
    const train = (wrap: typeof recompute) => {
      let y = input("x", "float32", [100, 8]);
      for (const weight of weights) y = wrap((inner) => tanh(linear(exp(tanh(linear(inner, weight))), weight)), y);
      const loss = reduceSum(mul(y, y));
      return Object.fromEntries(gradients(loss, weights).map((grad, i) => [`g${i}`, grad]));
    };
    const kept = graphCost(buildGraph(train((segment, y) => segment(y))));
    const again = graphCost(buildGraph(train(recompute)));
    expect(again.peakActivationBytes).toBeLessThan(0.75 * kept.peakActivationBytes);
    expect(again.flops).toBeGreaterThan(1.2 * kept.flops);
    expect(again.flops).toBeLessThan(1.5 * kept.flops);
  });
});
