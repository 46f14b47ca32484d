/** Lowering: names, shared constants, named axes, outputs. */
import { describe, expect, test } from "vitest";
import { evaluate } from "../../test/graph-checks.ts";
import { GraphError } from "../errors.ts";
import { buildGraph, input, parameter, type Tensor } from "../graph/graph.ts";
import { add, addScalar, scale } from "../graph/ops/arithmetic.ts";
import { constant, full } from "../graph/ops/constant.ts";
import { exp } from "../graph/ops/exp.ts";
import { gelu } from "../graph/ops/gelu.ts";
import { layerNorm } from "../graph/ops/layer-norm.ts";
import { gemm, matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { transpose } from "../graph/ops/transpose.ts";
import { hostTensor } from "../util/tensor.ts";
import { type LoweredGraph, lowerGraph } from "./lower.ts";

const lower = (outputs: Record<string, Tensor>, contrib = true) => lowerGraph(buildGraph(outputs), { contrib });
const opTypes = ({ nodes }: LoweredGraph) => nodes.map(({ opType }) => opType);

/** Every name that a node reads is an input, a constant, or written by a node before it; every name is written once. */
function expectWellFormed({ inputs, constants, nodes, outputs }: LoweredGraph): void {
  const known = new Set([...inputs.map(({ name }) => name), ...constants.keys()]);
  for (const node of nodes) {
    for (const name of node.inputs) expect(known, `${node.opType} reads ${name}`).toContain(name);
    for (const name of node.outputs) {
      expect(known, `${name} is written twice`).not.toContain(name);
      known.add(name);
    }
  }
  for (const { name } of outputs) expect(known).toContain(name);
}

const x = input("x", "float32", ["batch", "seq", 4]);

describe("names", () => {
  test("inputs, parameters and outputs keep theirs", () => {
    const lowered = lower({ "grad.w": add(x, parameter("w", [4])), y: exp(x) });
    expectWellFormed(lowered);
    expect(lowered.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
    expect(lowered.outputs.map(({ name }) => name)).toEqual(["grad.w", "y"]);
    expect(lowered.nodes.map(({ outputs }) => outputs)).toEqual([["y"], ["grad.w"]]);
  });

  test("an output that is an input, a constant, or a second name needs an Identity", () => {
    const y = exp(x);
    const lowered = lower({ same: x, first: y, second: y, known: full("float32", [], 3) });
    expectWellFormed(lowered);
    expect(opTypes(lowered)).toEqual(["Exp", "Identity", "Identity", "Identity"]);
  });

  test("every output of a node has one", () => {
    const lowered = lower({ y: layerNorm(x, parameter("w", [4]), parameter("b", [4]), 1e-12) });
    expectWellFormed(lowered);
    expect(new Set(lowered.nodes[0]?.outputs).size).toBe(3);
    expect(lowered.nodes[0]?.outputs[0]).toBe("y");
  });
});

describe("constants", () => {
  test("equal ones are stored once", () => {
    const lowered = lower({ y: addScalar(scale(exp(addScalar(x, 0.5)), 0.5), 2) });
    expectWellFormed(lowered);
    expect([...lowered.constants.values()].map(({ data }) => data)).toEqual([Float32Array.of(0.5), Float32Array.of(2)]);
  });

  test("of many elements they are shared where all elements are the same", () => {
    const long = (last: number) => constant("float32", [20], new Float32Array(20).fill(1).fill(last, 19));
    const x = input("x", "float32", [20]);
    const sum = [long(1), long(1), long(2), long(2)].reduce((total, one) => add(total, one), x);
    const constants = [...lower({ y: sum }).constants.values()];
    expect(constants.map(({ data }) => [data[0], data[19]])).toEqual([
      [1, 1],
      [1, 2],
      [1, 2],
    ]);
    const zeros = [0, -0].map((value) => constant("float32", [20], new Float32Array(20).fill(value)));
    expect(lower({ y: add(add(x, zeros[0] as Tensor), zeros[1] as Tensor) }).constants.size).toBe(2);
  });

  test("shapes of known sizes are constants", () => {
    const lowered = lower({ y: reshape(exp(input("z", "float32", [2, 6])), [3, 4]) });
    expect(opTypes(lowered)).toEqual(["Exp", "Reshape"]);
    expect([...lowered.constants.values()]).toEqual([{ dtype: "int64", shape: [2], data: BigInt64Array.of(3n, 4n) }]);
  });
});

describe("named axes", () => {
  test("their sizes are read from an input once, and multiplied once", () => {
    const flat = reshape(x, ["batch*seq", 4]);
    const lowered = lower({
      y: reshape(exp(flat), ["batch", "seq", 4]),
      z: transpose(reshape(exp(exp(flat)), ["batch", "seq", 2, 2]), [0, 2, 1, 3]),
    });
    expectWellFormed(lowered);
    const count = (opType: string) => opTypes(lowered).filter((name) => name === opType).length;
    expect([count("Shape"), count("Gather"), count("Mul")]).toEqual([2, 2, 1]);
  });

  test("a shape of several sizes is put together once", () => {
    const x = input("x", "float32", ["batch*seq", 6]);
    const ids = input("ids", "int32", ["batch", "seq"]);
    const split = (y: Tensor) => reshape(y, ["batch", "seq", 6]);
    const lowered = lower({ y: add(split(exp(x)), split(scale(x, 2))), flat: reshape(ids, ["batch*seq"]) });
    expectWellFormed(lowered);
    expect(opTypes(lowered).filter((type) => type === "Concat")).toHaveLength(1);
  });

  test("a size is also read from an axis that is a multiple of it, such as the choices of all rows", async () => {
    const choices = input("choices", "float32", ["3*batch", 2]);
    const lowered = lower({ y: reshape(exp(choices), ["batch", 6]) });
    expectWellFormed(lowered);
    expect(opTypes(lowered)).toContain("Div");
    const { y } = await evaluate(
      { y: reshape(exp(choices), ["batch", 6]) },
      { choices: hostTensor("float32", [6, 2], new Float32Array(12)) },
    );
    expect(y?.shape).toEqual([2, 6]);
  });

  test("an axis that no input has cannot be known", () => {
    const y = add(full("float32", ["batch", 4], 1), input("row", "float32", [4]));
    expect(() => lower({ y })).toThrow(GraphError);
    expect(() => lower({ y })).toThrow(/"batch"/);
  });
});

describe("the target", () => {
  const z = input("z", "float32", [3, 4]);
  const y = gelu(matmul(z, z, { transB: true, alpha: 0.5 }));

  test("with ONNX Runtime's operators", () => {
    const lowered = lower({ y });
    expect(lowered.nodes.map(({ opType, domain }) => [opType, domain])).toEqual([
      ["FusedMatMul", "com.microsoft"],
      ["Gelu", "com.microsoft"],
    ]);
    expect(lowered.nodes[0]?.attributes).toEqual({ transA: { int: 0 }, transB: { int: 1 }, alpha: { float: 0.5 } });
  });

  test("with ONNX's own", () => {
    const lowered = lower({ y }, false);
    expectWellFormed(lowered);
    expect(lowered.nodes.every(({ domain }) => domain === undefined)).toBe(true);
  });

  test("plain products need neither", () => {
    expect(opTypes(lower({ y: matmul(z, transpose(z, [1, 0])) }))).toEqual(["Transpose", "MatMul"]);
    expect(opTypes(lower({ y: gemm(z, z, undefined, false, true) }))).toEqual(["Gemm"]);
  });
});

test("what no other node reads comes last, the first of it at the very end", () => {
  const [w, z] = [parameter("w", [4]), input("z", "float32", [4])];
  const first = exp(add(z, w));
  const second = exp(first);
  const lowered = lower({ second, "grad.b": add(second, second), "grad.a": add(first, w), plain: exp(w) });
  expectWellFormed(lowered);
  const [inner, leaves] = [lowered.nodes.slice(0, 3), lowered.nodes.slice(3)];
  expect(inner.map(({ opType }) => opType)).toEqual(["Add", "Exp", "Exp"]);
  expect(leaves.map(({ outputs }) => outputs[0])).toEqual(["plain", "grad.a", "grad.b"]);
});

test("the same graph gives the same names, whatever was built before", () => {
  const build = () => lower({ y: exp(addScalar(input("x", "float32", [3]), 1)), z: exp(input("x", "float32", [3])) });
  const first = build();
  exp(exp(exp(x)));
  expect(build()).toEqual(first);
});
