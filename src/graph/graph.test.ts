/** Finishing a graph: sharing, folding, inputs and their types. */
import { describe, expect, test } from "vitest";
import { evaluate, expectShapeError, numbers } from "../../test/graph-checks.ts";
import { GraphError } from "../errors.ts";
import { hostTensor } from "../util/tensor.ts";
import {
  buildGraph,
  defineOp,
  expectShape,
  type Graph,
  input,
  parameter,
  type Tensor,
  topologicalOrder,
} from "./graph.ts";
import { add, addScalar, mul, scale, sub } from "./ops/arithmetic.ts";
import { constant, full } from "./ops/constant.ts";
import { exp } from "./ops/exp.ts";
import { layerNorm } from "./ops/layer-norm.ts";
import { transpose } from "./ops/transpose.ts";

function count({ nodes }: Graph, name: string): number {
  return nodes.filter(({ operator }) => operator.name === name).length;
}

const x = input("x", "float32", [2, 3]);

describe("common subexpressions", () => {
  test("are computed once, however they were built", () => {
    const twice = () => mul(exp(input("x", "float32", [2, 3])), full("float32", [], 2));
    const graph = buildGraph({ a: add(twice(), twice()), b: twice() });
    expect([count(graph, "exp"), count(graph, "mul"), count(graph, "add"), count(graph, "input")]).toEqual([
      1, 1, 1, 1,
    ]);
    expect(graph.outputs.get("b")?.node).toBe(graph.outputs.get("a")?.node.inputs[0]?.node);
  });

  test("differ by attributes, by inputs, by their order, and by operator", () => {
    const y = input("y", "float32", [2, 3]);
    const square = input("s", "float32", [3, 3, 3]);
    const graph = buildGraph({
      a: sub(x, y),
      b: sub(y, x),
      c: add(x, y),
      d: transpose(square, [1, 0, 2]),
      e: transpose(square, [0, 2, 1]),
    });
    expect([count(graph, "sub"), count(graph, "transpose")]).toEqual([2, 2]);
  });

  test("numbers that JSON cannot tell apart stay apart", async () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0];
    const outputs = Object.fromEntries(values.map((value, i) => [`y${i}`, full("float32", [1], value)]));
    const results = await evaluate(outputs);
    expect(values.map((_, i) => numbers(results[`y${i}`])[0])).toEqual(values);
  });

  test("every output of a node stays its own", () => {
    const [weight, bias] = [parameter("w", [3]), parameter("b", [3])];
    const { node } = layerNorm(x, weight, bias, 1e-12);
    const [y, mean] = [0, 1].map((index) => ({ node, index, ...node.outputs[index] }) as Tensor);
    const graph = buildGraph({ y: y as Tensor, mean: mean as Tensor });
    expect(count(graph, "layerNorm")).toBe(1);
    expect([graph.outputs.get("y")?.shape, graph.outputs.get("mean")?.shape]).toEqual([
      [2, 3],
      [2, 1],
    ]);
  });
});

describe("what a graph holds", () => {
  test("nothing unused, inputs before users, in the order of creation", () => {
    const unused = exp(x);
    const first = addScalar(x, 1);
    const second = mul(first, x);
    const graph = buildGraph({ z: second });
    expect(graph.nodes.map(({ operator }) => operator.name)).toEqual(["input", "full", "add", "mul"]);
    expect(graph.nodes.some(({ id }) => id === unused.node.id)).toBe(false);
    const at = new Map(graph.nodes.map(({ id }, i) => [id, i]));
    graph.nodes.forEach(({ inputs }, i) => {
      for (const { node } of inputs) expect(at.get(node.id)).toBeLessThan(i);
    });
  });

  test("its inputs by name, each once, parameters marked", () => {
    const graph = buildGraph({ z: add(mul(x, parameter("w", [3])), input("x", "float32", [2, 3])) });
    expect(graph.inputs.map(({ name, parameter }) => [name, parameter])).toEqual([
      ["x", false],
      ["w", true],
    ]);
  });

  test("constants are folded: no node for what is known", () => {
    const graph = buildGraph({ z: addScalar(scale(scale(x, 2), 0.5), 0) });
    expect(graph.nodes.map(({ operator }) => operator.name)).toEqual(["input"]);
  });

  test("one name has one type", () => {
    const build = (other: Tensor) => () => buildGraph({ a: exp(x), b: other });
    expect(build(input("x", "float32", [2, 4]))).toThrow(GraphError);
    expect(build(input("x", "float32", [2, 4]))).toThrow(/input "x".*float32\[2, 3\].*float32\[2, 4\]/);
    expect(build(input("x", "int32", [2, 3]))).toThrow(/float32\[2, 3\].*int32\[2, 3\]/);
    expect(build(input("x", "float32", [2, 3]))).not.toThrow();
  });

  test("an output has no name that an input has", () => {
    expect(() => buildGraph({ x: exp(x) })).toThrow(GraphError);
    expect(() => buildGraph({ x: exp(x) })).toThrow(/output "x"/);
  });
});

test("topologicalOrder walks chains that no stack could hold", () => {
  let tensor: Tensor = x;
  for (let i = 0; i < 50_000; i++) tensor = exp(tensor);
  expect(topologicalOrder([tensor])).toHaveLength(50_001);
});

test("an input may be an output, and one tensor several outputs", async () => {
  const y = exp(x);
  const host = hostTensor("float32", [2, 3], Float32Array.of(0, 0, 0, 0, 0, 0));
  const results = await evaluate({ same: x, first: y, second: y, known: constant("int32", [2], [4, 5]) }, { x: host });
  expect(numbers(results["same"])).toEqual(numbers(host));
  expect(numbers(results["first"])).toEqual([1, 1, 1, 1, 1, 1]);
  expect(numbers(results["second"])).toEqual([1, 1, 1, 1, 1, 1]);
  expect(numbers(results["known"])).toEqual([4, 5]);
});

test("defineOp", () => {
  const halves = defineOp<{ readonly at: number }>({
    name: "halves",
    infer: ([tensor]) => [tensor as Tensor, { dtype: "int32", shape: [] }],
    lower: () => ({ opType: "Halves" }),
  });
  expect(halves([x], { at: 1 })).toMatchObject({ index: 0, dtype: "float32", shape: [2, 3] });
  expect(halves.all([x], { at: 1 })[1]).toMatchObject({ index: 1, dtype: "int32", shape: [] });
});

test("expectShape", () => {
  const tensor = input("x", "float32", ["batch", "seq", 312]);
  expectShape("attention: query", tensor, ["batch", null, 312]);
  expectShapeError(
    () => expectShape("attention: query", tensor, ["batch", null, 768]),
    "attention: query",
    "float32[batch, any, 768]",
    "float32[batch, seq, 312]",
  );
  expectShapeError(() => expectShape("x", tensor, ["batch", null]), "float32[batch, any]", "float32[batch, seq, 312]");
});
