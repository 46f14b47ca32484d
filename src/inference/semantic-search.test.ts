import { expect, test } from "vitest";
import { Random } from "../util/random.ts";
import { VectorIndex } from "./semantic-search.ts";

test("the nearest by cosine, whatever the lengths; of equals the first", () => {
  const index = new VectorIndex(2);
  for (const vector of [
    [1, 0],
    [0, 2],
    [3, 3],
    [-1, 0],
    [0, 5],
  ])
    index.add(Float32Array.from(vector));
  const hits = index.search(Float32Array.of(0, 1), 3);
  expect(hits.map((hit) => hit.index)).toEqual([1, 4, 2]);
  expect(hits.map(({ score }) => Number(score.toFixed(6)))).toEqual([1, 1, Number(Math.SQRT1_2.toFixed(6))]);
  expect(index.search(Float32Array.of(0, 1), 99)).toHaveLength(5);
});

test("the same as sorting all cosines, beyond the first allocation", () => {
  const random = new Random(5);
  const vectorOf = () => Float32Array.from({ length: 3 }, () => random.normal());
  const vectors = Array.from({ length: 2500 }, vectorOf);
  const index = new VectorIndex(3);
  for (const vector of vectors) index.add(vector);
  const query = vectorOf();
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
  const all = vectors.map((vector, i) => [dot(vector, query) / Math.hypot(...vector), i] as const);
  const expected = all.sort(([a], [b]) => b - a).slice(0, 10);
  expect(index.search(query, 10).map((hit) => hit.index)).toEqual(expected.map(([, i]) => i));
});

test("vectors of another model and impossible numbers are refused", () => {
  const index = new VectorIndex(4);
  expect(() => index.add(new Float32Array(5))).toThrow(/expected 4 numbers, got 5/);
  expect(() => index.search(new Float32Array(4), 0)).toThrow(/topK: expected a whole number above 0, got 0/);
});
