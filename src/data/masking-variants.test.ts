/** Each variant against its law. Shares are of seeded draws; tolerances are three standard errors or more. */
import { describe, expect, test } from "vitest";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { createMasking, drawMasks, type MaskingOptions } from "./masking.ts";
import { maskingCode, parseMasking } from "./masking-variants.ts";

const LETTERS = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e10 + i));
const vocabulary = Vocabulary.fromTokens(["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...LETTERS]);
const { cls, sep, mask } = vocabulary.ids;
const FIRST = vocabulary.id(LETTERS[0] as string) as number;

/** Words as lists of letters by number, in [CLS] ... [SEP]. */
function sequence(words: readonly (readonly number[])[]) {
  const ids = [cls, ...words.flat().map((letter) => FIRST + letter), sep];
  const starts = [1, ...words.flatMap((word) => word.map((_, i) => (i === 0 ? 1 : 0))), 1];
  return { ids: Int32Array.from(ids), wordStarts: Uint8Array.from(starts) };
}

/** The text of a word, as dictionaries hold it. */
const word = (...letters: number[]) => letters.map((letter) => LETTERS[letter]).join(" ");

/** Draws many times. */
function* draws(words: ReturnType<typeof sequence>, options: MaskingOptions, count: number, seed = 5) {
  const plan = createMasking(vocabulary, options);
  const random = new Random(seed);
  for (let i = 0; i < count; i++) yield drawMasks(words.ids, words.wordStarts, plan, random);
}

/** Runs of neighbouring positions, as [first, length]. */
function runsOf(positions: Int32Array): [number, number][] {
  const runs: [number, number][] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === position) last[1] += 1;
    else runs.push([position, 1]);
  }
  return runs;
}

const singles = (count: number) => sequence(Array.from({ length: count }, (_, i) => [i % 40]));

/** The chances of all ways to fill a budget with runs of these weights, the last one shortened; longest run first. */
function expectedRuns(weights: readonly number[], budget: number): Map<string, number> {
  const total = weights.reduce((a, b) => a + b, 0);
  const found = new Map<string, number>();
  const go = (runs: readonly number[], left: number, chance: number): void => {
    if (left === 0) {
      const key = [...runs].sort((a, b) => b - a).join("+");
      found.set(key, (found.get(key) ?? 0) + chance);
      return;
    }
    weights.forEach((weight, i) => {
      const length = Math.min(left, i + 1);
      go([...runs, length], left - length, (chance * weight) / total);
    });
  };
  go([], budget, 1);
  return found;
}

describe("runs of words follow their law", () => {
  const geometric = Array.from({ length: 10 }, (_, i) => 0.2 * 0.8 ** i);
  test.each([
    ["ngram", "MacBERT's 40/30/20/10 %", undefined, [0.4, 0.3, 0.2, 0.1], 4],
    ["ngram", "ERNIE's 1/n", [1, 1 / 2, 1 / 3], [1, 1 / 2, 1 / 3], 3],
    ["ngram", "only pairs", [0, 1], [0, 1], 4],
    ["span", "SpanBERT's geometric law", undefined, geometric, 10],
  ] as const)("%s, %s", (masking, _name, ngramWeights, weights, budget) => {
    // Long enough that runs seldom touch (2 % of draws at most).
    const words = singles(2000);
    const options = { masking, maxPredictionsPerSeq: budget, ...(ngramWeights && { ngramWeights }) };
    const counts = new Map<string, number>();
    const total = 3000;
    for (const { positions } of draws(words, options, total)) {
      const key = runsOf(positions)
        .map(([, length]) => length)
        .sort((a, b) => b - a)
        .join("+");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [key, chance] of expectedRuns(weights, budget)) {
      expect(Math.abs((counts.get(key) ?? 0) / total - chance), `share of ${key}`).toBeLessThan(0.03);
    }
  });
});

test("span: 80/10/10 is drawn once for a run", () => {
  const words = singles(200);
  const seen = { mask: 0, kept: 0, random: 0, mixed: 0 };
  for (const { positions, labels, inputIds } of draws(words, { masking: "span", maxPredictionsPerSeq: 10 }, 3000)) {
    const [run, ...others] = runsOf(positions) as [[number, number], ...[number, number][]];
    // Runs that touch cannot be told apart: only what is surely one run counts.
    if (others.length > 0 || run[1] < 10) continue;
    const ids = [...positions].map((position) => inputIds[position] as number);
    const masked = ids.filter((id) => id === mask).length;
    if (masked === 10) seen.mask += 1;
    else if (masked > 0) seen.mixed += 1;
    else if (ids.every((id, i) => id === labels[i])) seen.kept += 1;
    else seen.random += 1;
  }
  const total = seen.mask + seen.kept + seen.random;
  expect(total).toBeGreaterThan(80);
  // A few runs of ten are two that touch.
  expect(seen.mixed / total).toBeLessThan(0.1);
  expect(Math.abs(seen.mask / total - 0.8)).toBeLessThan(0.13);
  expect(seen.kept).toBeGreaterThan(0);
  expect(seen.random).toBeGreaterThan(0);
});

test("a mixture draws a variant for each sequence by its share", () => {
  const words = sequence(Array.from({ length: 60 }, (_, i) => [i % 40, (i + 1) % 40]));
  let broken = 0;
  for (const { positions } of draws(words, { masking: "whole-word:0.7,char:0.3" }, 4000)) {
    if (runsOf(positions).some(([first, length]) => first % 2 === 0 || length % 2 === 1)) broken += 1;
  }
  expect(Math.abs(broken / 4000 - 0.3)).toBeLessThan(0.025);
});

test("none masks nothing", () => {
  for (const { positions, inputIds } of draws(singles(50), { masking: "none" }, 20)) {
    expect(positions).toHaveLength(0);
    expect(inputIds).toEqual(singles(50).ids);
  }
});

describe("names", () => {
  test("one, or several with shares", () => {
    expect(parseMasking("span")).toEqual([{ masking: "span", share: 1 }]);
    expect(parseMasking("ngram:0.5, char:0.5")).toEqual([
      { masking: "ngram", share: 0.5 },
      { masking: "char", share: 0.5 },
    ]);
    expect(maskingCode("char:1")).toBe("char");
    expect(maskingCode("ngram:0.5,char:0.5")).toBe("mixed");
  });

  test.each([
    "",
    "mixed",
    "words",
    "char:0.5",
    "char,span",
    "char:0.5,char:0.5",
    "char:1.2,span:-0.2",
    "char:0.5:1",
    "char:x",
  ])("%j is refused", (text) => expect(() => parseMasking(text)).toThrow(/masking: expected/));

  test("variants that need words say so", () => {
    expect(() => createMasking(vocabulary, { masking: "entity" })).toThrow(/at least one entity/);
    expect(() => createMasking(vocabulary, { masking: "phrase", words: { entities: [word(1)] } })).toThrow(/phrase/);
    expect(() => createMasking(vocabulary, { masking: "macbert" })).toThrow(/similar words/);
    expect(() => createMasking(vocabulary, { masking: "ngram", ngramWeights: [0, 0] })).toThrow(/ngramWeights/);
    expect(() => createMasking(vocabulary, { masking: "ngram", ngramWeights: [-1, 2] })).toThrow(/ngramWeights/);
  });
});

describe("a dictionary", () => {
  /** The units, found by asking for one prediction more than each has. */
  const unitsOf = (words: ReturnType<typeof sequence>, options: MaskingOptions) => {
    const plan = createMasking(vocabulary, options);
    const [starts, ends] = [new Int32Array(99), new Int32Array(99)];
    const sequenceOf = { ...words, length: words.ids.length, isSpecial: plan.isSpecial };
    const count = plan.variants[0]?.variant.findUnits(sequenceOf, { starts, ends }) ?? 0;
    return Array.from({ length: count }, (_, i) => [starts[i], ends[i]]);
  };

  test("the longest entry counts, where words begin and end; elsewhere words are whole", () => {
    // Words 1 2 | 3 | 4 5 | 6; the entity 2 3 lies across words, 1 2 3 and 1 2 3 4 5 do not.
    const words = sequence([[1, 2], [3], [4, 5], [6]]);
    const entities = [word(2, 3), word(1, 2, 3), word(1, 2, 3, 4, 5), word(4)];
    expect(unitsOf(words, { masking: "entity", words: { entities } })).toEqual([
      [1, 6],
      [6, 7],
    ]);
    expect(unitsOf(words, { masking: "entity", words: { entities: entities.slice(0, 2) } })).toEqual([
      [1, 4],
      [4, 6],
      [6, 7],
    ]);
  });

  test("an entity comes before a phrase, which the phrase level alone knows", () => {
    const words = sequence([[1], [2], [3], [4, 5]]);
    const both = { entities: [word(1, 2)], phrases: [word(1, 2, 3), word(3, 4, 5)] };
    expect(unitsOf(words, { masking: "entity", words: both })).toEqual([
      [1, 3],
      [3, 6],
    ]);
    expect(unitsOf(words, { masking: "phrase", words: both })).toEqual([
      [1, 4],
      [4, 6],
    ]);
  });

  test("nothing reaches over [SEP], and what the vocabulary lacks is left out", () => {
    const words = sequence([[1], [2], [3]]);
    words.ids[2] = sep;
    const entities = [word(1, 3), word(1, 2), "龘 龘"];
    expect(unitsOf(words, { masking: "entity", words: { entities } })).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(() => unitsOf(words, { masking: "entity", words: { entities: ["龘 龘"] } })).toThrow(/at least one entity/);
  });

  test("an entity is masked whole or not at all, as often as a word", () => {
    const words = sequence([[1], [2], [3], ...Array.from({ length: 40 }, (_, i) => [4 + (i % 36)])]);
    const options = { masking: "entity", words: { entities: [word(1, 2, 3)] }, maxPredictionsPerSeq: 6 };
    let whole = 0;
    for (const { positions } of draws(words, options, 4000)) {
      const hits = positions.filter((position) => position <= 3).length;
      expect([0, 3]).toContain(hits);
      if (hits === 3) whole += 1;
    }
    // Of 41 units some five are taken; the entity needs three places, so it is skipped where fewer are left.
    expect(whole / 4000).toBeGreaterThan(0.08);
    expect(whole / 4000).toBeLessThan(0.13);
  });
});

describe("macbert", () => {
  // Pairs of letters 0 1, 2 3, ... 18 19 are words, each similar to the next and the last to the first.
  const pairs = Array.from({ length: 10 }, (_, i) => [2 * i, 2 * i + 1] as const);
  const similarWords = pairs.map((pair, i) => [word(...pair), word(...(pairs[(i + 1) % 10] as [number, number]))]);
  const options = { masking: "macbert", ngramWeights: [1], words: { similarWords } };

  test("80 % similar, 10 % random and 10 % the word itself, drawn for a word as one; never [MASK]", () => {
    const words = sequence(pairs);
    const seen = { similar: 0, same: 0, other: 0 };
    for (const { positions, inputIds } of draws(words, options, 4000)) {
      for (const [first] of runsOf(positions)) {
        const pair = (((inputIds[first] as number) - FIRST) / 2) % 10;
        expect(Number.isInteger(pair)).toBe(true);
        expect(inputIds[first + 1]).toBe((inputIds[first] as number) + 1);
        const own = (first - 1) / 2;
        if (pair === (own + 1) % 10) seen.similar += 1;
        else if (pair === own) seen.same += 1;
        else seen.other += 1;
      }
    }
    const total = seen.similar + seen.same + seen.other;
    // One random word in ten is the similar one, and one the word itself.
    expect(Math.abs(seen.similar / total - 0.81)).toBeLessThan(0.02);
    expect(Math.abs(seen.same / total - 0.11)).toBeLessThan(0.02);
    expect(Math.abs(seen.other / total - 0.08)).toBeLessThan(0.02);
  });

  test("a word without similar ones is replaced token by token, by similar tokens or else ordinary ones", () => {
    const words = sequence([[30, 31]]);
    const table = {
      similarWords: [
        [word(30), word(5)],
        [word(6, 7), word(8, 9)],
      ],
    };
    const all = { masking: "macbert", maskTokenProb: 1, randomTokenProb: 0, words: table, maxPredictionsPerSeq: 2 };
    const second = new Set<number>();
    for (const { inputIds } of draws(words, { ...all, maskedLmProb: 0.5 }, 400)) {
      expect(inputIds[1]).toBe(FIRST + 5);
      second.add(inputIds[2] as number);
    }
    expect(second.size).toBeGreaterThan(30);
    expect(Math.min(...second)).toBeGreaterThanOrEqual(FIRST);
  });

  test("words with special or unused tokens are never put in, nor words of another length", () => {
    const words = sequence([[1, 2]]);
    const similar = [
      [word(1, 2), "[MASK] [MASK]", `[unused1] ${word(3)}`, word(3), word(4, 5)],
      ["[SEP] [CLS]", word(6, 7)],
    ];
    const all = { masking: "macbert", words: { similarWords: similar }, maskedLmProb: 0.5, maxPredictionsPerSeq: 2 };
    const seen = new Set<string>();
    for (const { inputIds } of draws(words, all, 400)) seen.add(inputIds.slice(1, 3).join());
    expect(seen).toEqual(new Set([[FIRST + 1, FIRST + 2].join(), [FIRST + 4, FIRST + 5].join()]));
  });
});
