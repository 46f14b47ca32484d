import { describe, expect, test } from "vitest";
import { endsOfWords, type SegmentedText, segmentByCutting } from "./segmenter.ts";
import intlSegmenter from "./segmenters/intl.ts";
import jiebaSegmenter from "./segmenters/jieba.ts";
import noSegmenter from "./segmenters/none.ts";
import preSegmented from "./segmenters/pre-segmented.ts";
import referenceFileSegmenter from "./segmenters/reference-file.ts";

/** The words of a segmented text, shown as strings. */
function words({ text, wordEnds }: SegmentedText): string[] {
  return [...wordEnds].map((end, i) => text.slice(i === 0 ? 0 : wordEnds[i - 1], end));
}

/** Tokens are single characters, white space aside. */
const characterTokens = {
  encodePieces: (text: string) => ({ starts: Int32Array.from([...text.matchAll(/\S/gu)], (match) => match.index) }),
};

describe("endsOfWords", () => {
  test("gives the end of each word", () => {
    expect([...(endsOfWords("我们看书", ["我们", "看", "书"]) ?? [])]).toEqual([2, 3, 4]);
  });
  test("white space that the words leave out is a word of its own", () => {
    expect([...(endsOfWords(" a 书\n", ["a", "书"]) ?? [])]).toEqual([1, 2, 3, 4, 5]);
  });
  test.each([[["我", "书"]], [["我们", "看"]], [["我们", "看", "看", "书"]], [["我们", "看", "书", "吧"]]])(
    "%j does not spell the text",
    (wrong) => expect(endsOfWords("我们看书", wrong)).toBeUndefined(),
  );
});

test("a line whose words do not spell it is cut into characters and counted; the others keep their words", () => {
  const table: Record<string, string[]> = {
    今天下雨: ["今天", "下雨"],
    带伞出门: ["带伞", "出去"],
    路上小心: ["路上", "小心"],
  };
  const cut = (text: string) =>
    text.split("\n").flatMap((line, i) => [...(i > 0 ? ["\n"] : []), ...(table[line] ?? [])]);
  const result = segmentByCutting("今天下雨\n带伞出门\n路上小心", cut);
  expect(words(result)).toEqual(["今天", "下雨", "\n", "带", "伞", "出", "门", "\n", "路上", "小心"]);
  expect(result.unalignedLines).toBe(1);
});

test("jieba is asked once for many lines, with its hidden Markov model", () => {
  const calls: unknown[] = [];
  const segmenter = jiebaSegmenter({
    cut: (text, hmm) => {
      calls.push([text, hmm]);
      return text.split(/(\n)/);
    },
  });
  expect(words(segmenter.segment("春眠\n不觉晓"))).toEqual(["春眠", "\n", "不觉晓"]);
  expect(calls).toEqual([["春眠\n不觉晓", true]]);
});

test("Intl.Segmenter covers the text, line by line", () => {
  const result = intlSegmenter().segment("天气很好\n\n我们去公园");
  expect(words(result).join("")).toBe("天气很好\n\n我们去公园");
  expect(words(result)).toContain("公园");
  expect(words(result).filter((word) => word === "\n")).toHaveLength(2);
  expect(() => intlSegmenter("not a language")).toThrow(/language tag/);
});

test("without a segmenter each character is a word", () => {
  expect(words(noSegmenter().segment("北京a"))).toEqual(["北", "京", "a"]);
});

describe("text with spaces between its words", () => {
  test("the spaces are boundaries and leave Chinese text, one remains between Latin words", () => {
    const result = preSegmented().segment("我 用  New York 的 地图 。 3 天");
    expect(result.text).toBe("我用New York的地图。3天");
    expect(words(result)).toEqual(["我", "用", "New", " ", "York", "的", "地图", "。", "3", "天"]);
  });
  test("lines stay lines, outer spaces go, rare characters are Chinese too", () => {
    const result = preSegmented().segment(" 𠮷野 家 \n\n吃 饭\t");
    expect(result.text).toBe("𠮷野家\n\n吃饭");
    expect(words(result)).toEqual(["𠮷野", "家", "\n", "\n", "吃", "饭"]);
  });
});

describe("a reference file", () => {
  test("lists the tokens that continue a word, [CLS] being 0", () => {
    const segmenter = referenceFileSegmenter(["[2, 5]", "[]"], characterTokens);
    const result = segmenter.segment("我们去北京\n看雪");
    expect(words(result)).toEqual(["我们", "去", "北京", "\n", "看", "雪"]);
    expect(result.unalignedLines).toBe(0);
  });
  test("blank lines have no reference; a position beyond the tokens leaves its line to its characters", () => {
    const segmenter = referenceFileSegmenter(["[9]", "[2]"], characterTokens);
    const result = segmenter.segment("下雪\n  \n下雨");
    expect(words(result)).toEqual(["下", "雪", "\n", "  ", "\n", "下雨"]);
    expect(result.unalignedLines).toBe(1);
  });
  test.each([["not json"], ['{"a": 1}'], ["[1.5]"]])("%s is refused with its line", (line) => {
    expect(() => referenceFileSegmenter(["[]", line], characterTokens).segment("雨\n雪")).toThrow(
      /line 2: expected a JSON list/,
    );
  });
  test("a file that is too short is refused", () => {
    expect(() => referenceFileSegmenter(["[]"], characterTokens).segment("雨\n雪")).toThrow(/line 2.*end of the file/);
  });
});
