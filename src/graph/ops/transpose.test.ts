import { describe, expect, test } from "vitest";
import { at, checkOperator, expectShapeError, randomTensor, tabulate } from "../../../test/graph-checks.ts";
import { input, type Tensor } from "../graph.ts";
import { transpose } from "./transpose.ts";

describe("transpose", () => {
  test.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[2, 0, 1]], [[1, 2, 0]], [[2, 1, 0]]])("by %j", async (perm) => {
    const x = randomTensor(1, [2, 3, 4]);
    const shape = perm.map((axis) => x.shape[axis] as number);
    const expected = tabulate(shape, (...index) => {
      const source: number[] = [];
      perm.forEach((axis, i) => {
        source[axis] = index[i] as number;
      });
      return at(x, ...source);
    });
    await checkOperator({ build: (a) => transpose(a as Tensor, perm), inputs: [x], shape, expected });
  });

  test("one after another are one; the identity is none", () => {
    const x = input("x", "float32", ["batch", 3, 4]);
    expect(transpose(x, [0, 1, 2])).toBe(x);
    expect(transpose(transpose(x, [2, 0, 1]), [1, 2, 0])).toBe(x);
    const joined = transpose(transpose(x, [2, 0, 1]), [0, 2, 1]);
    expect([joined.node.inputs[0], joined.shape]).toEqual([x, [4, 3, "batch"]]);
  });

  test("what is no permutation is refused", () => {
    const x = input("x", "float32", [2, 3, 4]);
    expectShapeError(() => transpose(x, [0, 1]), "transpose", "float32[2, 3, 4]", "[0, 1]");
    expectShapeError(() => transpose(x, [0, 1, 1]), "transpose", "float32[2, 3, 4]", "[0, 1, 1]");
    expectShapeError(() => transpose(x, [0, 1, 3]), "transpose", "float32[2, 3, 4]", "[0, 1, 3]");
  });
});
