import { expect, test } from "vitest";
import { checkOperator, expectShapeError, randomTensor } from "../../../test/graph-checks.ts";
import { ArgumentError } from "../../errors.ts";
import { hostTensor } from "../../util/tensor.ts";
import { input, type Tensor } from "../graph.ts";
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
