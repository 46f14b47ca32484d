/** Words with their parts of speech, by the layouts of treebanks and of the People's Daily, and what is none. */
import { describe, expect, test } from "vitest";
import { detectScheme } from "../ner/tag-schemes.ts";
import { looksLikeTaggedWords, readTaggedWords } from "./tagged-words.ts";
import { readUserExamples } from "./user-examples.ts";

/** Words and tags as they stand in the example's text. */
const pairsOf = (text: string) =>
  readTaggedWords(text, "a.pos").map(({ text: sentence, units, tags = [] }) =>
    units.map(([start, end], i) => [sentence.slice(start, end), tags[i]]),
  );

describe("words with their parts of speech", () => {
  test("a sentence a line; a word may hold the mark", () => {
    expect(pairsOf("我/r  爱/v  北京/ns  。/w\r\n\n增长/v 1/2/m ///w\n")).toEqual([
      [
        ["我", "r"],
        ["爱", "v"],
        ["北京", "ns"],
        ["。", "w"],
      ],
      [
        ["增长", "v"],
        ["1/2", "m"],
        ["//", "w"],
      ],
    ]);
  });

  test("the brackets and paragraph numbers of the People's Daily are no words, brackets in the text are", () => {
    const line = "19990203-04-005-006/m  [海边/s 气象/n 台/n]nt 说/v [/w 晴/a ]/w [小/a 镇/n]/ns";
    expect(
      pairsOf(line)
        .flat()
        .map(([word, tag]) => `${word} ${tag}`),
    ).toEqual(["海边 s", "气象 n", "台 n", "说 v", "[ w", "晴 a", "] w", "小 a", "镇 n"]);
  });

  test("an underscore stands between them where it does so nearly everywhere", () => {
    expect(pairsOf("他_PN 来_VV 了_AS\n")).toEqual([
      [
        ["他", "PN"],
        ["来", "VV"],
        ["了", "AS"],
      ],
    ]);
  });

  test("a file without spaces is read once, not once for each of its characters", () => {
    const pieces = { "/": "a".repeat(200_000), _: "a_".repeat(200_000) };
    for (const [mark, piece] of Object.entries(pieces)) {
      const text = `${`我${mark}r `.repeat(2000)}\n${piece}!\n`;
      expect(() => readTaggedWords(text, "a.pos")).toThrow("a.pos line 2: expected words with their tags");
    }
  });

  test("a word without a tag is an error with its line, and says how other files are read", () => {
    expect(() => readTaggedWords("我/r 爱/v 北京/ns\n你/r 好\n", "a.pos")).toThrow(
      'a.pos line 2: expected words with their tags, 我/r 爱/v, got "好"',
    );
    expect(() => readTaggedWords("我/r \ufffd/v\n", "a.pos")).toThrow("a.pos line 1: expected text in one encoding");
  });
});

describe("files are told by their text or name", () => {
  test("by their text, and plain text is none", async () => {
    expect(looksLikeTaggedWords("我/r 爱/v 北京/ns\n")).toBe(true);
    expect(looksLikeTaggedWords("我 O\n爱 O\n北 B-LOC\n")).toBe(false);
    expect(looksLikeTaggedWords("我 爱 北京\n")).toBe(false);
    expect(looksLikeTaggedWords("")).toBe(false);
    const { examples } = await readUserExamples("ner", "train.txt", "我/r 爱/v\n他/r 在/p 这/r\n");
    expect(examples.map(({ tags }) => tags)).toEqual([
      ["r", "v"],
      ["r", "p", "r"],
    ]);
    expect(detectScheme(examples.flatMap(({ tags }) => (tags === undefined ? [] : [tags])))).toBe("plain");
  });

  test("their words alone are segmentation, where that is asked for", async () => {
    const read = async (name: string, text: string, format?: "words") =>
      (await readUserExamples("ner", name, text, format === undefined ? {} : { format })).examples[0];
    const expected = { text: "我在北京", tags: ["S", "S", "B", "E"] };
    expect(await read("train.wordpos", "我_PN 在_P 北京_NR\n", "words")).toMatchObject(expected);
    expect(await read("train.seg", "我 在 北京\n")).toMatchObject(expected);
  });

  test("by their name, which no other task takes", async () => {
    expect((await readUserExamples("ner", "train.wordpos", "我/r\n")).examples).toHaveLength(1);
    await expect(readUserExamples("classify", "train.pos", "我/r\n")).rejects.toThrow("got words with their tags");
  });
});
