/** Which way of making an update is taken, and how tokens become updates. */
import { describe, expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { stepCosts } from "./training-cost.ts";
import {
  bestChoice,
  type Choice,
  choicesOf,
  type LengthCosts,
  splitUpdates,
  updatesForTokens,
} from "./training-plan.ts";

const seqLength = 128;
const config = builtinConfig("tiny", 1000);
const lengthCosts = (recompute: boolean): LengthCosts => {
  const shape = { seqLength, maxPredictions: 20, nextSentence: true, recompute };
  return {
    all: stepCosts(config, shape),
    shorter: undefined,
    rest: stepCosts({ ...config, numHiddenLayers: 0 }, shape),
  };
};
const costs = { seqLength, plain: lengthCosts(false), recompute: lengthCosts(true) };
const rates = { layers: 1e11, rest: 5e10, update: 5e-9, accumulate: 1e-9 };
const smallest = (list: readonly Choice[]) => [...list].sort((a, b) => a.memory.total - b.memory.total)[0]!;
const choices = (memoryBytes: number, sequencesPerUpdate = 64) =>
  choicesOf({ costs, rates, sequencesPerUpdate, memoryBytes });
const sizes = (list: readonly Choice[]) => list.filter(({ recompute }) => !recompute).map(({ batchSize }) => batchSize);

describe("choices", () => {
  test("are the divisors of an update, up to 8192 tokens, each with and without recomputation", () => {
    expect(sizes(choices(1e12))).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(sizes(choices(1e12, 250))).toEqual([1, 2, 5, 10, 25, 50]);
    expect(choices(1e12)).toHaveLength(14);
    for (const { batchSize, gradientAccumulationSteps } of choices(1e12)) {
      expect(batchSize * gradientAccumulationSteps).toBe(64);
    }
  });

  test("time follows operations and rates: layers, the rest, and the loops over weights", () => {
    const [one] = choices(1e12, 1);
    const [all, rest] = [costs.plain.all.at(1), costs.plain.rest.at(1)];
    const expected = (all.flops - rest.flops) / 1e11 + rest.flops / 5e10 + costs.plain.all.parameters * 5e-9;
    expect(one?.secondsPerUpdate).toBeCloseTo(expected, 9);
    expect(one?.tokensPerSecond).toBeCloseTo(128 / expected, 3);
  });

  test("recomputing takes longer and less memory", () => {
    const [plain, again] = choices(1e12).filter(({ batchSize }) => batchSize === 32);
    expect(again!.secondsPerUpdate).toBeGreaterThan(1.2 * plain!.secondsPerUpdate);
    expect(again!.memory.total).toBeLessThan(0.85 * plain!.memory.total);
  });
});

describe("the best choice", () => {
  test("with plenty of memory is no recomputation, and a batch that needs little more than any other", () => {
    const best = bestChoice(choices(1e12))!;
    const fastest = Math.min(...choices(1e12).map(({ secondsPerUpdate }) => secondsPerUpdate));
    expect(best.recompute).toBe(false);
    expect(best.secondsPerUpdate).toBeLessThan(1.02 * fastest);
  });

  test("never needs more than there is, and is undefined when nothing fits", () => {
    const least = smallest(choices(1e12)).memory.total;
    for (const memory of [least, 1.2 * least, 2 * least, 4 * least]) {
      expect(bestChoice(choices(memory))!.memory.total).toBeLessThanOrEqual(memory);
    }
    expect(bestChoice(choices(least - 1))).toBeUndefined();
  });

  test("is recomputation where only that fits", () => {
    const least = smallest(choices(1e12));
    expect(least).toMatchObject({ batchSize: 1, recompute: true });
    expect(bestChoice(choices(least.memory.total))).toMatchObject({ recompute: true });
  });
});

test("tokens become updates of both lengths", () => {
  expect(updatesForTokens(256 * 128 * 10, 256, [128, 512], 0)).toEqual({ first: 10, second: 0 });
  const { first, second } = updatesForTokens(5.4e9, 256, [128, 512], 0.1);
  expect(second / (first + second)).toBeCloseTo(0.1, 3);
  const tokens = 256 * (first * 128 + second * 512);
  expect(tokens).toBeGreaterThanOrEqual(5.4e9);
  expect(tokens / 5.4e9).toBeCloseTo(1, 3);
  expect(splitUpdates(1000, 0.1)).toEqual({ first: 900, second: 100 });
});
