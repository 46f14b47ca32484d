import { describe, expect, test } from "vitest";
import { randomTensor } from "../../test/graph-checks.ts";
import { ActivationHistogram, type ActivationScale } from "./activation-range.ts";

/** Both passes, in several parts. */
function histogramOf(...parts: readonly Float32Array[]): ActivationHistogram {
  const histogram = new ActivationHistogram();
  for (const part of parts) histogram.widen(part);
  for (const part of parts) histogram.count(part);
  return histogram;
}

function squaredError(values: Float32Array, { scale, zeroPoint }: ActivationScale): number {
  return values.reduce((sum, value) => {
    const level = Math.max(0, Math.min(255, Math.round(value / scale) + zeroPoint));
    return sum + (value - scale * (level - zeroPoint)) ** 2;
  }, 0);
}

const normal = randomTensor(1, [20_000]).data;
/** One value in 20,000 far away, as GELU and LayerNorm of trained models give them. */
const withOutlier = Float32Array.from([...normal, 200]);

describe("min-max", () => {
  test("covers all values; 0 is a level", () => {
    const { scale, zeroPoint } = histogramOf(Float32Array.of(-1, 0.5), Float32Array.of(3)).scale("min-max");
    expect(scale).toBeCloseTo(4 / 255, 7);
    expect(zeroPoint).toBe(64);
  });

  test.each<[string, number[], number]>([
    ["positive", [2, 5], 0],
    ["negative", [-5, -2], 255],
  ])("of %s values alone begins or ends at 0", (_, values, zeroPoint) => {
    const found = histogramOf(Float32Array.from(values)).scale("min-max");
    expect(found.scale).toBeCloseTo(5 / 255, 7);
    expect(found.zeroPoint).toBe(zeroPoint);
  });

  test("of zeros alone has a scale that can be divided by", () => {
    expect(histogramOf(new Float32Array(4)).scale("min-max")).toEqual({ scale: 1, zeroPoint: 0 });
  });
});

test("percentile leaves an outlier out", () => {
  const { scale } = histogramOf(withOutlier).scale("percentile");
  expect(255 * scale).toBeLessThan(9);
  expect(255 * scale).toBeGreaterThan(5);
});

describe("mse", () => {
  test("loses no more than any of the other methods", () => {
    const histogram = histogramOf(withOutlier);
    const losses = (["mse", "percentile", "min-max"] as const).map((method) =>
      squaredError(withOutlier, histogram.scale(method)),
    );
    expect(losses[0]).toBeLessThanOrEqual(1.01 * Math.min(...losses));
  });

  test("keeps an outlier whose loss would cost more than the finer levels gain", () => {
    const few = Float32Array.from([...normal.subarray(0, 100), 200]);
    const found = histogramOf(few).scale("mse");
    expect(255 * found.scale).toBeGreaterThan(150);
  });
});
