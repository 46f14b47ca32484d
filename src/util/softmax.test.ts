import { expect, test } from "vitest";
import { softmaxOf } from "./softmax.ts";

test("shares in the proportion of the powers of e, also of scores whose powers overflow", () => {
  expect(softmaxOf([Math.log(1), Math.log(3)])).toEqual([expect.closeTo(0.25, 14), expect.closeTo(0.75, 14)]);
  expect(softmaxOf(Float32Array.of(9000, 9000, -9000))).toEqual([0.5, 0.5, 0]);
  expect(softmaxOf([])).toEqual([]);
});
