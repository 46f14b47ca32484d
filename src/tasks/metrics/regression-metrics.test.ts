/** Correlations and distances against scipy 1.x and numpy. */
import { expect, test } from "vitest";
import { ArgumentError } from "../../errors.ts";
import { averageRanks, pearson, regressionMetrics, spearman } from "./regression-metrics.ts";

const EXPECTED = [0, 1, 2.5, 2.5, 5, 4, 3, 1, 0, 5, 4.5, 3];
const PREDICTED = [0.3, 0.9, 2.2, 3.1, 4.4, 4.4, 2.2, 1.7, 0.1, 4.9, 3.6, 0.9];

test("scores with ties on both sides", () => {
  const metrics = regressionMetrics(EXPECTED, PREDICTED);
  expect(metrics.pearson).toBeCloseTo(0.9013519816480109, 14);
  expect(metrics.spearman).toBeCloseTo(0.8883034574861053, 14);
  expect(metrics.mse).toBeCloseTo(0.62, 14);
  expect(metrics.mae).toBeCloseTo(0.5833333333333334, 14);
});

test("equal numbers share the mean of their ranks", () => {
  expect([...averageRanks(PREDICTED)]).toEqual([2, 3.5, 6.5, 8, 10.5, 10.5, 6.5, 5, 1, 12, 9, 3.5]);
});

test("an order that is turned round is -1, whatever the distances", () => {
  expect(spearman([1, 2, 3, 100], [9, 8, 7, -1000])).toBeCloseTo(-1, 14);
  expect(pearson([1, 2, 3], [6, 4, 2])).toBeCloseTo(-1, 14);
});

test("numbers far from 0 keep their correlation", () => {
  const far = EXPECTED.map((value) => 1e8 + value);
  expect(pearson(far, PREDICTED)).toBeCloseTo(0.9013519816480109, 8);
});

test("a model that says the same of every text has no correlation", () => {
  expect(regressionMetrics([1, 2, 3], [0.1, 0.1, 0.1])).toMatchObject({ pearson: 0, spearman: 0 });
  expect(regressionMetrics([2], [2])).toEqual({ pearson: 0, spearman: 0, mse: 0, mae: 0 });
});

test("numbers that cannot be paired are refused", () => {
  expect(() => pearson([1, 2], [1])).toThrow(ArgumentError);
  expect(() => regressionMetrics([], [])).toThrow("metrics: expected as many numbers on both sides, at least one");
});
