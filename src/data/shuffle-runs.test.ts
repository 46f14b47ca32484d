import { describe, expect, test } from "vitest";
import { type ByteSource, bytesSource } from "../checkpoint/source.ts";
import { DataError } from "../errors.ts";
import noSegmenter from "../text/segmenters/none.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { decodeRecord } from "./_record.ts";
import { createRuns, type RecordOptions } from "./example-records.ts";
import { noFilterCounts } from "./filter-lines.ts";
import { originalIds, type PretrainingInstance } from "./instance.ts";
import { completeSettings } from "./instance-settings.ts";
import { encodeRun, RunReader, type Split } from "./run-file.ts";

import { type Runs, shuffleRuns } from "./shuffle-runs.ts";

const CHARACTERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏";
const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...CHARACTERS]);
const tokenizer = new BertTokenizer(vocabulary);
const layout = { vocabSize: vocabulary.size, idBytes: 2, maxSeqLength: 16, maxPredictionsPerSeq: 4 } as const;
const pause = () => Promise.resolve();

function optionsOf(heldOut: number, dupeFactor: number): RecordOptions {
  const shared = { masking: "char", maxSeqLength: 16, maxPredictionsPerSeq: 4, nextSentence: false } as const;
  const settings = completeSettings({ ...shared, shortSeqProb: 0, dupeFactor, tokenizer, segmenter: noSegmenter() });
  return { settings, layout, heldOut, pause };
}

/** One character for each digit of a number in base 24. */
const spell = (number: number) =>
  [13824, 576, 24, 1].map((unit) => CHARACTERS[Math.floor(number / unit) % 24]).join("");

/** Runs of blocks whose documents are one sentence each: numbers from 0, spelled. */
async function makeRuns(
  blocks: number,
  documents: number,
  { heldOut = 0, dupeFactor = 1 } = {},
): Promise<ByteSource[]> {
  const files: ByteSource[] = [];
  for (let block = 0; block < blocks; block++) {
    const texts = Array.from({ length: documents }, (_, i) => [spell(block * documents + i)]);
    for await (const run of createRuns(texts, block, optionsOf(heldOut, dupeFactor))) {
      const chunks = encodeRun(run, { source: "s", filtered: noFilterCounts() }, layout);
      files.push(bytesSource(`run ${files.length}`, Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))));
    }
  }
  return files;
}

const runsOf = (files: readonly ByteSource[]): Runs => ({
  count: files.length,
  open: async (index) => ({ reader: await RunReader.open(files[index] as ByteSource), close: () => undefined }),
});

async function shuffled(files: readonly ByteSource[], split: Split = "data", groupBytes?: number, randomSeed = 1) {
  const numbers: number[] = [];
  const options = { split, layout, randomSeed, pause, ...(groupBytes === undefined ? {} : { groupBytes }) };
  let largest = 0;
  for await (const group of shuffleRuns(runsOf(files), options)) {
    let bytes = 0;
    for (let place = 0; place < group.count; place++) {
      const record = group.record(place);
      const instance = decodeRecord(
        record.bytes,
        record.lengths & 0xffff,
        record.lengths >>> 16,
        layout,
      ) as PretrainingInstance;
      const characters = [...originalIds(instance).subarray(1, -1)].map((id) => id - 5);
      numbers.push(characters.reduce((number, digit) => 24 * number + digit, 0));
      bytes += record.bytes.length;
    }
    largest = Math.max(largest, bytes);
  }
  return { numbers, largest };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

describe("the global shuffle", () => {
  test("has each example once, whatever fits into memory", async () => {
    const files = await makeRuns(3, 700);
    for (const groupBytes of [undefined, 2000, 300, 100]) {
      const { numbers, largest } = await shuffled(files, "data", groupBytes);
      expect(ascending(numbers)).toEqual(range(2100));
      if (groupBytes !== undefined) expect(largest).toBeLessThan(2 * groupBytes);
    }
  });

  test("is the same for the same seed and another for another", async () => {
    const files = await makeRuns(2, 100);
    const { numbers } = await shuffled(files);
    expect((await shuffled(files)).numbers).toEqual(numbers);
    expect((await shuffled(files, "data", undefined, 2)).numbers).not.toEqual(numbers);
  });

  test("puts examples of all blocks everywhere: correlation and counts within chance", async () => {
    const count = 6000;
    const files = await makeRuns(6, count / 6);
    for (const groupBytes of [undefined, 3000, 400]) {
      const { numbers } = await shuffled(files, "data", groupBytes);
      // Place and number are uncorrelated: the coefficient has a standard deviation of 1 / sqrt(count).
      const mean = (count - 1) / 2;
      const covariance = numbers.reduce((sum, number, place) => sum + (number - mean) * (place - mean), 0) / count;
      expect(Math.abs(covariance / ((count * count - 1) / 12))).toBeLessThan(4 / Math.sqrt(count));
      // In each tenth of the places each block has 100 examples on average: chi-square with 45 degrees of freedom.
      const counts = new Float64Array(60);
      numbers.forEach((number, place) => {
        counts[6 * Math.floor((10 * place) / count) + Math.floor((6 * number) / count)]! += 1;
      });
      expect(counts.reduce((sum, seen) => sum + (seen - 100) ** 2 / 100, 0)).toBeLessThan(90);
      // Of neighbours in the corpus few are neighbours still: two in all on average.
      const neighbours = numbers.filter((number, i) => i > 0 && Math.abs(number - (numbers[i - 1] as number)) === 1);
      expect(neighbours.length).toBeLessThan(12);
    }
  });

  test("keeps the sides apart, and has each pass", async () => {
    const files = await makeRuns(2, 300, { heldOut: 0.2, dupeFactor: 10 });
    expect(files).toHaveLength(10);
    const data = ascending((await shuffled(files)).numbers);
    const heldOut = ascending((await shuffled(files, "held-out")).numbers);
    expect(new Set(heldOut).size / 600).toBeCloseTo(0.2, 1);
    expect(new Set([...data, ...heldOut]).size).toBe(600);
    expect(data.length + heldOut.length).toBe(6000);
    expect(data.filter((number) => heldOut.includes(number))).toEqual([]);
  });
});

describe("a run", () => {
  const bytesOf = (file: ByteSource) => file.slice(0, file.size).slice();

  test("cut short or with another byte is a DataError, never more", async () => {
    const [file] = await makeRuns(1, 40);
    const whole = bytesOf(file as ByteSource);
    const use = async (bytes: Uint8Array) => {
      const source = bytesSource("run", bytes);
      await (await RunReader.open(source)).check();
      await shuffled([source]);
    };
    await use(whole);
    for (let length = 0; length < whole.length; length += 97) {
      await expect(use(whole.subarray(0, length))).rejects.toThrow(DataError);
    }
    for (let at = 0; at < whole.length; at += 13) {
      const bytes = whole.slice();
      bytes[at]! ^= 0x10;
      await expect(use(bytes)).rejects.toThrow(DataError);
    }
  });
});
