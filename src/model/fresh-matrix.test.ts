import { expect, test } from "vitest";
import { Random } from "../util/random.ts";
import { testFreshness } from "./fresh-matrix.ts";

const SIZE = 48;
const STD = 0.02;

function matrix(draw: (random: Random, row: number, column: number) => number, seed = 5): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) => draw(random, Math.floor(i / SIZE), i % SIZE));
}

const test48 = (data: Float32Array) => testFreshness(data, SIZE, SIZE, STD);

test("matrices as they are drawn are fresh at every seed", () => {
  for (let seed = 0; seed < 200; seed++) {
    expect(test48(matrix((random) => random.truncatedNormal(STD), seed)).isFresh).toBe(true);
    expect(test48(matrix((random) => STD * random.normal(), seed)).isFresh).toBe(true);
  }
});

test.each([
  ["mean", (random: Random) => STD * (random.normal() + 0.15)],
  ["variance", (random: Random) => 1.25 * STD * random.normal()],
  ["kurtosis", (random: Random) => STD * Math.sqrt(12) * (random.uniform() - 0.5)],
  ["norms of rows", (random: Random, row: number) => STD * random.normal() * (row % 2 === 0 ? 0.8 : 1.16)],
  ["norms of columns", (random: Random, _: number, at: number) => STD * random.normal() * (at % 2 === 0 ? 0.8 : 1.16)],
])("a matrix with another %s is not", (what, draw) => {
  const { isFresh, evidence } = test48(matrix(draw));
  expect(isFresh).toBe(false);
  expect(evidence).toContain(`(${what})`);
});

test("an entry beyond the cut tells that the distribution was not cut, and one far beyond that nothing was drawn so", () => {
  const data = matrix((random) => random.truncatedNormal(STD));
  data[7] = 2.004 * STD;
  expect(test48(data).isFresh).toBe(true);
  data[7] = 2.1 * STD;
  expect(test48(data).isFresh).toBe(false);
  expect(testFreshness(data, SIZE, SIZE, STD, 0.2 * STD).isFresh).toBe(true);
  const normal = matrix((random) => STD * random.normal());
  normal[7] = 9 * STD;
  expect(test48(normal)).toMatchObject({ isFresh: false });
});

test("what is no number is not fresh", () => {
  const data = matrix((random) => random.truncatedNormal(STD));
  data[7] = Number.NaN;
  expect(test48(data).isFresh).toBe(false);
});
