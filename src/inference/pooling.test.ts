import { describe, expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import {
  normalizeRows,
  POOLING_STRATEGIES,
  pooledWidth,
  poolingGraphOptions,
  tokenWeights,
  truncateRows,
} from "./pooling.ts";

const HALF_ROOT = Number(Math.SQRT1_2.toFixed(4));
const rounded = (weights: Float32Array) => Array.from(weights, (weight) => Number(weight.toFixed(4)));

describe("tokenWeights", () => {
  const cases = [
    ["mean", [0.25, 0.25, 0.25, 0.25, 0], [0, 0.5, 0.5, 0, 0]],
    ["mean-max", [0.25, 0.25, 0.25, 0.25, 0], [0, 0.5, 0.5, 0, 0]],
    ["mean-sqrt-len", [0.5, 0.5, 0.5, 0.5, 0], [0, HALF_ROOT, HALF_ROOT, 0, 0]],
    ["weighted-mean", [0.1, 0.2, 0.3, 0.4, 0], [0, 0.3333, 0.6667, 0, 0]],
    ["cls", [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]],
    ["last-token", [0, 0, 0, 1, 0], [0, 0, 1, 0, 0]],
    // The place (tokens that count) - 1, whatever stands there.
    ["sep", [0, 0, 0, 1, 0], [0, 1, 0, 0, 0]],
  ] as const;

  test.each(cases)("%s", (strategy, plain, masked) => {
    expect(rounded(tokenWeights(strategy, [1, 1, 1, 1, 0]))).toEqual(plain);
    expect(rounded(tokenWeights(strategy, [0, 1, 1, 0, 0]))).toEqual(masked);
    expect(rounded(tokenWeights(strategy, [0, 0]))).toEqual([0, 0]);
  });

  test("weighted-mean counts places from a given one", () => {
    expect(rounded(tokenWeights("weighted-mean", [0, 1, 1, 0], 0))).toEqual([0, 0.4, 0.6, 0]);
  });
});

describe("poolingGraphOptions", () => {
  const config = builtinConfig("rbt3", 100);

  test("layers are counted from the front; some strategies have their own", () => {
    expect(poolingGraphOptions(config, "mean")).toEqual({ layers: [3], joinLayers: "concatenate", kind: "weighted" });
    expect(poolingGraphOptions(config, "max", [-2, 0])).toMatchObject({ layers: [2, 0], kind: "max" });
    expect(poolingGraphOptions(config, "first-last-avg")).toMatchObject({ layers: [1, 3], joinLayers: "average" });
    expect(poolingGraphOptions(config, "pooler", [-1])).toMatchObject({ kind: "pooler" });
    expect(() => poolingGraphOptions(config, "pooler", [-2])).toThrow(ArgumentError);
  });

  test("columns", () => {
    const widths = POOLING_STRATEGIES.map((strategy) => [
      strategy,
      pooledWidth(config, strategy, poolingGraphOptions(config, strategy)),
    ]);
    expect(Object.fromEntries(widths)).toMatchObject({ mean: 768, "mean-max": 1536, "first-last-avg": 768, none: 768 });
  });
});

test("rows are cut and scaled to length 1; zeros stay", () => {
  const cut = truncateRows(Float32Array.of(3, 4, 9, 0, 0, 9), 3, 2);
  normalizeRows(cut, 2);
  expect(rounded(cut)).toEqual([0.6, 0.8, 0, 0]);
});
