/** Recomputation: the same values and gradients as without, from a body that occurs twice. */
import { describe, expect, test } from "vitest";
import { evaluate, expectClose, numbers, randomTensor } from "../../../test/graph-checks.ts";
import { testRuntimes } from "../../../test/runtimes.ts";
import type { HostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, type Graph, input, parameter, type Tensor } from "../graph.ts";
import { add, mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { gelu } from "./gelu.ts";
import { linear } from "./matmul.ts";
import { recompute } from "./recompute.ts";
import { tanh } from "./tanh.ts";

const feeds: Record<string, HostTensor> = {
  x: randomTensor(1, [5, 4]),
  shift: randomTensor(2, [4]),
  w0: randomTensor(3, [4, 4]),
  w1: randomTensor(4, [4, 4]),
  b: randomTensor(5, [4]),
};

/** Two layers that share a bias; each is a segment when asked. */
function network(wrap: (segment: (x: Tensor) => Tensor, x: Tensor) => Tensor): Record<string, Tensor> {
  const [first, second, bias] = [parameter("w0", [4, 4]), parameter("w1", [4, 4]), parameter("b", [4])];
  const shift = input("shift", "float32", [4]);
  const layer = (weight: Tensor) => (x: Tensor) => add(tanh(linear(x, weight, bias)), mul(x, shift));
  const y = wrap(layer(second), wrap(layer(first), input("x", "float32", [5, 4])));
  const loss = reduceSum(mul(y, y));
  const [gw0, gw1, gb] = gradients(loss, [first, second, bias]);
  return { y, loss, gw0: gw0 as Tensor, gw1: gw1 as Tensor, gb: gb as Tensor };
}

const plain = () => network((segment, x) => segment(x));
const recomputed = () => network(recompute);

function count({ nodes }: Graph, name: string): number {
  return nodes.filter(({ operator }) => operator.name === name).length;
}

describe("recompute", () => {
  test("values and gradients are those without, bit for bit", async () => {
    const expected = await evaluate(plain(), feeds);
    const actual = await evaluate(recomputed(), feeds);
    for (const name of ["y", "loss", "gw0", "gw1", "gb"]) expect(actual[name]).toEqual(expected[name]);
  });

  test("the body's nodes occur twice; once when no gradient is asked for", () => {
    expect(count(buildGraph(plain()), "tanh")).toBe(2);
    expect(count(buildGraph(recomputed()), "tanh")).toBe(4);
    const { y } = recomputed();
    expect(count(buildGraph({ y: y as Tensor }), "tanh")).toBe(2);
  });

  test("the gradient uses nothing from inside of the first computation", () => {
    const { nodes } = buildGraph(recomputed());
    const usersOf = (id: number) => nodes.filter(({ inputs }) => inputs.some(({ node }) => node.id === id));
    const users = nodes.filter(({ operator }) => operator.name === "tanh").map(({ id }) => usersOf(id));
    const names = users.map((list) => list.map(({ operator }) => operator.name));
    // First y = tanh + x * shift; then, computed again, the slope 1 - tanh^2.
    expect(names).toEqual([["add"], ["add"], ["mul"], ["mul"]]);
  });

  test("the second computation waits for the gradient that enters the segment", () => {
    const { nodes } = buildGraph(recomputed());
    const waits = nodes.filter(({ operator }) => operator.name === "after");
    expect(waits).toHaveLength(2);
    for (const { id, inputs } of waits) for (const { node } of inputs) expect(node.id).toBeLessThan(id);
  });

  test("segments inside of segments", async () => {
    const nested = network((segment, x) => recompute((inner) => recompute(segment, inner), x));
    const [actual, expected] = [await evaluate(nested, feeds), await evaluate(plain(), feeds)];
    for (const name of ["loss", "gw0", "gw1", "gb"]) expect(actual[name]).toEqual(expected[name]);
  });

  test("an activation that enters from the side takes its gradient along", async () => {
    const build = (wrap: typeof recompute) => {
      const [w0, w1] = [parameter("w0", [4, 4]), parameter("w1", [4, 4])];
      const x = tanh(linear(input("x", "float32", [5, 4]), w0));
      const side = tanh(linear(x, w1));
      const loss = reduceSum(wrap((inner) => mul(tanh(linear(inner, w0)), side), x));
      const [gw0, gw1] = gradients(loss, [w0, w1]);
      return { loss, gw0: gw0 as Tensor, gw1: gw1 as Tensor };
    };
    const expected = await evaluate(
      build((segment, x) => segment(x)),
      feeds,
    );
    const actual = await evaluate(build(recompute), feeds);
    for (const name of ["loss", "gw0", "gw1"]) {
      const [a, b] = [actual[name]?.data as Float32Array, expected[name]?.data as Float32Array];
      a.forEach((value, i) => {
        expect(value).toBeCloseTo(b[i] as number, 4);
      });
    }
  });

  // The gradient of what reads gelu is computed from a second gelu.
  test.each([tanh, gelu])("so does one that depends on what enters, the result of %o", async (activation) => {
    const build = (wrap: typeof recompute) => {
      const [w0, w1] = [parameter("w0", [4, 4]), parameter("w1", [4, 4])];
      const x = activation(linear(input("x", "float32", [5, 4]), w0));
      const loss = reduceSum(wrap((inner) => add(mul(inner, x), mul(linear(x, w1), inner)), x));
      const [gw0, gw1] = gradients(loss, [w0, w1]);
      return { gw0: gw0 as Tensor, gw1: gw1 as Tensor };
    };
    const expected = await evaluate(
      build((segment, x) => segment(x)),
      feeds,
    );
    const actual = await evaluate(build(recompute), feeds);
    for (const name of ["gw0", "gw1"]) expectClose(numbers(actual[name]), numbers(expected[name]), 1e-5);
  });

  test.each(testRuntimes)("named axes, two sizes through one session ($name)", async (runtime) => {
    const weight = parameter("w0", [4, 4]);
    const x = input("x", "float32", ["n", 4]);
    const y = recompute((inner) => tanh(linear(inner, weight)), x);
    const [grad] = gradients(reduceSum(y), [weight]);
    const executable = await runtime.compile(buildGraph({ y, grad: grad as Tensor }));
    for (const n of [3, 1]) {
      const results = await executable.run({ x: randomTensor(n, [n, 4]), w0: feeds["w0"] as HostTensor });
      expect(results["y"]?.shape).toEqual([n, 4]);
    }
  });
});
