import { describe, expect, test } from "vitest";
import { ArgumentError, CorpusError } from "../errors.ts";
import { chineseCharacters, gb2312Characters } from "./chinese-characters.ts";
import { BertTokenizer } from "./tokenizer.ts";
import { type TrainVocabularyOptions, trainVocabulary } from "./train-vocabulary.ts";
import { WordCounter } from "./word-counts.ts";

const corpus = [
  "春天来了，lower lower lower 的树枝发芽。",
  "newest newest newest newest newest newest，春天的风很轻。",
  "widest widest widest，lower lower 春 é É é 龘",
];

function count(lines: readonly string[], lowercase = true, maxDistinctWords?: number): WordCounter {
  const counter = new WordCounter({ lowercase, ...(maxDistinctWords === undefined ? {} : { maxDistinctWords }) });
  for (const line of lines) counter.add(line);
  return counter;
}

const train = (options: Partial<TrainVocabularyOptions> = {}) =>
  trainVocabulary(count(corpus), { size: 1000, ...options });

describe("counting", () => {
  test("words are folded, Chinese characters and punctuation stand alone", () => {
    const { words, characters } = count(corpus);
    expect(Object.fromEntries(words)).toEqual({ lower: 5, newest: 6, widest: 3, e: 3 });
    expect(characters["春".codePointAt(0) as number]).toBe(3);
    expect(characters["，".codePointAt(0) as number]).toBe(3);
  });

  test("a bound on different words forgets those seen once", () => {
    const { words } = count(["a b c d d", "e"], true, 3);
    expect([...words.keys()]).toEqual(["d", "e"]);
  });
});

describe("trainVocabulary", () => {
  test("special tokens first, then characters, then pieces by frequency", () => {
    const { tokens } = train({ unusedTokens: 2 });
    expect(tokens.slice(0, 7)).toEqual(["[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect(() => train({ unusedTokens: 1e12 })).toThrow("unusedTokens: expected a whole number from 0 to the size");
    // w + e meet eleven times (lower, newest); then e has gone to w, and s + t are left with nine (newest, widest).
    expect(tokens.slice(tokens.indexOf("##we")).slice(0, 2)).toEqual(["##we", "##st"]);
    expect(tokens).toEqual(expect.arrayContaining(["春", "，", "lower", "newest", "widest"]));
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  test("no Chinese character continues a word, and rare characters are left out", () => {
    const { tokens } = train();
    expect(tokens.filter((token) => /^##\p{Script=Han}/u.test(token))).toEqual([]);
    expect(tokens).not.toContain("龘");
    expect(train({ minCharacterFrequency: 1 }).tokens).toContain("龘");
    expect(train({ requiredCharacters: "龘" }).tokens).toContain("龘");
  });

  test("size is a bound, and frequency too", () => {
    const all = train();
    const fewer = train({ size: all.size - 3 });
    expect(fewer.tokens).toEqual(all.tokens.slice(0, -3));
    expect(train({ minFrequency: 6 }).tokens).not.toContain("lower");
    expect(train({ minFrequency: 6 }).tokens).toContain("newest");
  });

  test("the tokeniser uses what was trained", () => {
    const tokenizer = new BertTokenizer(train());
    expect(tokenizer.tokenize("春天 Lowest")).toEqual(["春", "天", "lo", "##west"]);
    expect(tokenizer.tokenize("newest，LOWER")).toEqual(["newest", "，", "lower"]);
  });

  test("refuses an empty corpus and a size below the characters", () => {
    expect(() => trainVocabulary(count([" "]), { size: 100 })).toThrow(CorpusError);
    expect(() => train({ size: 10 })).toThrow(ArgumentError);
  });

  test("required letters and digits come with their continuing form, lower-cased", () => {
    const { tokens } = train({ requiredCharacters: ["Q", "７", "の", "〇", "★"] });
    expect(tokens).toEqual(expect.arrayContaining(["q", "##q", "７", "##７", "の", "##の", "〇", "##〇", "★"]));
    expect(tokens).not.toContain("##★");
  });
});

describe("required Chinese characters", () => {
  test("GB 2312 has 6,763 Chinese characters and 682 others", () => {
    const characters = gb2312Characters();
    expect(characters.filter((c) => /\p{Script=Han}/u.test(c) && !/[々〇]/u.test(c)).length).toBe(6763);
    expect(characters.length).toBe(6763 + 682);
    expect(characters).not.toContain("\ufffd");
    expect(characters.some((c) => c >= "\ue000" && c <= "\uf8ff")).toBe(false);
  });

  test("both scripts and curly quotes are there", () => {
    expect(chineseCharacters()).toEqual(expect.arrayContaining([..."汉漢龙龍“”‘’…—《》·～Zz9#"]));
    expect(chineseCharacters()).not.toContain("\ufffd");
  });
});
