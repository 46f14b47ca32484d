import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PretrainingInstance } from "../data/instance.ts";
import type { Split } from "../data/run-file.ts";
import { DataError, FileError } from "../errors.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { DatasetWriter, type DatasetWriterOptions, openDataset } from "./dataset.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-dataset-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."山高水长云淡风轻"]);

function optionsFor(words: Vocabulary, shardBytes = 200): DatasetWriterOptions {
  return {
    settings: {
      vocabularyHash: words.hash(),
      vocabSize: words.size,
      maxSeqLength: 16,
      maxPredictionsPerSeq: 3,
      masking: "whole-word",
      nextSentence: false,
      randomSeed: 12345,
      dupeFactor: 1,
    },
    vocabulary: words,
    tokenizer: { rules: "huggingface", lowercase: true, curlyQuotes: "keep" },
    generation: { maskedLmProb: 0.15, shortSeqProb: 0.1, segmenter: "jieba", googleCompatible: false },
    shardBytes,
  };
}

function instance(value: number, length = 12): PretrainingInstance {
  return {
    inputIds: Int32Array.from({ length }, (_, i) => (value + i) % vocabulary.size),
    tokenTypeIds: new Uint8Array(length),
    wordStarts: new Uint8Array(length).fill(1),
    maskedLmPositions: Int32Array.of(1),
    maskedLmIds: Int32Array.of(value % vocabulary.size),
    nextSentenceLabel: 0,
  };
}

async function write(
  values: readonly number[],
  words = vocabulary,
  splits: readonly Split[] = ["data"],
): Promise<void> {
  const writer = await DatasetWriter.create(folder, optionsFor(words));
  for (const [i, value] of values.entries()) await writer.add(instance(value), splits[i % splits.length] ?? "data");
  await writer.commit({ instances: values.length });
}

test("words for masking lie beside the data, and others are refused", async () => {
  const maskingWords = { entities: ["山 高"], similarWords: [["山", "水"]] };
  const writer = await DatasetWriter.create(folder, { ...optionsFor(vocabulary), maskingWords });
  await writer.add(instance(1));
  await writer.commit({});
  const opened = await openDataset(folder);
  await opened.close();
  expect(opened.maskingWords).toEqual(maskingWords);
  writeFileSync(join(folder, "masking.json"), '{"entities":["水 高"]}');
  await expect(openDataset(folder)).rejects.toThrow(/masking\.json: expected the words that the data was made with/);
  rmSync(join(folder, "masking.json"));
  await expect(openDataset(folder)).rejects.toThrow(FileError);
});

test("words of earlier data go with them, and a file of that name that is nobody's stays", async () => {
  const path = join(folder, "masking.json");
  writeFileSync(path, "mine");
  await write([1]);
  expect(readFileSync(path, "utf8")).toBe("mine");
  const writer = await DatasetWriter.create(folder, {
    ...optionsFor(vocabulary),
    maskingWords: { phrases: ["云 淡"] },
  });
  await writer.add(instance(1));
  await writer.commit({});
  expect(readdirSync(folder)).toContain("masking.json");
  await write([2]);
  expect(readdirSync(folder)).not.toContain("masking.json");
  expect(await read()).toEqual([2]);
});

async function read(): Promise<number[]> {
  const { train, close } = await openDataset(folder);
  const values = [];
  for (let i = 0; i < train.count; i++) values.push((await train.instance(i)).maskedLmIds[0] as number);
  await close();
  return values;
}

describe("a data folder", () => {
  test("holds several shards, the vocabulary and the held-out part", async () => {
    await write([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], vocabulary, ["data", "data", "held-out"]);
    const files = readdirSync(folder);
    expect(files.filter((file) => file.startsWith("data-0")).length).toBeGreaterThan(1);
    expect(readFileSync(join(folder, "vocab.txt"), "utf8")).toBe(vocabulary.toText());
    expect(await read()).toEqual([1, 2, 4, 5, 7, 8, 10, 11]);
    const opened = await openDataset(folder);
    expect(opened.heldOut.count).toBe(4);
    expect(opened.description.statistics).toEqual({ instances: 12 });
    await opened.close();
  });

  test("is the same bytes for the same instances", async () => {
    await write([1, 2, 3, 4, 5]);
    const before = Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]));
    await write([1, 2, 3, 4, 5]);
    expect(Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]))).toEqual(
      before,
    );
  });

  test("written anew holds nothing old, and leaves other files alone", async () => {
    await write([1, 2, 3, 4, 5, 6, 7, 8, 9], vocabulary, ["data", "held-out"]);
    writeFileSync(join(folder, "notes.txt"), "mine");
    await write([5, 6]);
    expect(await read()).toEqual([5, 6]);
    expect(readdirSync(folder).filter((file) => file.endsWith(".zhbs"))).toHaveLength(1);
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toBe("mine");
  });

  test("keeps its old data when writing anew stops at any point before commit", async () => {
    await write([1, 2, 3, 4, 5, 6]);
    const before = readdirSync(folder).sort();
    for (let added = 0; added < 20; added += 3) {
      const writer = await DatasetWriter.create(folder, optionsFor(vocabulary));
      for (let i = 0; i < added; i++) await writer.add(instance(i));
      // As a killed process leaves it: nothing is cleaned up, and the old data must still be whole.
      expect(await read()).toEqual([1, 2, 3, 4, 5, 6]);
      await writer.abort();
      expect(readdirSync(folder).sort()).toEqual(before);
    }
    // The same instances give shards of the same names, which an abort must not take away.
    const writer = await DatasetWriter.create(folder, optionsFor(vocabulary));
    for (const value of [1, 2, 3, 4, 5, 6]) await writer.add(instance(value));
    await writer.abort();
    expect(await read()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("that did not exist is gone again after an abort", async () => {
    const path = join(folder, "new");
    const writer = await DatasetWriter.create(path, optionsFor(vocabulary));
    for (let i = 0; i < 9; i++) await writer.add(instance(i));
    expect(readdirSync(path)).not.toEqual([]);
    await writer.abort();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of mixed files is refused", async () => {
    await write([1, 2, 3]);
    const other = Vocabulary.fromTokens([...vocabulary.tokens.slice(0, -1), "重"]);
    writeFileSync(join(folder, "vocab.txt"), other.toText());
    await expect(openDataset(folder)).rejects.toThrow("the vocabulary that the data was made with");
    await write([1, 2, 3]);
    const shard = readdirSync(folder).find((file) => file.endsWith(".zhbs")) as string;
    const old = readFileSync(join(folder, shard));
    await write([4, 5, 6]);
    const now = readdirSync(folder).find((file) => file.endsWith(".zhbs")) as string;
    writeFileSync(join(folder, now), old);
    await expect(openDataset(folder)).rejects.toThrow("expected the shard that dataset.json lists, got another");
    writeFileSync(join(folder, now), old.subarray(0, 150));
    await expect(openDataset(folder)).rejects.toThrow(DataError);
    rmSync(join(folder, now));
    await expect(openDataset(folder)).rejects.toThrow(FileError);
  });

  test("whose shard is changed while it is open is an error that names the shard", async () => {
    await write([1, 2, 3, 4, 5, 6]);
    const shard = join(folder, readdirSync(folder).find((file) => file.startsWith("data-00000")) as string);
    const whole = readFileSync(shard);
    const flipped = Uint8Array.from(whole);
    flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
    const opened = await openDataset(folder);
    const last = opened.description.shards[0]?.instances as number;
    // In place: the file that is open, not another under its name.
    writeFileSync(shard, flipped, { flag: "r+" });
    await expect(opened.train.instance(last - 1)).rejects.toThrow(DataError);
    await expect(opened.train.instance(last - 1)).rejects.toThrow(/data-00000-.*at byte \d+: expected record/);
    writeFileSync(shard, whole, { flag: "r+" });
    expect((await opened.train.instance(last - 1)).maskedLmIds[0]).toBe(last);
    truncateSync(shard, 10);
    await expect(opened.train.instance(0)).rejects.toThrow(FileError);
    await expect(opened.train.instance(0)).rejects.toThrow(shard);
    await opened.close();
    await expect(opened.train.instance(0)).rejects.toThrow("got one that was closed");
  });

  test("that is none says how to make one", async () => {
    await expect(openDataset(folder)).rejects.toMatchObject({
      hint: `make one with: zhbert data corpus.txt -o ${folder}`,
    });
    writeFileSync(join(folder, "file"), "");
    await expect(DatasetWriter.create(join(folder, "file"), optionsFor(vocabulary))).rejects.toThrow(FileError);
  });
});

test("a model's folder keeps its vocabulary: data with another one are refused", async () => {
  const path = join(folder, "vocab.txt");
  const other = Vocabulary.fromTokens([...vocabulary.tokens, "月"]);
  writeFileSync(path, other.toText());
  await expect(write([1])).rejects.toThrow(FileError);
  expect(readFileSync(path, "utf8")).toBe(other.toText());
  writeFileSync(path, vocabulary.toText());
  await write([1]);
  await write([2], other);
  expect(readFileSync(path, "utf8")).toBe(other.toText());
});
