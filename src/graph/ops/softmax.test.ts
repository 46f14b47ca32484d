import { describe, expect, test } from "vitest";
import {
  at,
  checkOperator,
  evaluate,
  expectShapeError,
  numbers,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { hostTensor } from "../../util/tensor.ts";
import { input, type Tensor } from "../graph.ts";
import { add } from "./arithmetic.ts";
import { logSoftmax, softmax } from "./softmax.ts";

const x = randomTensor(1, [2, 3, 4]);
const total = (i: number, j: number) => [0, 1, 2, 3].reduce((sum, k) => sum + Math.exp(at(x, i, j, k)), 0);

test("softmax", async () => {
  const expected = tabulate([2, 3, 4], (i, j, k) => Math.exp(at(x, i, j, k)) / total(i, j));
  await checkOperator({ build: softmax, inputs: [x], shape: [2, 3, 4], expected });
});

test("logSoftmax", async () => {
  const expected = tabulate([2, 3, 4], (i, j, k) => at(x, i, j, k) - Math.log(total(i, j)));
  await checkOperator({ build: logSoftmax, inputs: [x], shape: [2, 3, 4], expected });
});

describe("masks of -10000", () => {
  const hidden = (keys: readonly number[]) =>
    hostTensor(
      "float32",
      [4],
      Float32Array.from([0, 1, 2, 3], (k) => (keys.includes(k) ? -10_000 : 0)),
    );

  test("hidden keys get exactly 0 and no gradient", async () => {
    const mask = hidden([1, 3]);
    await checkOperator({
      build: (...[scores, adder]) => softmax(add(scores as Tensor, adder as Tensor)),
      inputs: [x],
      constants: [mask],
      shape: [2, 3, 4],
      expected: tabulate([2, 3, 4], (i, j, k) => {
        const seen = Math.exp(at(x, i, j, 0)) + Math.exp(at(x, i, j, 2));
        return k % 2 === 1 ? 0 : Math.exp(at(x, i, j, k)) / seen;
      }),
    });
    const y = softmax(add(input("x", "float32", [2, 3, 4]), input("mask", "float32", [4])));
    const results = await evaluate({ y }, { x, mask });
    expect(numbers(results["y"]).filter((_, i) => i % 2 === 1)).toEqual(new Array(12).fill(0));
  });

  test("a row with every key hidden stays finite", async () => {
    const y = softmax(add(input("x", "float32", [2, 3, 4]), input("mask", "float32", [4])));
    const results = await evaluate({ y }, { x, mask: hidden([0, 1, 2, 3]) });
    const values = numbers(results["y"]);
    for (let row = 0; row < 6; row++) {
      const sum = values.slice(row * 4, row * 4 + 4).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });
});

test("a scalar has no classes", () => {
  expectShapeError(() => softmax(input("s", "float32", [])), "softmax", "float32[]");
  expectShapeError(() => logSoftmax(input("s", "float32", [])), "logSoftmax", "float32[]");
});
