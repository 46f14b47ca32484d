import { expect, test } from "vitest";
import { areShares, writtenMetric } from "./values.ts";

test.each([
  ["average", 1, "100.00\u00a0%"],
  ["f1", 0, "0.00\u00a0%"],
  ["em", 0.5, "50.00\u00a0%"],
  ["exactMatch", 1, "100.00\u00a0%"],
  ["rocAuc", 1, "100.00\u00a0%"],
  ["accuracy", 0.9127, "91.27\u00a0%"],
  // Correlations are no parts of a whole.
  ["spearman", 0.8123, "0.8123"],
  ["pearson", 1, "1"],
  ["matthews", -0.25, "-0.25"],
  ["mse", 0.25, "0.25"],
  ["examples", 1200, "1,200"],
  ["bestThreshold", -0.5, "-0.5"],
])("%s of %d is written %s", (name, value, written) => {
  expect(writtenMetric(name, value)).toBe(written);
});

test("a column is of shares as a whole", () => {
  expect(areShares("precision", [0, 1, 0.5])).toBe(true);
  expect(areShares("precision", [0, 12])).toBe(false);
  expect(areShares("support", [0.5])).toBe(false);
});
