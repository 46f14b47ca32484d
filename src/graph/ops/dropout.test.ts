import { expect, test } from "vitest";
import { checkOperator, expectShapeError, randomTensor } from "../../../test/graph-checks.ts";
import { ArgumentError } from "../../errors.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { dropout } from "./dropout.ts";

const kept = Uint8Array.of(1, 0, 1, 1, 0, 1);

test.each([0.1, 0.5, 0])("elements are kept and scaled, or 0; rate %d", async (rate) => {
  const x = randomTensor(1, [2, 3]);
  await checkOperator({
    build: (...[a, mask]) => dropout(a as Tensor, mask as Tensor, rate),
    inputs: [x],
    constants: [hostTensor("uint8", [2, 3], kept)],
    shape: [2, 3],
    expected: Array.from(x.data, (value, i) => (value * (kept[i] as number)) / (1 - rate)),
  });
});

test("the gradient keeps the mask in its bytes: forward and backward each make floats of it", () => {
  const x = input("x", "float32", [2, 3]);
  const y = dropout(x, input("m", "uint8", [2, 3]), 0.1);
  const [grad] = gradients(reduceSum(mul(y, y)), [x]);
  const { nodes } = lowerGraph(buildGraph({ grad: grad as Tensor }), { contrib: true });
  const floats = nodes.filter(({ opType }) => opType === "DequantizeLinear");
  expect(floats.map(({ inputs }) => inputs[0])).toEqual(["m", "m"]);
  expect(floats[0]?.inputs[1]).not.toBe(floats[1]?.inputs[1]);
});

test("a mask of another shape or dtype is refused", () => {
  const x = input("x", "float32", ["batch", 3]);
  const where = "dropout: mask";
  expectShapeError(() => dropout(x, input("m", "uint8", [2, 3]), 0.1), where, "uint8[batch, 3]", "uint8[2, 3]");
  expectShapeError(() => dropout(x, input("m", "uint8", [3]), 0.1), where, "uint8[batch, 3]", "uint8[3]");
  expectShapeError(() => dropout(x, input("m", "bool", ["batch", 3]), 0.1), where, "uint8[batch, 3]", "bool[batch, 3]");
});

test.each([1, -0.1, 1.5, Number.NaN])("a rate of %d is refused", (rate) => {
  const [x, mask] = [input("x", "float32", [2, 3]), input("m", "uint8", [2, 3])];
  expect(() => dropout(x, mask, rate)).toThrow(ArgumentError);
  expect(() => dropout(x, mask, rate)).toThrow(/dropout: rate/);
});
