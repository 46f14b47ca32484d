/** The data sets of entities, words and parts of speech: their layouts in small, and the real files where they are there. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { spansOf } from "../ner/tag-schemes.ts";
import { cluener } from "./cluener.ts";
import type { Dataset, ReadExamples } from "./dataset.ts";
import { msraNer } from "./msra-ner.ts";
import { peopleDaily } from "./people-daily.ts";
import { udChinese } from "./ud-chinese.ts";
import { weiboNer } from "./weibo-ner.ts";
import { asWords, cityuWords, msrWords, pkuWords } from "./word-segmentation.ts";

type Tagged = ReadExamples<Awaited<ReturnType<Dataset<"ner">["read"]>>["examples"][number]>;

async function read(dataset: Dataset<"ner">, text: string, split = "train"): Promise<Tagged> {
  return dataset.read({ path: "data.txt", text }, split);
}

describe("news", () => {
  test("tags of other types are refused, with the line", async () => {
    const { examples } = await read(msraNer, "在\tO\r\n宁\tB-LOC\r\n波\tI-LOC\r\n\r\n");
    expect(examples).toMatchObject([{ text: "在宁波", tags: ["O", "B-LOC", "I-LOC"] }]);
    await expect(read(msraNer, "在 O\n宁 B-GPE\n")).rejects.toThrow(/data\.txt line 2: expected a tag of O, B-PER/);
  });

  test("the dev file of the People's Daily warns that it is MSRA's test, wherever it is read", async () => {
    const file = "在 O\n\n".repeat(4631);
    expect((await read(peopleDaily, file, "dev")).notes).toMatchObject([{ kind: "overlap", level: "warning" }]);
    expect((await read(msraNer, file, "dev")).notes).toHaveLength(1);
    expect((await read(peopleDaily, `${file}好 O\n`)).notes).toBeUndefined();
  });
});

describe("Weibo", () => {
  test("places within words are taken off", async () => {
    const { examples } = await read(weiboNer, "小0\tB-PER.NOM\n狗1\tI-PER.NOM\n20\tO\n😀0\tO\n");
    expect(examples).toEqual([
      {
        text: "小狗2😀",
        units: [
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 5],
        ],
        tags: ["B-PER.NOM", "I-PER.NOM", "O", "O"],
      },
    ]);
  });

  test("copies without places are read as they are", async () => {
    const { examples } = await read(weiboNer, "小 B-PER.NOM\n2 O\n");
    expect(examples[0]?.text).toBe("小2");
  });
});

describe("CLUENER", () => {
  const line = (text: string, label?: object) => `${JSON.stringify(label ? { text, label } : { text })}\n`;

  test("the last character is included, and places count characters", async () => {
    const text = line("😀小雨在海边", { name: { 小雨: [[1, 2]] }, scene: { 海边: [[4, 5]] } });
    const [example] = (await read(cluener, text)).examples;
    expect(example?.tags).toEqual(["O", "B-name", "I-name", "O", "B-scene", "I-scene"]);
    expect(example?.units[1]).toEqual([2, 3]);
  });

  test("of entities that overlap the longest is kept, and they are counted", async () => {
    const label = { address: { 海边: [[0, 1]] }, scene: { 海边公园: [[0, 3]] } };
    const { examples, notes } = await read(cluener, line("海边公园", label));
    expect(examples[0]?.tags).toEqual(["B-scene", "I-scene", "I-scene", "I-scene"]);
    expect(notes).toMatchObject([{ kind: "overlapping-entities", level: "info", measured: { entities: 1, texts: 1 } }]);
  });

  test("a test without labels has none", async () => {
    expect((await read(cluener, line("海边"))).examples).toMatchObject([{ text: "海边" }]);
    expect((await read(cluener, line("海边"))).examples[0]?.tags).toBeUndefined();
  });

  test("places that are not the entity's, unknown types, and JSON cut short are named with the line", async () => {
    const wrong = line("海边公园", { scene: { 公园: [[1, 2]] } });
    await expect(read(cluener, line("好") + wrong)).rejects.toThrow(
      /line 2: expected "公园" at its place \[1,2\].*"边公"/,
    );
    await expect(read(cluener, line("海", { scene: { 海: [[0, 9]] } }))).rejects.toThrow(/the end of the text/);
    await expect(read(cluener, line("海", { sea: { 海: [[0, 0]] } }))).rejects.toThrow(/a type of address/);
    await expect(read(cluener, line("海", { scene: [[0, 0]] }))).rejects.toThrow(/line 1: expected entities as/);
    await expect(read(cluener, wrong.slice(0, 30))).rejects.toThrow(/line 1/);
  });
});

const unpacked = (archive: string, file: string) =>
  spawnSync("tar", ["-xJOf", archive, file], { maxBuffer: 1 << 28 }).stdout.toString("utf8");

async function types(dataset: Dataset<"ner">, text: string, split: string) {
  const { examples } = await dataset.read({ path: split, text }, split);
  const counts: Record<string, number> = {};
  for (const { tags = [] } of examples)
    for (const { type } of spansOf(tags, "IOB2")) counts[type] = (counts[type] ?? 0) + 1;
  return { sentences: examples.length, counts };
}

describeShared("data/tasks/msra_ner.tar.xz", "MSRA and People's Daily as they are", (archive) => {
  test("the test set, and its other cut, hold the same entities", async () => {
    const counts = { LOC: 2877, ORG: 1331, PER: 1973 };
    const whole = await types(msraNer, unpacked(archive, "msra_ner/sighan2006_test.txt"), "test");
    expect(whole).toEqual({ sentences: 4365, counts });
    const cut = await types(peopleDaily, unpacked(archive, "peopledaily_ner/dev.txt"), "dev");
    expect(cut.sentences).toBe(4631);
    // Eleven are cut in two: what follows begins with an I, which begins an entity.
    expect(Object.values(cut.counts).reduce((sum, count) => sum + count)).toBe(2877 + 1331 + 1973 + 11);
  });
});

describeShared("data/tasks/cluener.tar.xz", "CLUENER as it is", (archive) => {
  test("every entity is at its place", async () => {
    const { sentences, counts } = await types(cluener, unpacked(archive, "cluener/test.json"), "dev");
    expect(sentences).toBe(1343);
    expect(counts).toMatchObject({ address: 373, name: 465, organization: 367, book: 154 });
  });
});

describeShared("data/tasks/cws.tar.xz", "segmentation and parts of speech as they are", (archive) => {
  test.each([
    [pkuWords, "pku_test_gold.utf8"],
    [msrWords, "msr_test_gold.utf8"],
    [asWords, "as_test_gold.utf8"],
    [cityuWords, "cityu_test_gold.utf8"],
  ])("$title: as many sentences as published, and all their words", async (dataset, file) => {
    const text = unpacked(archive, `cws/sighan2005/${file}`);
    const { examples } = await dataset.read({ path: file, text }, "test");
    expect(examples.length).toBe(dataset.splits["test"]?.count);
    const words = examples.reduce((sum, { tags = [] }) => sum + spansOf(tags, "words").length, 0);
    expect(words).toBe(text.replace("\ufeff", "").split(/\s+/u).filter(Boolean).length);
  });

  test("parts of speech of the treebank", async () => {
    const file = "cws/ud_gsdsimp/zh_gsdsimp-ud-test.conllu";
    const { examples } = await udChinese.read({ path: file, text: unpacked(archive, file) }, "test");
    expect(examples).toHaveLength(500);
    expect(new Set(examples.flatMap(({ tags = [] }) => tags)).size).toBeLessThanOrEqual(17);
  });
});
