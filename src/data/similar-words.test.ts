import { describe, expect, test } from "vitest";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { findSimilarWords } from "./similar-words.ts";
import { readWordVectors, type WordVectors } from "./word-vectors.ts";

const CHARACTERS = [..."山水风雨云雪花木春夏"];
const tokenizer = new BertTokenizer(
  Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...CHARACTERS, "pro", "##ba"]),
);
const read = (lines: readonly string[], maxWords?: number) => readWordVectors([lines], tokenizer, "v.txt", maxWords);

describe("word vectors", () => {
  test("are read with or without the line of counts, scaled to length 1, as tokens", async () => {
    const lines = ["山水 3 4", "Proba 0 -2 ", "", "云 1e0 0"];
    for (const all of [lines, ["4 2", ...lines]]) {
      const { words, lengths, dim, vectors } = await read(all);
      expect(words).toEqual(["山 水", "pro ##ba", "云"]);
      expect([...lengths]).toEqual([2, 2, 1]);
      expect(dim).toBe(2);
      expect([...vectors].map((value) => Math.round(10 * value) / 10)).toEqual([0.6, 0.8, 0, -1, 1, 0]);
    }
  });

  test("unknown, repeated and very long words are passed over; reading ends when there are enough", async () => {
    const lines = ["龘 1 0", "山 1 0", "山 0 1", "山水风雨云雪花木春 1 0", "水 0 1", "风 1 1", "雨 broken"];
    const { words, vectors } = await read(lines, 3);
    expect(words).toEqual(["山", "水", "风"]);
    expect([...vectors.subarray(0, 2)]).toEqual([1, 0]);
  });

  test.each([
    [["山 1 0", "水 1"], /v\.txt: line 2: expected a word and 2 numbers/],
    [["山 1 x"], /line 1: expected finite numbers/],
    [["山 1  0"], /line 1: expected finite numbers/],
    [["山 0 0"], /one of them not 0/],
    [["山 1 Infinity"], /finite/],
    [["山"], /a word and 2 to 1024 numbers/],
    [[`山${" 1".repeat(1025)}`], /a word and 2 to 1024 numbers/],
    [["龘 1 0"], /words that the vocabulary has/],
    [[], /words that the vocabulary has/],
  ])("%j are refused", async (lines, message) => {
    await expect(read(lines)).rejects.toThrow(message);
  });
});

/** Unit vectors by seeded numbers, near one of a few directions. */
function randomVectors(count: number, dim: number, seed: number): WordVectors {
  const random = new Random(seed);
  const vectors = new Float32Array(count * dim);
  const directions = Array.from({ length: 4 }, () => Array.from({ length: dim }, () => random.normal()));
  for (let word = 0; word < count; word++) {
    const direction = directions[word % 4] as number[];
    const values = direction.map((value) => value + random.normal());
    const length = Math.hypot(...values);
    vectors.set(
      values.map((value) => value / length),
      word * dim,
    );
  }
  const lengths = Uint8Array.from({ length: count }, (_, i) => 1 + (i % 3 === 0 ? 1 : 0));
  return { words: Array.from({ length: count }, (_, i) => `w${i}`), lengths, dim, vectors };
}

describe("similar words", () => {
  test("are the five nearest of equal length with a cosine of at least 0.5, the nearest first: against plain sorting", async () => {
    const given = randomVectors(120, 11, 3);
    const cosine = (a: number, b: number) => {
      let sum = 0;
      for (let i = 0; i < 11; i++) sum += (given.vectors[a * 11 + i] as number) * (given.vectors[b * 11 + i] as number);
      return sum;
    };
    const expected = given.words.map((word, a) => {
      const others = given.words.flatMap((other, b) =>
        a !== b && given.lengths[a] === given.lengths[b] ? [{ other, cosine: cosine(a, b) }] : [],
      );
      const near = others.filter((other) => other.cosine >= 0.5).sort((x, y) => y.cosine - x.cosine);
      return [word, ...near.slice(0, 5).map(({ other }) => other)];
    });
    expect(await findSimilarWords(given)).toEqual(expected);
    expect(expected.some((list) => list.length < 6)).toBe(true);
    expect(expected.some((list) => list.length === 6)).toBe(true);
  });

  test("long work can be stopped", async () => {
    const stop = () => Promise.reject(new Error("stopped"));
    await expect(findSimilarWords(randomVectors(10, 4, 1), stop)).rejects.toThrow("stopped");
  });
});
