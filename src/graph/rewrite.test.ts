import { expect, test } from "vitest";
import { evaluate, numbers, randomTensor } from "../../test/graph-checks.ts";
import { buildGraph, input, parameter, parameterName } from "./graph.ts";
import { add, scale } from "./ops/arithmetic.ts";
import { exp } from "./ops/exp.ts";
import { isLinear, linear } from "./ops/matmul.ts";
import { rewriteGraph } from "./rewrite.ts";

const x = input("x", "float32", [2, 3]);

test("what is replaced is replaced for all that use it, the rest stays", async () => {
  const graph = buildGraph({ y: add(exp(x), scale(x, 2)), z: scale(exp(x), 3) });
  const changed = rewriteGraph(graph, ({ operator }, inputs) =>
    operator.name === "exp" && inputs[0] !== undefined ? scale(inputs[0], 10) : undefined,
  );
  const host = randomTensor(1, [2, 3]);
  const results = await evaluate(changed, { x: host });
  expect(numbers(results["y"])).toEqual(
    Array.from(host.data, (v) => Math.fround(Math.fround(v * 10) + Math.fround(v * 2))),
  );
  expect(numbers(results["z"])).toEqual(Array.from(host.data, (v) => Math.fround(Math.fround(v * 10) * 3)));
});

test("a graph in which nothing is replaced keeps its nodes", () => {
  const graph = buildGraph({ y: exp(scale(x, 2)) });
  const again = buildGraph(rewriteGraph(graph, () => undefined));
  expect(again.nodes.map(({ id }) => id)).toEqual(graph.nodes.map(({ id }) => id));
});

test("linear layers and weights are told by their nodes", () => {
  const weight = parameter("w", [4, 3]);
  const layer = linear(x, weight, parameter("b", [4]));
  expect(isLinear(layer.node)).toBe(true);
  expect(isLinear(linear(x, weight).node)).toBe(false);
  expect(isLinear(exp(x).node)).toBe(false);
  expect([weight, x, layer].map(parameterName)).toEqual(["w", undefined, undefined]);
});
