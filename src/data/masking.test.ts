import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { createMasking, drawMasks, type MaskingOptions, predictionBudget } from "./masking.ts";

const CHINESE = [..."春天的风吹过田野孩子们在河边放起风筝老人坐着喝茶说往事"];
const vocabulary = Vocabulary.fromTokens([
  ...["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>"],
  ...CHINESE.filter((character, i) => CHINESE.indexOf(character) === i),
  ...["##天", "##ing", "walk", "2008"],
]);
const { cls, sep, mask, pad } = vocabulary.ids;

/** A sequence of words of the given lengths in two segments, with ids that real text can have. */
function sequence(lengthsA: readonly number[], lengthsB: readonly number[] = []) {
  const ids: number[] = [cls];
  const wordStarts: number[] = [1];
  for (const lengths of lengthsB.length > 0 ? [lengthsA, lengthsB] : [lengthsA]) {
    for (const length of lengths) {
      for (let i = 0; i < length; i++) {
        wordStarts.push(i === 0 ? 1 : 0);
        ids.push(7 + ((ids.length * 5) % 20));
      }
    }
    ids.push(sep);
    wordStarts.push(1);
  }
  return { ids: Int32Array.from(ids), wordStarts: Uint8Array.from(wordStarts) };
}

const draw = (words: ReturnType<typeof sequence>, options: MaskingOptions, seed = 1) =>
  drawMasks(words.ids, words.wordStarts, createMasking(vocabulary, options), new Random(seed));

/** Lengths of the words (or runs of adjacent masked tokens, when `runs`) that were masked. */
function maskedRuns(positions: Int32Array): number[] {
  const runs: number[] = [];
  positions.forEach((position, i) => {
    if (i > 0 && positions[i - 1] === position - 1) runs[runs.length - 1] = (runs.at(-1) as number) + 1;
    else runs.push(1);
  });
  return runs;
}

describe("budget", () => {
  test("counts special tokens, rounds halves to even, predicts at least one, at most the maximum", () => {
    const options = { maxPredictionsPerSeq: 20, maskedLmProb: 0.15 };
    expect([3, 10, 30, 50, 128, 512].map((length) => predictionBudget(length, options))).toEqual([1, 2, 4, 8, 19, 20]);
  });
});

describe("whole words", () => {
  const words = sequence([1, 2, 3, 2, 4, 1, 2, 2, 1, 3], [2, 2, 1, 3, 2, 2, 4, 1]);

  test("are masked whole or not at all, and never a special token", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { positions, labels, inputIds } = draw(words, { masking: "whole-word", maskedLmProb: 0.3 }, seed);
      const masked = new Set(positions);
      for (let i = 1; i < words.ids.length; i++) {
        if (words.wordStarts[i] === 0) expect(masked.has(i)).toBe(masked.has(i - 1));
        if (words.ids[i] === sep || words.ids[i] === cls) expect(masked.has(i)).toBe(false);
        if (!masked.has(i)) expect(inputIds[i]).toBe(words.ids[i]);
      }
      expect([...labels]).toEqual([...positions].map((position) => words.ids[position]));
    }
  });

  test("a word at the start of B is not part of A's last word, even when its head was cut off", () => {
    const cut = sequence([3], [3]);
    cut.wordStarts[5] = 0;
    const alone = draw(cut, { masking: "whole-word", maskedLmProb: 0.33 }, 4);
    expect(alone.positions.length).toBe(3);
    expect([
      [1, 2, 3],
      [5, 6, 7],
    ]).toContainEqual([...alone.positions]);
  });

  test("one that would overflow the budget is skipped whole; a shorter one further on still fits", () => {
    const words = sequence([5, 5, 5, 1]);
    for (let seed = 0; seed < 50; seed++) {
      const { positions } = draw(words, { masking: "whole-word", maxPredictionsPerSeq: 4, maskedLmProb: 1 }, seed);
      expect([...positions]).toEqual([16]);
    }
    expect(draw(sequence([5, 5]), { masking: "whole-word", maxPredictionsPerSeq: 4 }).positions).toHaveLength(0);
  });

  test("fill the budget when words are short", () => {
    const { positions } = draw(sequence(Array(126).fill(1)), { masking: "whole-word" });
    expect(positions).toHaveLength(19);
  });
});

test("character masking takes the tokens of a word apart", () => {
  const words = sequence(Array(30).fill(2));
  const runs = maskedRuns(draw(words, { masking: "char" }).positions);
  expect(runs.some((length) => length === 1)).toBe(true);
});

describe("shares over many sequences", () => {
  const words = sequence(Array.from({ length: 60 }, (_, i) => 1 + (i % 3)));
  const count = (options: MaskingOptions) => {
    const plan = createMasking(vocabulary, options);
    const random = new Random(7);
    const seen = { predicted: 0, masked: 0, kept: 0, random: 0, mixedWords: 0, randomIds: new Set<number>() };
    for (let i = 0; i < 3000; i++) {
      const { positions, labels, inputIds } = drawMasks(words.ids, words.wordStarts, plan, random);
      seen.predicted += positions.length;
      positions.forEach((position, k) => {
        const id = inputIds[position] as number;
        if (id === mask) seen.masked += 1;
        else if (id === labels[k]) seen.kept += 1;
        else {
          seen.random += 1;
          seen.randomIds.add(id);
        }
        const isSameWord = k > 0 && words.wordStarts[position] === 0;
        if (isSameWord && (id === mask) !== (inputIds[position - 1] === mask)) seen.mixedWords += 1;
      });
    }
    return seen;
  };

  test("80 % [MASK], 10 % random, 10 % kept, drawn for each token by itself", () => {
    const seen = count({ masking: "whole-word" });
    expect(seen.predicted / (3000 * words.ids.length)).toBeGreaterThan(0.145);
    expect(seen.predicted / (3000 * words.ids.length)).toBeLessThan(0.155);
    expect(seen.masked / seen.predicted).toBeCloseTo(0.8, 2);
    // One random token in 30 or so is the original one by chance.
    expect(seen.random / seen.predicted).toBeCloseTo(0.0965, 2);
    expect(seen.kept / seen.predicted).toBeCloseTo(0.1035, 2);
    expect(seen.mixedWords).toBeGreaterThan(1000);
  });

  test("the shares are parameters", () => {
    expect(count({ masking: "char", maskTokenProb: 1, randomTokenProb: 0 })).toMatchObject({ kept: 0, random: 0 });
    expect(count({ masking: "char", maskTokenProb: 0, randomTokenProb: 0 })).toMatchObject({ masked: 0, random: 0 });
  });

  test("random tokens are ordinary ones: no placeholder, no special token, no ## before Chinese", () => {
    const seen = count({ masking: "whole-word", maskTokenProb: 0, randomTokenProb: 1 });
    const drawn = [...seen.randomIds].map((id) => vocabulary.token(id));
    expect(drawn.length).toBeGreaterThan(20);
    expect(drawn).toEqual(expect.arrayContaining(["##ing", "walk", "2008"]));
    for (const token of ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>", "##天"]) {
      expect(drawn).not.toContain(token);
    }
  });

  test("every word is as likely to be masked, whatever its place", () => {
    const plan = createMasking(vocabulary, { masking: "whole-word" });
    const random = new Random(3);
    const uniform = sequence(Array(40).fill(2));
    const hits = new Float64Array(uniform.ids.length);
    for (let i = 0; i < 4000; i++) {
      for (const position of drawMasks(uniform.ids, uniform.wordStarts, plan, random).positions)
        hits[position] = (hits[position] as number) + 1;
    }
    const inner = [...hits.slice(1, -1)].map((n) => n / 4000);
    expect(Math.min(...inner)).toBeGreaterThan(0.12);
    expect(Math.max(...inner)).toBeLessThan(0.18);
  });
});

describe("runs of words", () => {
  const lengthsOf = (masking: "ngram" | "span") => {
    // One run a sequence: the budget is large, but the first run is all that is looked at.
    const words = sequence(Array(400).fill(1));
    const plan = { ...createMasking(vocabulary, { masking, maxPredictionsPerSeq: 12, maskedLmProb: 0.03 }) };
    const random = new Random(11);
    const counts = new Map<number, number>();
    for (let i = 0; i < 4000; i++) {
      const first = maskedRuns(drawMasks(words.ids, words.wordStarts, plan, random).positions);
      for (const length of first) counts.set(length, (counts.get(length) ?? 0) + 1);
    }
    const total = [...counts.values()].reduce((a, b) => a + b, 0);
    return (length: number) => (counts.get(length) ?? 0) / total;
  };

  test("n-grams are one to four words long, short ones more often", () => {
    const share = lengthsOf("ngram");
    expect(share(1)).toBeGreaterThan(share(2));
    expect(share(2)).toBeGreaterThan(share(3));
    expect(share(3)).toBeGreaterThan(share(4));
    expect(share(1)).toBeGreaterThan(0.36);
    expect(share(1)).toBeLessThan(0.46);
    expect(share(4)).toBeGreaterThan(0.06);
  });

  test("spans reach ten words", () => {
    const share = lengthsOf("span");
    expect(share(9) + share(10)).toBeGreaterThan(0.01);
    expect(share(1)).toBeGreaterThan(0.15);
    expect(share(1)).toBeLessThan(0.35);
  });

  test.each(["ngram", "span"] as const)("%s: whole words, within segments and the budget", (masking) => {
    const words = sequence([2, 1, 3, 2, 2, 1], [1, 2, 2, 3, 1, 2]);
    for (let seed = 0; seed < 200; seed++) {
      const { positions } = draw(words, { masking, maskedLmProb: 0.4 }, seed);
      expect(positions.length).toBeLessThanOrEqual(
        predictionBudget(words.ids.length, { maxPredictionsPerSeq: 20, maskedLmProb: 0.4 }),
      );
      const masked = new Set(positions);
      words.ids.forEach((id, i) => {
        if (id === sep || id === cls) expect(masked.has(i)).toBe(false);
        else if (words.wordStarts[i] === 0) expect(masked.has(i)).toBe(masked.has(i - 1));
      });
    }
  });
});

test("the same state of the generator gives the same masks, another one others", () => {
  const words = sequence(Array(50).fill(2));
  expect(draw(words, { masking: "whole-word" }, 5)).toEqual(draw(words, { masking: "whole-word" }, 5));
  expect(draw(words, { masking: "whole-word" }, 5)).not.toEqual(draw(words, { masking: "whole-word" }, 6));
});

test("padding is never predicted", () => {
  const ids = Int32Array.of(cls, 8, 9, sep, pad, pad, pad);
  const plan = createMasking(vocabulary, { masking: "whole-word", maskedLmProb: 1 });
  expect([...drawMasks(ids, new Uint8Array(7).fill(1), plan, new Random(1)).positions]).toEqual([1, 2]);
});

test("any sequence: positions ascend, stay inside, carry their labels, and unmasking gives the original", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ id: fc.integer({ min: 0, max: vocabulary.size - 1 }), start: fc.integer({ min: 0, max: 1 }) }),
      ),
      fc.constantFrom("char", "whole-word", "ngram", "span"),
      fc.nat(1000),
      (tokens, masking, seed) => {
        const ids = Int32Array.from(tokens, ({ id }) => id);
        const starts = Uint8Array.from(tokens, ({ start }) => start);
        const plan = createMasking(vocabulary, { masking, maskedLmProb: 0.5 });
        const { inputIds, positions, labels } = drawMasks(ids, starts, plan, new Random(seed));
        expect(positions.every((position, i) => i === 0 || position > (positions[i - 1] as number))).toBe(true);
        positions.forEach((position, i) => {
          inputIds[position] = labels[i] as number;
        });
        expect(inputIds).toEqual(ids);
      },
    ),
  );
});

test.each([
  [
    { masking: "words" },
    /masking: expected one of char, whole-word, ngram, span, phrase, entity, macbert, none, got "words"/,
  ],
  [{ masking: "char", maskedLmProb: 1.5 }, /maskedLmProb: expected a share/],
  [{ masking: "char", maxPredictionsPerSeq: 0 }, /maxPredictionsPerSeq: expected an integer/],
  [{ masking: "char", maskTokenProb: 0.9, randomTokenProb: 0.2 }, /at most 1/],
])("%j is refused", (options, message) => {
  expect(() => createMasking(vocabulary, options as MaskingOptions)).toThrow(message);
});
