import { expect, test } from "vitest";
import { ArgumentError } from "../../errors.ts";
import { balancedClassWeights } from "./class-balance.ts";

const base = { maxSeqLength: 16 };

test("labels that exclude each other: every label weighs the same over all examples", () => {
  const examples = ["a", "b", "a", "a", "a", "c"].map((label) => ({ label }));
  const weights = balancedClassWeights({ ...base, task: "classify", labels: ["a", "b", "c", "d"] }, examples);
  // compute_class_weight("balanced") of scikit-learn gives n / (classes x count).
  expect(weights).toEqual([6 / 16, 6 / 4, 6 / 4, 1]);
  expect((weights[0] as number) * 4).toBe(weights[1]);
});

test("labels by themselves: examples without for each with", () => {
  const examples = [{ labels: ["a", "b"] }, { labels: ["a"] }, { labels: [] }, { labels: ["a"] }];
  const weights = balancedClassWeights({ ...base, task: "multilabel", labels: ["a", "b", "c"] }, examples);
  expect(weights).toEqual([1 / 3, 3, 1]);
});

test("examples without labels do not count, and a label that all have is still learned", () => {
  const one = [{ label: "a" }, { label: "b" }, {}, {}, {}];
  expect(balancedClassWeights({ ...base, task: "classify", labels: ["a", "b"] }, one)).toEqual([1, 1]);
  const several = [{ labels: ["a", "b", "b"] }, { labels: ["a"] }, {}, {}];
  expect(balancedClassWeights({ ...base, task: "multilabel", labels: ["a", "b"] }, several)).toEqual([1, 1]);
});

test("tasks without labels of texts are refused", () => {
  expect(() => balancedClassWeights({ ...base, task: "regress" }, [])).toThrow(ArgumentError);
});
