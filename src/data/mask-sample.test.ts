import { expect, test } from "vitest";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { compareMasking, createSampler } from "./mask-sample.ts";

const text = "使用 语言 模型 来 预测 下 一个 词 的 probability 。";
const tokenizer = new BertTokenizer(
  Vocabulary.fromTokens([
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ...new Set("使用语言模型来预测下一个词的。"),
    "pro",
    "##ba",
    "##bility",
  ]),
);

test("the published example: characters are masked apart, words whole, with the same budget", () => {
  const options = { tokenizer, segmenter: preSegmented(), maskedLmProb: 0.35 };
  for (let seed = 0; seed < 30; seed++) {
    const { text: shown, words, characterMasking, wholeWordMasking } = compareMasking(text, options, seed);
    expect(shown).toBe("使用语言模型来预测下一个词的probability。");
    expect(words).toEqual(text.split(" "));
    expect(characterMasking.filter((token) => token === "[MASK]")).toHaveLength(7);
    expect(wholeWordMasking.filter((token) => token === "[MASK]").length).toBeGreaterThanOrEqual(6);
    let at = 0;
    for (const length of [2, 2, 2, 1, 2, 1, 2, 1, 1, 3, 1]) {
      const masked = wholeWordMasking.slice(at, at + length).filter((token) => token === "[MASK]").length;
      expect([0, length]).toContain(masked);
      at += length;
    }
  }
});

test("a text longer than the sequence is cut before a word; one word alone is cut inside", () => {
  const sample = createSampler({ tokenizer, segmenter: preSegmented(), masking: "whole-word", maxSeqLength: 7 });
  expect(sample(text, new Random(1)).instance.inputIds).toHaveLength(6);
  expect(sample("使用语言模型来", new Random(1)).instance.inputIds).toHaveLength(7);
});

test("unknown tokens are counted", () => {
  const sample = createSampler({ tokenizer, segmenter: preSegmented(), masking: "char" });
  expect(sample("龘 语言 unknown", new Random(1))).toMatchObject({ unknownTokens: 2, unalignedLines: 0 });
});
