/** Every version of ONNX's operators that graphs can be written in, run by the engine: the operators whose form has changed. */
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { expectClose, randomTensor } from "../../test/graph-checks.ts";
import { buildGraph, input } from "../graph/graph.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { gelu, geluTanh } from "../graph/ops/gelu.ts";
import { layerNorm } from "../graph/ops/layer-norm.ts";
import { logSumExp, reduceMax, reduceMean } from "../graph/ops/reduce.ts";
import { lowerGraph } from "./lower.ts";
import { OPSETS, serializeModel } from "./serialize.ts";

const values = { x: randomTensor(1, [3, 4]), w: randomTensor(2, [4]), b: randomTensor(3, [4]) };

function graph() {
  const [x, w, b] = [input("x", "float32", [3, 4]), input("w", "float32", [4]), input("b", "float32", [4])];
  return buildGraph({
    sum: reduceSum(x, [0]),
    mean: reduceMean(x, [1], true),
    logSumExp: logSumExp(x, [1]),
    max: reduceMax(x, [0, 1]),
    normalized: layerNorm(x, w, b, 1e-12),
    gelu: gelu(x),
    geluTanh: geluTanh(x),
  });
}

async function run(opset: number): Promise<Record<string, number[]>> {
  const session = await ort.InferenceSession.create(
    serializeModel(lowerGraph(graph(), { contrib: false, opset })).model,
  );
  const feeds = Object.entries(values).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]));
}

const formOf = (opset: number, opType: string) =>
  lowerGraph(graph(), { contrib: false, opset }).nodes.find((node) => node.opType === opType);

test("versions 13 to 21", () => {
  expect(OPSETS).toEqual([13, 14, 15, 16, 17, 18, 19, 20, 21]);
});

describe.each(OPSETS)("version %i", (opset) => {
  test("gives what version 17 gives", async () => {
    const [expected, found] = [await run(17), await run(opset)];
    for (const [name, numbers] of Object.entries(expected)) expectClose(found[name] ?? [], numbers, 1e-5);
  });

  test("has the operators that it brought, and the axes where it wants them", () => {
    expect(formOf(opset, "LayerNormalization") !== undefined).toBe(opset >= 17);
    expect(formOf(opset, "Gelu") !== undefined).toBe(opset >= 20);
    expect(formOf(opset, "ReduceMax")?.inputs).toHaveLength(opset >= 18 ? 2 : 1);
    expect("axes" in (formOf(opset, "ReduceMax")?.attributes ?? {})).toBe(opset < 18);
    expect(formOf(opset, "ReduceSum")?.inputs).toHaveLength(2);
  });
});
