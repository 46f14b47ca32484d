/** Int8 weights on processors that cut sums of products off: the engine is told, and only then. */
import { expect, test } from "vitest";
import { buildGraph, type Graph, input } from "../graph/graph.ts";
import { constant, full } from "../graph/ops/constant.ts";
import { exp } from "../graph/ops/exp.ts";
import { quantizedLinear, quantizeLinear } from "../graph/ops/quantize.ts";
import { onnxRuntime } from "./onnxruntime.ts";

const x = input("x", "float32", [1, 2]);
const integers = buildGraph({
  y: quantizedLinear(
    quantizeLinear(x, full("float32", [], 1), full("uint8", [], 0)),
    { values: constant("int8", [1, 2], [1, 2]), scale: constant("float32", [1], [1]) },
    constant("int32", [1], [0]),
  ),
});
const floats = buildGraph({ y: exp(x) });

/** The session options that a graph is compiled with. */
async function settingsFor(graph: Graph, saturates: boolean | undefined): Promise<unknown> {
  const seen: unknown[] = [];
  const create = async (_: Uint8Array, options: { extra?: { session?: unknown } } = {}) => {
    seen.push(options.extra?.session);
    throw new Error("not this time");
  };
  const module = { InferenceSession: { create }, Tensor: Object, env: { versions: { common: "0" } } } as never;
  const runtime = onnxRuntime(module, {
    threads: 1,
    ...(saturates === undefined ? {} : { saturatesInt8: () => saturates }),
  });
  await runtime.compile(graph).catch(() => undefined);
  return seen[0];
}

test.each<[string, Graph, boolean | undefined, object]>([
  ["integers, and sums are cut off", integers, true, { x64quantprecision: "1" }],
  ["integers, and sums are exact", integers, false, {}],
  ["integers, and nothing is known (a browser)", integers, undefined, {}],
  ["floats", floats, true, {}],
])("%s", async (_, graph, saturates, expected) => {
  expect(await settingsFor(graph, saturates)).toEqual(expected);
});
