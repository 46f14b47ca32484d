import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { SegmentedText } from "../text/segmenter.ts";
import { createJieba, parseUserDictionary } from "./jieba.ts";
import { createSegmenter, SEGMENTERS } from "./segmenters.ts";

const folder = mkdtempSync(join(tmpdir(), "zhbert-segmenters-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function words({ text, wordEnds }: SegmentedText): string[] {
  return [...wordEnds].map((end, i) => text.slice(i === 0 ? 0 : wordEnds[i - 1], end));
}

describe("jieba", () => {
  test("cuts as the published example does", async () => {
    const jieba = await createJieba();
    const example = "使用语言模型来预测下一个词的probability。";
    expect(words(jieba.segment(example)).join(" ")).toBe("使用 语言 模型 来 预测 下 一个 词 的 probability 。");
  });

  test("covers odd text: lone surrogates, line ends, rare characters", async () => {
    const jieba = await createJieba();
    const text = "甲\r\n\n 乙\u{20000}丙\u3000C++";
    expect(words(jieba.segment(text)).join("")).toBe(text);
    const broken = jieba.segment("好的\n坏\ud800的");
    expect(words(broken).join("")).toBe("好的\n坏\ud800的");
    expect(broken.unalignedLines).toBe(1);
  });

  test("keeps the words of a user dictionary whole, with and without frequencies", async () => {
    const sentence = "青空浏览器支持全词掩码工具";
    const plain = words((await createJieba()).segment(sentence));
    expect(plain).not.toContain("全词掩码");
    const userDictionary = file("user.txt", "\uFEFF全词掩码 20 n\n\n青空浏览器\r\n");
    const cut = words((await createJieba({ userDictionary })).segment(sentence));
    expect(cut).toEqual(["青空浏览器", "支持", "全词掩码", "工具"]);
  });

  test.each([
    ["全词 掩码 20 n", /line 2: expected word, frequency and tag, got "全词 掩码 20 n"/],
    ["掩码 很多 n", /line 2: expected word, frequency and tag/],
    ["掩码 -3", /line 2: expected a frequency from 0/],
    ["掩码 2.5", /line 2: expected a frequency from 0/],
    ["掩码 99999999999", /line 2: expected a frequency from 0/],
  ])("a user dictionary with the line %j is refused", (line, message) => {
    expect(() => parseUserDictionary(`好 3\n${line}\n`, "words.txt")).toThrow(message);
  });

  test("a user dictionary that is not UTF-8 or is not there is an error", async () => {
    await expect(
      createJieba({ userDictionary: file("gbk.txt", Uint8Array.of(0xc8, 0xab, 0xb4, 0xca)) }),
    ).rejects.toThrow(/UTF-8/);
    await expect(createJieba({ userDictionary: join(folder, "none.txt") })).rejects.toThrow(/no such file/);
  });
});

describe("createSegmenter", () => {
  test("makes each segmenter by its name", async () => {
    const tokenizer = { encodePieces: (text: string) => ({ starts: Int32Array.from([...text].keys()) }) };
    const referenceFile = file("reference.txt", "[2]\n[3]\n");
    for (const name of SEGMENTERS) {
      const options = name === "reference" ? { referenceFile, tokenizer } : {};
      expect((await createSegmenter(name, options)).name).toBe(name);
    }
    const reference = await createSegmenter("reference", { referenceFile, tokenizer });
    expect(words(reference.segment("下雨了\n大家好"))).toEqual(["下雨", "了", "\n", "大", "家好"]);
  });

  test("an unknown name lists the choices and suggests the nearest", async () => {
    await expect(createSegmenter("jeba")).rejects.toMatchObject({
      message: expect.stringContaining("one of jieba, intl, spaces, none, reference"),
      hint: "did you mean jieba?",
    });
  });

  test("options that do not go with the segmenter are refused", async () => {
    await expect(createSegmenter("intl", { userDictionary: "x" })).rejects.toThrow(/segmenter jieba/);
    await expect(createSegmenter("reference")).rejects.toThrow(/reference file/);
  });
});
