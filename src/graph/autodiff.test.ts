/** Differentiation of whole graphs; each operator's own gradient is tested beside it. */
import { describe, expect, test } from "vitest";
import { evaluate, expectShapeError, numbers, randomTensor } from "../../test/graph-checks.ts";
import { GraphError } from "../errors.ts";
import { hostTensor } from "../util/tensor.ts";
import { gradients, vectorJacobianProduct } from "./autodiff.ts";
import { buildGraph, defineOp, input, parameter, type Tensor } from "./graph.ts";
import { add, div, mul } from "./ops/arithmetic.ts";
import { reduceSum } from "./ops/broadcast.ts";
import { constantValue, full } from "./ops/constant.ts";
import { dropout } from "./ops/dropout.ts";
import { exp } from "./ops/exp.ts";
import { gelu, geluTanh } from "./ops/gelu.ts";
import { layerNorm } from "./ops/layer-norm.ts";
import { matmul } from "./ops/matmul.ts";
import { tanh } from "./ops/tanh.ts";

const x = input("x", "float32", [3]);
const feeds = { x: hostTensor("float32", [3], Float32Array.of(0.5, -1, 2)) };

/** An operator of the test's own, without gradient. */
const rounded = defineOp<object>({
  name: "rounded",
  infer: ([tensor]) => tensor as Tensor,
  lower: () => ({ opType: "Round" }),
});

describe("gradients", () => {
  test("the loss is a float32 scalar", () => {
    expectShapeError(() => gradients(x, [x]), "gradients: loss", "float32[]", "float32[3]");
    expectShapeError(() => gradients(full("int64", [], 1), [x]), "gradients: loss", "float32[]", "int64[]");
  });

  test("a parameter that the loss does not depend on gets zeros of its shape", async () => {
    const lonely = parameter("w", [2, 4]);
    const [gx, gw] = gradients(reduceSum(exp(x)), [x, lonely]);
    expect([constantValue(gw as Tensor), gw?.shape]).toEqual([0, [2, 4]]);
    const results = await evaluate({ gx: gx as Tensor, gw: gw as Tensor }, feeds);
    expect(numbers(results["gw"])).toEqual(new Array(8).fill(0));
  });

  test("contributions of every path are added", async () => {
    // y = x^2 * e^x + x: y' = (x^2 + 2x) e^x + 1
    const loss = reduceSum(add(mul(mul(x, x), exp(x)), x));
    const results = await evaluate({ grad: gradients(loss, [x])[0] as Tensor }, feeds);
    numbers(results["grad"]).forEach((value, i) => {
      const at = feeds.x.data[i] as number;
      expect(value).toBeCloseTo((at * at + 2 * at) * Math.exp(at) + 1, 5);
    });
  });

  test("of a gradient", async () => {
    const [first] = gradients(reduceSum(tanh(x)), [x]);
    const [second] = gradients(reduceSum(first as Tensor), [x]);
    const results = await evaluate({ second: second as Tensor }, feeds);
    numbers(results["second"]).forEach((value, i) => {
      const t = Math.tanh(feeds.x.data[i] as number);
      expect(value).toBeCloseTo(-2 * t * (1 - t * t), 5);
    });
  });

  test("with respect to an inner tensor, and to the loss itself", async () => {
    const inner = exp(x);
    const loss = reduceSum(mul(inner, inner));
    const [byInner, byLoss] = gradients(loss, [inner, loss]);
    const results = await evaluate({ byInner: byInner as Tensor, byLoss: byLoss as Tensor, inner }, feeds);
    expect(numbers(results["byInner"])).toEqual(numbers(results["inner"]).map((value) => Math.fround(2 * value)));
    expect(numbers(results["byLoss"])).toEqual([1]);
  });

  test("share the forward graph's results", () => {
    const loss = reduceSum(mul(exp(x), tanh(x)));
    const graph = buildGraph({ loss, grad: gradients(loss, [x])[0] as Tensor });
    const names = graph.nodes.map(({ operator }) => operator.name);
    expect([names.filter((name) => name === "exp"), names.filter((name) => name === "tanh")]).toEqual([
      ["exp"],
      ["tanh"],
    ]);
  });

  test("only what is asked for is computed", () => {
    const [weight, bias] = [parameter("w", [3]), parameter("b", [3])];
    const loss = reduceSum(layerNorm(x, weight, bias, 1e-12));
    const graph = buildGraph({ grad: gradients(loss, [bias])[0] as Tensor });
    expect(graph.inputs).toEqual([]);
  });
});

describe("operators without a gradient", () => {
  test("are an error on the way from a parameter to the loss", () => {
    const loss = reduceSum(rounded([exp(x)], {}));
    expect(() => gradients(loss, [x])).toThrow(GraphError);
    expect(() => gradients(loss, [x])).toThrow(/gradients: rounded/);
  });

  test("are none beside it", async () => {
    const side = rounded([input("y", "float32", [3])], {});
    const [grad] = gradients(reduceSum(mul(x, side)), [x]);
    const results = await evaluate(
      { grad: grad as Tensor },
      { y: hostTensor("float32", [3], Float32Array.of(1.2, 2, 2.9)) },
    );
    expect(numbers(results["grad"])).toEqual([1, 2, 3]);
    expect(() => gradients(reduceSum(mul(x, side)), [side])).not.toThrow();
  });
});

test("an operator whose gradient has another shape is caught", () => {
  const wrong = defineOp<object>({
    name: "wrong",
    infer: ([tensor]) => tensor as Tensor,
    vjp: ({ grad }) => [reduceSum(grad)],
    lower: () => ({ opType: "Identity" }),
  });
  expectShapeError(
    () => gradients(reduceSum(wrong([x], {})), [x]),
    "gradients: wrong: input 0",
    "float32[3]",
    "float32[]",
  );
});

test("vectorJacobianProduct", async () => {
  const y = div(exp(x), full("float32", [2, 1], 4));
  const seed = randomTensor(1, [2, 3]);
  const [grad] = vectorJacobianProduct(y, input("seed", "float32", [2, 3]), [x]);
  const results = await evaluate({ grad: grad as Tensor }, { ...feeds, seed });
  numbers(results["grad"]).forEach((value, i) => {
    const sum = (seed.data[i] as number) + (seed.data[i + 3] as number);
    expect(value).toBeCloseTo((sum * Math.exp(feeds.x.data[i] as number)) / 4, 5);
  });
  expectShapeError(
    () => vectorJacobianProduct(y, input("seed", "float32", [3]), [x]),
    "gradients: seed",
    "float32[2, 3]",
    "float32[3]",
  );
});

describe("what costs little is computed again", () => {
  const vector = (name: string) => parameter(name, [4]);
  const cheap: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    gelu,
    geluTanh,
    dropout: (x) => dropout(x, input("mask", "uint8", [3, 4]), 0.5),
    layerNorm: (x) => layerNorm(x, vector("weight"), vector("bias"), 1e-12),
  };

  test.each(Object.entries(cheap))("%s: for gradients alone, which do not keep it", (name, apply) => {
    const w = parameter("w", [4, 2]);
    const y = matmul(apply(exp(input("x", "float32", [3, 4]))), w);
    const namesIn = (outputs: Record<string, Tensor>) => buildGraph(outputs).nodes.map(({ operator }) => operator.name);
    expect(namesIn({ y })).not.toContain("after");
    const [grad] = gradients(reduceSum(mul(y, y)), [w]);
    const { nodes } = buildGraph({ y, grad: grad as Tensor });
    const computed = nodes.filter(({ operator }) => operator.name === name);
    expect(computed.map((node) => node.inputs[0]?.node.operator.name)).toEqual(["exp", "after"]);
    const readers = nodes.filter(({ inputs }) => inputs.some(({ node }) => node === computed[0]));
    expect(readers.map(({ operator }) => operator.name)).toEqual(["matmul"]);
  });
});
