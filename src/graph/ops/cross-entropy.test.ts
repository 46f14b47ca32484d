/** Cross entropy by row and as a mean without ignored labels; values by plain loops in double precision. */
import { describe, expect, test } from "vitest";
import { at, checkOperator, evaluate, expectShapeError, numbers, randomTensor } from "../../../test/graph-checks.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { type HostTensor, hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { reduceSum } from "./broadcast.ts";
import { crossEntropy, isHighest, meanCrossEntropy } from "./cross-entropy.ts";

const logits = randomTensor(1, [4, 5]);
const labels = Int32Array.of(3, 0, 3, 4);

function plainLoss(scores: HostTensor<"float32">, row: number, label: number): number {
  let sum = 0;
  for (let j = 0; j < 5; j++) sum += Math.exp(at(scores, row, j));
  return Math.log(sum) - at(scores, row, label);
}

test.each(["int32", "int64"] as const)("by row, %s labels", async (dtype) => {
  const data = dtype === "int32" ? labels : BigInt64Array.from(Array.from(labels), BigInt);
  await checkOperator({
    build: (...[x, y]) => crossEntropy(x as Tensor, y as Tensor),
    inputs: [logits],
    constants: [hostTensor(dtype, [4], data)],
    shape: [4],
    expected: Array.from(labels, (label, row) => plainLoss(logits, row, label)),
  });
});

test("scores of thousands neither overflow nor lose the loss", async () => {
  const x = hostTensor("float32", [2, 3], Float32Array.of(9000, 0, -9000, 5000, 5000, -10000));
  const symbol = input("x", "float32", [2, 3]);
  const losses = crossEntropy(symbol, input("y", "int32", [2]));
  const [grad] = gradients(reduceSum(losses), [symbol]);
  const y = hostTensor("int32", [2], Int32Array.of(2, 0));
  const results = await evaluate({ losses, grad: grad as Tensor }, { x, y });
  expect(numbers(results["losses"])[0]).toBe(18000);
  expect(numbers(results["losses"])[1]).toBeCloseTo(Math.log(2), 6);
  const expected = [1, 0, -1, -0.5, 0.5, 0];
  numbers(results["grad"]).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] as number, 6);
  });
});

describe("the mean leaves out ignored labels", () => {
  test.each([
    [[3, 0, 3, 4], -100],
    [[3, -100, -100, 4], -100],
    [[-100, -100, 2, -100], -100],
    [[0, 1, 0, 2], 0],
  ])("labels %j, ignored %i", async (wanted, ignoreIndex) => {
    const counted = wanted.flatMap((label, row) => (label === ignoreIndex ? [] : [plainLoss(logits, row, label)]));
    await checkOperator({
      build: (...[x, y]) => meanCrossEntropy(x as Tensor, y as Tensor, ignoreIndex),
      inputs: [logits],
      constants: [hostTensor("int32", [4], Int32Array.from(wanted))],
      shape: [],
      expected: [counted.reduce((sum, value) => sum + value, 0) / counted.length],
    });
  });

  test("all ignored: the loss and every gradient are 0", async () => {
    const symbol = input("x", "float32", [4, 5]);
    const loss = meanCrossEntropy(symbol, input("y", "int32", [4]));
    const [grad] = gradients(loss, [symbol]);
    const y = hostTensor("int32", [4], Int32Array.of(-100, -100, -100, -100));
    const results = await evaluate({ loss, grad: grad as Tensor }, { x: logits, y });
    expect(numbers(results["loss"])).toEqual([0]);
    expect(numbers(results["grad"]).every((value) => value === 0)).toBe(true);
  });
});

test("the gradient has its label's column added in place, or where engines fuse chains as one of them", () => {
  const symbol = input("x", "float32", [4, 5]);
  const [grad] = gradients(reduceSum(crossEntropy(symbol, input("y", "int32", [4]))), [symbol]);
  const types = (fusesElementwise: boolean) =>
    lowerGraph(buildGraph({ grad: grad as Tensor }), { contrib: false, fusesElementwise }).nodes.map(
      (node) => node.opType,
    );
  expect(types(false)).toContain("ScatterElements");
  expect(types(true)).not.toContain("ScatterElements");
  expect(types(true)).toContain("Equal");
  // Neither makes an array of one value that is as large as the scores.
  for (const fuses of [false, true]) expect(types(fuses).filter((type) => type === "Expand")).toHaveLength(1);
});

test("axes and dtypes that do not fit are refused", () => {
  const x = input("x", "float32", [4, 5]);
  const refused = (y: Tensor, shown: string) =>
    expectShapeError(() => crossEntropy(x, y), "crossEntropy", "[n, classes]", "float32[4, 5]", shown);
  refused(input("y", "int32", [5]), "int32[5]");
  refused(input("y", "int32", [4, 1]), "int32[4, 1]");
  refused(input("y", "float32", [4]), "float32[4]");
  expectShapeError(() => crossEntropy(input("v", "float32", [5]), input("y", "int32", [5])), "crossEntropy");
});

test("the highest score is the label's, not where labels are ignored", async () => {
  const scores = [3, 1, 2, 1, 3, 2, 3, 3, 1, 9, 8, 7];
  const x = hostTensor("float32", [4, 3], Float32Array.from(scores));
  const y = hostTensor("int32", [4], Int32Array.of(0, 2, 1, -100));
  const right = isHighest(input("x", "float32", [4, 3]), input("y", "int32", [4]));
  expect(numbers((await evaluate({ right }, { x, y }))["right"])).toEqual([1, 0, 1, 0]);
});
