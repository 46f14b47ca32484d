/** Spread over seeds and significance, next to what scipy 1.17.1 and numpy 2 give for the same numbers. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../errors.ts";
import {
  compareResampled,
  holm,
  mcnemar,
  meanMeasure,
  type PairedScores,
  pairedBootstrap,
  type ResampledMetric,
  resampleMetrics,
  statisticsOf,
} from "./significance.ts";

describe("results of several runs", () => {
  test("maximum, mean, deviation (n - 1) and the interval of Student's t", () => {
    const found = statisticsOf([0.812, 0.795, 0.8203, 0.8011, 0.79]);
    expect(found).toMatchObject({ runs: 5, max: 0.8203, min: 0.79 });
    expect(found.mean).toBeCloseTo(0.80368, 12);
    expect(found.standardDeviation).toBeCloseTo(0.012395442710932111, 12);
    expect(found.confidence?.[0]).toBeCloseTo(0.7882890250440383, 10);
    expect(found.confidence?.[1]).toBeCloseTo(0.8190709749559616, 10);
  });

  // scipy.stats.t.interval(0.95, df) times the standard error, for 1, 2 and 9 degrees of freedom.
  test.each([
    [[1, 3], 14.706204736174694],
    [[-1, 0, 1], 4.302652729749462 / Math.sqrt(3)],
    [[-1, -1, -1, -1, -1, 1, 1, 1, 1, 1], (2.262157162798205 * Math.sqrt(10 / 9)) / Math.sqrt(10)],
  ])("the interval of %j", (values, high) => {
    expect(statisticsOf(values).confidence?.[1]).toBeCloseTo(high, 9);
  });

  test("one run has no spread, none are an error", () => {
    expect(statisticsOf([0.5])).toEqual({ runs: 1, max: 0.5, min: 0.5, mean: 0.5 });
    expect(() => statisticsOf([])).toThrow(ArgumentError);
  });
});

const accuracies = (first: readonly number[], second: readonly number[]): PairedScores => ({
  first: Float64Array.from(first),
  second: Float64Array.from(second),
  parts: 1,
  measure: meanMeasure,
});

describe("two models on the same examples", () => {
  const indices = Array.from({ length: 1000 }, (_, i) => i);
  const right = (is: (i: number) => boolean): number[] => indices.map((i) => Number(is(i)));
  const paired = accuracies(
    right((i) => (i * 7) % 10 < 8),
    right((i) => (i * 3) % 20 < 15),
  );

  test("the paired bootstrap gives the interval that scipy.stats.bootstrap gives, within its own noise", () => {
    const found = pairedBootstrap(paired, { resamples: 10_000, seed: 3 });
    expect(found.difference).toBeCloseTo(0.05, 12);
    // scipy, 200,000 resamples: 0.009 to 0.092, 0.99082 wins, 0.019865.
    expect(Math.abs(found.low - 0.009)).toBeLessThan(0.002);
    expect(Math.abs(found.high - 0.092)).toBeLessThan(0.002);
    expect(Math.abs(found.wins - 0.99082)).toBeLessThan(0.004);
    expect(Math.abs(found.pValue - 0.019865)).toBeLessThan(0.006);
  });

  test("equal seeds give equal results, others do not", () => {
    const run = (seed: number) => pairedBootstrap(paired, { resamples: 500, seed });
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });

  test("the same model twice is no difference", () => {
    const { first } = paired;
    const found = pairedBootstrap({ ...paired, second: first }, { resamples: 200 });
    expect(found).toEqual({ difference: 0, low: 0, high: 0, wins: 0.5, pValue: 1 });
  });

  test("several models resampled together give what each pair gives by itself", () => {
    const scores = [7, 3, 9].map((factor) => Float64Array.from(right((i) => (i * factor) % 10 < 8)));
    const all = resampleMetrics(scores, { parts: 1, measure: meanMeasure }, { resamples: 300 });
    for (const [first, second] of [
      [0, 1],
      [0, 2],
      [2, 1],
    ] as const) {
      const pair = accuracies([...(scores[first] ?? [])], [...(scores[second] ?? [])]);
      const found = compareResampled(all[first] as ResampledMetric, all[second] as ResampledMetric);
      expect(found).toEqual(pairedBootstrap(pair, { resamples: 300 }));
    }
  });

  test("a metric of sums is resampled as a whole: F1 of entities is not the mean of sentences' F1", () => {
    // Right, predicted and true entities of a sentence.
    const f1 = (sums: Float64Array): number => (2 * (sums[0] as number)) / ((sums[1] as number) + (sums[2] as number));
    const sentence = (i: number, share: number) => [Math.floor((i % 4) * share), i % 4, (i % 4) + (i % 2)];
    const scores = (share: number) => Float64Array.from(indices.flatMap((i) => sentence(i, share)));
    const found = pairedBootstrap(
      { first: scores(1), second: scores(0.5), parts: 3, measure: f1 },
      { resamples: 400, seed: 1 },
    );
    // 1500 right of 1500 predicted and 2000 true; 500 right.
    expect(found.difference).toBeCloseTo((2 * 1500) / 3500 - (2 * 500) / 3500, 12);
    expect(found.low).toBeGreaterThan(0.5);
    expect(found.pValue).toBeCloseTo(1 / 401, 12);
  });

  test("examples that do not match are refused", () => {
    expect(() => pairedBootstrap(accuracies([1, 0], [1]))).toThrow(
      /as many examples as the first model has \(2\), got 1/,
    );
    expect(() => pairedBootstrap(accuracies([], []))).toThrow(ArgumentError);
  });

  // scipy.stats.binomtest(k, n).pvalue
  test.each([
    [7, 23, 0.005222879350185395],
    [40, 50, 0.34283311942078787],
    [0, 5, 0.0625],
    [5, 5, 1],
    [400, 600, 2.728464156065947e-10],
  ])("McNemar of %i against %i", (first, second, p) => {
    expect(mcnemar(first, second) / p).toBeCloseTo(1, 9);
    expect(mcnemar(second, first)).toBe(mcnemar(first, second));
  });

  test("Holm's correction keeps the order and never falls", () => {
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([0.6, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });
});
