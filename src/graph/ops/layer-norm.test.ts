import { expect, test } from "vitest";
import {
  at,
  checkOperator,
  evaluate,
  evaluatePortable,
  expectClose,
  expectShapeError,
  numbers,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { type HostTensor, hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { input, type Tensor } from "../graph.ts";
import { mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { layerNorm } from "./layer-norm.ts";

const EPSILON = 1e-3;
const [x, weight, bias] = [randomTensor(1, [2, 3, 4]), randomTensor(2, [4]), randomTensor(3, [4])];

function plain(source: HostTensor<"float32">, epsilon: number): number[] {
  return tabulate(source.shape, (...index) => {
    const column = index.at(-1) as number;
    const row = [0, 1, 2, 3].map((k) => at(source, ...index.slice(0, -1), k));
    const mean = row.reduce((sum, value) => sum + value, 0) / 4;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4;
    return (((row[column] as number) - mean) / Math.sqrt(variance + epsilon)) * at(weight, column) + at(bias, column);
  });
}

test.each([[[2, 3, 4]], [[3, 4]], [[4]]])("layerNorm of %j", async (shape) => {
  const source = randomTensor(4, shape);
  await checkOperator({
    build: (...[a, w, b]) => layerNorm(a as Tensor, w as Tensor, b as Tensor, EPSILON),
    inputs: [source, weight, bias],
    shape,
    expected: plain(source, EPSILON),
  });
});

test("from ONNX's own operators", async () => {
  const y = layerNorm(
    input("x", "float32", [2, 3, 4]),
    input("weight", "float32", [4]),
    input("bias", "float32", [4]),
    EPSILON,
  );
  const results = await evaluatePortable({ y }, { x, weight, bias });
  expectClose(results["y"] as number[], plain(x, EPSILON), 1e-5);
});

test("a row of equal elements becomes the bias, with a finite gradient, at BERT's epsilon", async () => {
  const symbol = input("x", "float32", [1, 4]);
  const y = layerNorm(symbol, input("weight", "float32", [4]), input("bias", "float32", [4]), 1e-12);
  const [grad] = gradients(reduceSum(mul(y, y)), [symbol]);
  const equal = hostTensor("float32", [1, 4], new Float32Array(4).fill(3));
  const results = await evaluate({ y, grad: grad as Tensor }, { x: equal, weight, bias });
  expect(results["y"]?.data).toEqual(bias.data);
  expect(numbers(results["grad"]).every(Number.isFinite)).toBe(true);
});

test("a weight or bias of another width is refused", () => {
  const [a, right, wrong] = [input("x", "float32", [2, 4]), input("w", "float32", [4]), input("v", "float32", [3])];
  expectShapeError(() => layerNorm(a, wrong, right, 1e-12), "layerNorm", "[4]", "float32[2, 4]", "float32[3]");
  expectShapeError(() => layerNorm(a, right, wrong, 1e-12), "layerNorm", "[4]", "float32[2, 4]", "float32[3]");
  const square = input("s", "float32", [1, 4]);
  expectShapeError(() => layerNorm(a, square, right, 1e-12), "layerNorm", "[4]", "float32[1, 4]");
});
