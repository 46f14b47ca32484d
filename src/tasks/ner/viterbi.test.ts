/** Best paths and marginals against every path tried one by one. */
import { describe, expect, test } from "vitest";
import { Random } from "../../util/random.ts";
import {
  addTransitions,
  bestPath,
  labelMarginals,
  legalTransitions,
  logProbabilities,
  type Transitions,
} from "./viterbi.ts";

const LABELS = 3;
const LENGTH = 5;

function randomArray(random: Random, size: number): Float64Array {
  return Float64Array.from({ length: size }, () => random.normal());
}

function drawn(seed: number): { scores: Float64Array; transitions: Transitions } {
  const random = new Random(seed);
  const transitions = {
    start: randomArray(random, LABELS),
    end: randomArray(random, LABELS),
    between: randomArray(random, LABELS * LABELS),
  };
  return { scores: randomArray(random, LENGTH * LABELS), transitions };
}

function everyPath(length: number): number[][] {
  if (length === 0) return [[]];
  return everyPath(length - 1).flatMap((path) => [0, 1, 2].map((label) => [...path, label]));
}

function scoreOf(path: readonly number[], scores: Float64Array, { start, end, between }: Transitions): number {
  const steps = path.map((label, t) => {
    const before = t === 0 ? start[label] : between[(path[t - 1] as number) * LABELS + label];
    return (before as number) + (scores[t * LABELS + label] as number);
  });
  return steps.reduce((sum, step) => sum + step, end[path.at(-1) as number] as number);
}

test.each([1, 2, 3, 4])("the best of all paths, drawn with seed %i", (seed) => {
  const { scores, transitions } = drawn(seed);
  const paths = everyPath(LENGTH);
  const totals = paths.map((path) => scoreOf(path, scores, transitions));
  expect(bestPath(scores, transitions)).toEqual(paths[totals.indexOf(Math.max(...totals))]);
});

test("marginals are the shares of all paths, also where scores are large", () => {
  const { scores, transitions } = drawn(5);
  const large = scores.map((score) => score + 2000);
  const paths = everyPath(LENGTH);
  const powers = paths.map((path) => Math.exp(scoreOf(path, scores, transitions)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const marginals = labelMarginals(large, transitions);
  for (let t = 0; t < LENGTH; t++) {
    for (let label = 0; label < LABELS; label++) {
      const share = powers.reduce((sum, power, i) => sum + (paths[i]?.[t] === label ? power : 0), 0) / total;
      expect(marginals[t * LABELS + label]).toBeCloseTo(share, 9);
    }
  }
});

describe("legal paths", () => {
  const labels = ["O", "B-PER", "I-PER"];
  const likely = (...best: number[]) =>
    Float64Array.from(best.flatMap((chosen) => labels.map((_, label) => (label === chosen ? 2 : label === 1 ? 1 : 0))));

  test("an I after O becomes what costs least", () => {
    expect(bestPath(likely(0, 2, 2), legalTransitions(labels, "IOB2"))).toEqual([0, 1, 2]);
    expect(bestPath(likely(0, 1, 2), legalTransitions(labels, "IOB2"))).toEqual([0, 1, 2]);
  });

  test("where no path is legal there still is one", () => {
    expect(bestPath(Float64Array.of(0, 3), legalTransitions(["B-PER", "I-PER"], "IOBES"))).toEqual([0]);
    expect(bestPath([], legalTransitions(labels, "IOB2"))).toEqual([]);
  });

  test("transitions add up", () => {
    const { transitions } = drawn(6);
    const both = addTransitions(transitions, legalTransitions(labels, "IOB2"));
    expect(both.start[0]).toBe(transitions.start[0]);
    expect(both.between[0 * LABELS + 2]).toBeLessThan(-1e5);
  });
});

test("log probabilities of each row sum to 1", () => {
  const shares = [...logProbabilities([1000, 1000, 0, Math.log(3)], 2)].map((value) => Math.exp(value));
  [0.5, 0.5, 0.25, 0.75].forEach((share, i) => {
    expect(shares[i]).toBeCloseTo(share, 9);
  });
});
