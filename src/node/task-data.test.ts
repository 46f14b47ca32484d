import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, CorpusError, DataError, FileError } from "../errors.ts";
import { loadTaskData } from "./task-data.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-task-data-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${(from + i) % 2}\t第${from + i}条评论\n`).join("");

describe("a data set by name", () => {
  test("its files in sub-folders and packed, with sizes that differ reported", async () => {
    write("data/train.tsv.gz", gzipSync(`label\ttext_a\n${rows(0, 20)}`));
    write("data/dev.tsv", `label\ttext_a\n${rows(20, 24)}`);
    const data = await loadTaskData({ name: "ChnSentiCorp", folder });
    expect([data.task, data.title, data.labels]).toEqual(["classify", "ChnSentiCorp", ["0", "1"]]);
    expect(data.splits.train).toHaveLength(20);
    expect(data.splits.dev?.[0]).toEqual({ text: "第20条评论", label: "0" });
    expect(data.files["dev"]).toEqual([join(folder, "data/dev.tsv")]);
    const sizes = data.notes.filter(({ kind }) => kind === "split-size");
    expect(sizes.map(({ measured }) => measured)).toEqual([
      { found: 20, published: 9600 },
      { found: 4, published: 1200 },
    ]);
  });

  test("test.json stands for dev only where it has labels", async () => {
    const line = (label?: string, i = 0) => `${JSON.stringify({ sentence: `标题${i}`, label })}\n`;
    write("train.json", Array.from({ length: 10 }, (_, i) => line("100", i)).join(""));
    write("test.json", line("101"));
    expect(Object.keys((await loadTaskData({ name: "tnews", folder })).files)).toEqual(["train", "dev"]);
    write("test.json", line());
    const held = await loadTaskData({ name: "tnews", folder });
    expect(Object.keys(held.files)).toEqual(["train", "test"]);
    expect(held.isDevHeldOut).toBe(true);
  });

  test("where one split is enough, the first with labels is read and nothing after it", async () => {
    write("test.tsv", `label\ttext_a\n${rows(0, 3)}`);
    // What is not measured may be damaged.
    write(
      "dev.tsv",
      Uint8Array.of(...new TextEncoder().encode("label\ttext_a\n1\t这一行是统一码的文字\n"), 0xb7, 0xfe, 0x0a),
    );
    const splits = ["test", "dev"];
    const load = () => loadTaskData({ name: "chnsenticorp", folder, splits, isOneEnough: true });
    expect(Object.keys((await load()).files)).toEqual(["test"]);
    write("test.tsv", "text_a\n没有标签\n");
    await expect(load()).rejects.toThrow(CorpusError);
    write("dev.tsv", `label\ttext_a\n${rows(0, 3)}`);
    expect((await load()).splits["dev"]).toHaveLength(3);
  });

  test("a folder without its files, and a wrong split, say what is known", async () => {
    write("readme.md", "");
    await expect(loadTaskData({ name: "lcqmc", folder })).rejects.toThrow(FileError);
    await expect(loadTaskData({ name: "lcqmc", folder })).rejects.toThrow("got readme.md");
    await expect(loadTaskData({ name: "lcqmc", folder, splits: ["trial"] })).rejects.toThrow(
      "a split of LCQMC: train, dev, test",
    );
    await expect(loadTaskData({ name: "lcqmc", folder, splits: ["test"] })).rejects.toMatchObject({
      hint: expect.stringMatching(/^give the file itself/),
    });
    await expect(loadTaskData({ name: "lcqmc" })).rejects.toMatchObject({ hint: "say --data FOLDER" });
    await expect(loadTaskData({ name: "lqcmc", folder })).rejects.toMatchObject({
      hint: expect.stringMatching(/^did you mean lcqmc\?/),
    });
  });
});

describe("people's own data", () => {
  test("train.* and dev.* of a folder; labels by number", async () => {
    write("train.csv", `text,label\n${Array.from({ length: 12 }, (_, i) => `第${i}句,${11 - i}\n`).join("")}`);
    write("valid.csv", "text,label\n又一句,3\n");
    const data = await loadTaskData({ name: "classify", folder });
    expect(data.labels).toEqual(Array.from({ length: 12 }, (_, i) => `${i}`));
    expect([data.splits.train?.length, data.splits.dev?.length, data.isDevHeldOut]).toEqual([12, 1, false]);
  });

  test("without a dev split some examples are held out by the seed, equal texts together", async () => {
    const train = write(
      "a.tsv",
      `text\tlabel\n${Array.from({ length: 100 }, (_, i) => `第${i >> 1}句\t${i % 2}\n`).join("")}`,
    );
    const load = (seed: number) => loadTaskData({ name: "classify", train, seed });
    const first = await load(1);
    expect([first.splits.train?.length, first.splits.dev?.length]).toEqual([90, 10]);
    const trained = new Set(first.splits.train?.map((one) => (one as { text: string }).text));
    expect(first.splits.dev?.filter((one) => trained.has((one as { text: string }).text))).toEqual([]);
    expect(first.notes.map(({ kind }) => kind)).toContain("held-out");
    expect((await load(1)).splits.dev).toEqual(first.splits.dev);
    expect((await load(2)).splits.dev).not.toEqual(first.splits.dev);
  });

  test("labels and tags are those of the whole training file, whatever is held out or left out of a sample", async () => {
    const train = write(
      "rare.tsv",
      `text\tlabel\n稀有\t9\n${Array.from({ length: 50 }, (_, i) => `第${i}句\t${i % 2}\n`).join("")}`,
    );
    const { labels, splits } = await loadTaskData({ name: "classify", train, maxTrainExamples: 2, devShare: 0.9 });
    expect(splits.train?.filter((example) => "label" in example && example.label === "9")).toEqual([]);
    expect(labels).toEqual(["0", "1", "9"]);
    const tagged = write("rare.txt", `罕 B-X\n\n${"我 O\n在 B-LOC\n\n".repeat(20)}`);
    const ner = await loadTaskData({ name: "ner", train: tagged, maxTrainExamples: 2, devShare: 0.5 });
    expect(ner.tags).toEqual(["B-X", "O", "B-LOC"]);
  });

  test("a sample of the training examples keeps their order", async () => {
    const train = write("train.tsv", rows(0, 50));
    const dev = write("dev.tsv", rows(50, 55));
    const { splits, notes } = await loadTaskData({ name: "classify", train, dev, maxTrainExamples: 10 });
    const numbers = splits.train?.map((one) => Number(/\d+/.exec((one as { text: string }).text)?.[0])) ?? [];
    expect(numbers).toHaveLength(10);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(notes.find(({ kind }) => kind === "train-sample")?.measured).toEqual({ taken: 10, there: 50 });
  });

  test("GB18030 is told and announced; mixed encodings and missing labels are errors", async () => {
    const gbk = Uint8Array.of(0xb7, 0xfe, 0xce, 0xf1, 0xba, 0xdc, 0xba, 0xc3, 0x09, 0x31, 0x0a);
    const path = write("a.tsv", Uint8Array.of(...gbk, ...gbk, ...gbk));
    const data = await loadTaskData({ name: "classify", test: path, columns: { text: "1", label: "2" } });
    expect(data.splits.test?.[0]).toEqual({ text: "服务很好", label: "1" });
    expect(data.notes.find(({ kind }) => kind === "encoding")?.run).toBe("--encoding gb18030");
    write("b.tsv", Uint8Array.of(...new TextEncoder().encode("这一行是统一码的文字\t1\n"), ...gbk));
    await expect(loadTaskData({ name: "classify", train: join(folder, "b.tsv") })).rejects.toThrow(CorpusError);
    const unlabelled = write("c.txt", "没有标签\n还是没有\n");
    await expect(loadTaskData({ name: "classify", train: unlabelled })).rejects.toThrow(
      "expected labels to train on, got none",
    );
    await expect(loadTaskData({ name: "classify", train: write("d.csv", "") })).rejects.toThrow(DataError);
  });

  test("tagged text without tags: the hint is of what such data is", async () => {
    const train = write("untagged.jsonl", '{"text":"我爱北京"}\n');
    await expect(loadTaskData({ name: "ner", train })).rejects.toMatchObject({
      hint: expect.stringContaining("--format conll"),
    });
  });

  test("questions about one passage stay together, and cannot be parted where it is the only one", async () => {
    const line = (i: number) =>
      JSON.stringify({ context: "他来了。", question: `谁${i}？`, choices: ["他", "我"], answer: 0 });
    const train = write("one.jsonl", Array.from({ length: 10 }, (_, i) => line(i)).join("\n"));
    const { notes, splits } = await loadTaskData({ name: "choice", train });
    expect(splits.dev).toBeUndefined();
    expect(notes.map(({ message }) => message).join()).toContain("10 training examples of one text cannot be parted");
  });

  test("a missing file and nothing at all", async () => {
    await expect(loadTaskData({ name: "classify", train: join(folder, "none.csv") })).rejects.toThrow(FileError);
    await expect(loadTaskData({ name: "classify" })).rejects.toThrow(ArgumentError);
  });
});
