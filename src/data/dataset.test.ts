import { describe, expect, test } from "vitest";
import { bytesSource } from "../checkpoint/source.ts";
import { ArgumentError, DataError } from "../errors.ts";
import {
  concatenateShards,
  type DatasetDescription,
  formatDescription,
  instanceList,
  parseDescription,
  selectInstances,
} from "./dataset.ts";
import type { PretrainingInstance } from "./instance.ts";
import { ShardBuilder, ShardReader, type ShardSettings } from "./shards.ts";

const settings: ShardSettings = {
  vocabularyHash: "ab".repeat(32),
  vocabSize: 50,
  maxSeqLength: 16,
  maxPredictionsPerSeq: 3,
  masking: "char",
  nextSentence: false,
  randomSeed: 1,
  dupeFactor: 1,
};

const description: DatasetDescription = {
  settings,
  tokenizer: { rules: "huggingface", lowercase: true, curlyQuotes: "keep" },
  generation: { maskedLmProb: 0.15, shortSeqProb: 0.1, segmenter: "jieba", googleCompatible: false },
  shards: [{ file: "data-00000-0000000a.zhbs", instances: 3, bytes: 200, checksum: 10 }],
  heldOutShards: [],
  statistics: { documents: 2 },
};

function instance(length: number): PretrainingInstance {
  return {
    inputIds: new Int32Array(length).fill(length),
    tokenTypeIds: new Uint8Array(length),
    wordStarts: new Uint8Array(length).fill(1),
    maskedLmPositions: Int32Array.of(0),
    maskedLmIds: Int32Array.of(7),
    nextSentenceLabel: 0,
  };
}

describe("the description", () => {
  test("is read as it was written", () => {
    expect(parseDescription(formatDescription(description), "dataset.json")).toEqual(description);
    const added = { content: "北京", id: 7, special: false, lstrip: false, rstrip: true, singleWord: false };
    const more = { ...description, tokenizer: { ...description.tokenizer, curlyQuotes: "map", addedTokens: [added] } };
    expect(parseDescription(formatDescription(more as DatasetDescription), "dataset.json")).toEqual(more);
    const variant = { masking: "ngram:0.5,char:0.5", ngramWeights: [1, 0.5], maskTokenProb: 1, randomTokenProb: 0 };
    const digests = { maskingWords: "ab".repeat(32), userDictionary: "cd".repeat(32), referenceFile: "ef".repeat(32) };
    const filters = { clean: true, dropDuplicates: true, minLineLength: 3, maxLineLength: 90, minChinese: 0.5 };
    const others = { ...digests, filters, swapSegments: true, crossDocuments: false };
    const masked = { ...description, generation: { ...description.generation, ...variant, ...others } };
    expect(parseDescription(formatDescription(masked), "dataset.json")).toEqual(masked);
    const older = { rules: "huggingface", lowercase: true };
    const text = formatDescription({ ...description, tokenizer: older as DatasetDescription["tokenizer"] });
    expect(parseDescription(text, "dataset.json").tokenizer).toEqual({ ...older, curlyQuotes: "keep" });
  });

  test("of other content is a DataError that names the place", () => {
    const json = JSON.parse(formatDescription(description));
    const parse = (changed: unknown) => () => parseDescription(JSON.stringify(changed), "dataset.json");
    expect(() => parseDescription("{", "dataset.json")).toThrow(DataError);
    expect(parse([])).toThrow(DataError);
    expect(parse({ ...json, version: 2 })).toThrow("expected format zhbert-data, version 1, got zhbert-data, 2");
    expect(parse({ ...json, settings: { ...json.settings, vocabSize: "50" } })).toThrow("vocabSize: expected a number");
    expect(parse({ ...json, settings: { ...json.settings, masking: "word" } })).toThrow("char | whole-word");
    expect(parse({ ...json, shards: {} })).toThrow("expected a list of shards");
    expect(parse({ ...json, shards: [null] })).toThrow(DataError);
    for (const file of ["../data-00000-0000000a.zhbs", "/etc/passwd", "data-00000-0000000a.zhbs/x"]) {
      expect(parse({ ...json, shards: [{ ...json.shards[0], file }] })).toThrow("the name of a shard");
    }
  });
});

describe("instance sources", () => {
  test("shards have one index over all", async () => {
    const lists = [[instance(3), instance(4)], [], [instance(5)], [instance(6), instance(7), instance(8)]];
    const shards = await Promise.all(
      lists.map((list) => {
        const builder = new ShardBuilder(settings);
        for (const one of list) builder.add(one);
        const bytes = Uint8Array.from(builder.finish().chunks.flatMap((chunk) => [...chunk]));
        return ShardReader.open(bytesSource("x", bytes));
      }),
    );
    const all = concatenateShards(shards);
    expect([...all.seqLengths]).toEqual([3, 4, 5, 6, 7, 8]);
    expect([...all.predictionCounts]).toEqual([1, 1, 1, 1, 1, 1]);
    for (let i = 0; i < all.count; i++) expect((await all.instance(i)).inputIds.length).toBe(i + 3);
    for (const i of [-1, 6, 0.5, Number.NaN]) await expect(all.instance(i)).rejects.toThrow(ArgumentError);
    expect(concatenateShards([]).count).toBe(0);
    await expect(concatenateShards([]).instance(0)).rejects.toThrow(ArgumentError);
  });

  test("a selection has its own index", async () => {
    const selected = selectInstances(instanceList([instance(3), instance(4), instance(5)]), Uint32Array.of(2, 0));
    expect([...selected.seqLengths]).toEqual([5, 3]);
    expect((await selected.instance(0)).inputIds.length).toBe(5);
    await expect(selected.instance(2)).rejects.toThrow(ArgumentError);
  });
});
