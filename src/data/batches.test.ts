import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Batches, type BatchOptions, padInstances } from "./batches.ts";
import { type InstanceSource, instanceList } from "./dataset.ts";
import { IGNORED_LABEL, originalIds, type PretrainingInstance } from "./instance.ts";
import { createMasking } from "./masking.ts";

const vocabulary = Vocabulary.fromTokens([
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  ..."春江潮水连海平海上明月共潮生",
]);
const [cls, sep, mask] = [vocabulary.ids.cls, vocabulary.ids.sep, vocabulary.ids.mask];

/** `[CLS] ... [SEP]` of `length` tokens with one stored mask; `number` is the label, so that rows can be told apart. */
function makeInstance(length: number, number: number): PretrainingInstance {
  const body = Array.from({ length: length - 2 }, (_, i) => 5 + ((number + i) % 12));
  const ids = Int32Array.of(cls, ...body, sep);
  ids[1] = mask;
  return {
    inputIds: ids,
    tokenTypeIds: new Uint8Array(length),
    wordStarts: new Uint8Array(length).fill(1),
    maskedLmPositions: Int32Array.of(1),
    maskedLmIds: Int32Array.of(5 + (number % 12)),
    nextSentenceLabel: 0,
  };
}

const lengths = Array.from({ length: 203 }, (_, i) => 3 + ((i * i * 7 + i) % 62));
const source = instanceList(lengths.map(makeInstance));
const options: BatchOptions = { batchSize: 8, maxSeqLength: 64, seed: 7, bucketWidth: 16 };

function epochRows(batches: Batches, epoch: number): number[] {
  const rows: number[] = [];
  for (let i = 0; i < batches.batchesPerEpoch; i++) {
    const planned = batches.rows(epoch * batches.batchesPerEpoch + i);
    rows.push(...planned.rows.subarray(0, planned.filled));
  }
  return rows;
}

describe("Batches", () => {
  test("holds every instance once in an epoch, in batches of full size that fit", () => {
    const batches = new Batches(source, options);
    expect(batches.batchesPerEpoch).toBe(Math.ceil(203 / 8));
    for (const epoch of [0, 1, 5]) {
      expect(epochRows(batches, epoch).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
      for (let i = 0; i < batches.batchesPerEpoch; i++) {
        const { shape, rows } = batches.rows(epoch * batches.batchesPerEpoch + i);
        expect(rows).toHaveLength(8);
        for (const row of rows) expect(lengths[row]).toBeLessThanOrEqual(shape.seqLength);
      }
    }
    expect(batches.shapes.map(({ seqLength }) => seqLength)).toEqual([16, 32, 48, 64]);
  });

  test("gives each step by its number alone: a resumed run equals an uninterrupted one", async () => {
    const steps = [0, 30, 25, 26, 200, 25];
    const batches = new Batches(source, options);
    for (const step of steps) {
      expect(await new Batches(source, options).batch(step)).toEqual(await batches.batch(step));
    }
  });

  test("changes with seed and epoch, and keeps the source's order without shuffling", () => {
    const rows = (changed: Partial<BatchOptions>, epoch: number) =>
      epochRows(new Batches(source, { ...options, ...changed }), epoch);
    expect(rows({}, 0)).toEqual(rows({}, 0));
    expect(rows({}, 0)).not.toEqual(rows({}, 1));
    expect(rows({}, 0)).not.toEqual(rows({ seed: 8 }, 0));
    expect(rows({ shuffle: false }, 0)).toEqual(rows({ shuffle: false, seed: 8 }, 1));
    const one = rows({ shuffle: false, bucketWidth: 64 }, 0);
    expect(one).toEqual([...one].sort((a, b) => a - b));
  });

  test("weighs every prediction once; the rows that fill the last batch carry none", async () => {
    const batches = new Batches(source, options);
    let weight = 0;
    for (let i = 0; i < batches.batchesPerEpoch; i++) {
      for (const value of (await batches.batch(i)).maskedLmWeights) weight += value;
    }
    expect(weight).toBe(203);
    const few = new Batches(instanceList([makeInstance(5, 0), makeInstance(9, 1)]), { ...options, shuffle: false });
    expect([...few.rows(0).rows]).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    const { maskedLmWeights, nextSentenceLabels } = await few.batch(0);
    expect([...maskedLmWeights]).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
    expect([...nextSentenceLabels]).toEqual([0, 0, ...new Array<number>(6).fill(IGNORED_LABEL)]);
  });

  test("reports the share of padding of its batches", async () => {
    const batches = new Batches(source, options);
    let places = 0;
    for (let i = 0; i < batches.batchesPerEpoch; i++) places += (await batches.batch(i)).inputIds.length;
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    expect(batches.paddingShare).toBeCloseTo(1 - tokens / places, 12);
    expect(batches.paddingShare).toBeLessThan(new Batches(source, { ...options, bucketWidth: 64 }).paddingShare);
  });

  test("draws masks anew in each epoch, the same for the same step", async () => {
    const dynamicMasking = createMasking(vocabulary, { masking: "whole-word", maxPredictionsPerSeq: 10 });
    const dynamic = new Batches(source, { ...options, dynamicMasking });
    const again = new Batches(source, { ...options, dynamicMasking });
    expect(await dynamic.batch(40)).toEqual(await again.batch(40));
    const drawn = new Set<string>();
    for (let epoch = 0; epoch < 6; epoch++) {
      const start = epoch * dynamic.batchesPerEpoch;
      for (let i = 0; i < dynamic.batchesPerEpoch; i++) {
        const { shape, rows } = dynamic.rows(start + i);
        const row = rows.indexOf(20);
        if (row < 0) continue;
        const batch = await dynamic.batch(start + i);
        const ids = [...batch.inputIds.subarray(row * shape.seqLength, row * shape.seqLength + lengths[20]!)];
        for (let slot = row * shape.maxPredictions; slot < (row + 1) * shape.maxPredictions; slot++) {
          if (batch.maskedLmWeights[slot] === 1) ids[batch.maskedLmPositions[slot]!] = batch.maskedLmIds[slot]!;
        }
        expect(ids).toEqual([...originalIds(makeInstance(lengths[20]!, 20))]);
        drawn.add([...batch.maskedLmPositions.subarray(row * shape.maxPredictions)].join());
        break;
      }
    }
    expect(drawn.size).toBeGreaterThan(2);
  });

  test("holds its promises for any lengths, batch size and bucket width (seeded)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 60 }),
        (sizes, batchSize, bucketWidth) => {
          const sized: InstanceSource = {
            count: sizes.length,
            seqLengths: Uint16Array.from(sizes),
            predictionCounts: new Uint16Array(sizes.length).fill(1),
            instance: () => Promise.reject(new Error("not to be read")),
          };
          const batches = new Batches(sized, { batchSize, bucketWidth, maxSeqLength: 50, seed: 1 });
          expect(batches.batchesPerEpoch).toBe(Math.ceil(sizes.length / batchSize));
          expect(epochRows(batches, 2).sort((a, b) => a - b)).toEqual(sizes.map((_, i) => i));
          for (let i = 0; i < batches.batchesPerEpoch; i++) {
            const { shape, rows } = batches.rows(i);
            expect(rows).toHaveLength(batchSize);
            for (const row of rows) expect(sizes[row]).toBeLessThanOrEqual(shape.seqLength);
          }
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  test("refuses what cannot be", () => {
    expect(() => new Batches(instanceList([]), options)).toThrow("expected at least one instance, got 0");
    expect(() => new Batches(source, { ...options, batchSize: 0 })).toThrow(ArgumentError);
    expect(() => new Batches(source, { ...options, maxSeqLength: 40 })).toThrow("expected at most 40 tokens");
    expect(() => new Batches(source, options).rows(-1)).toThrow(ArgumentError);
  });
});

test("padInstances pads with zeros and refuses what does not fit", () => {
  const pair: PretrainingInstance = {
    ...makeInstance(5, 3),
    tokenTypeIds: Uint8Array.of(0, 0, 0, 1, 1),
    nextSentenceLabel: 1,
  };
  const batch = padInstances([pair, makeInstance(3, 4)], { seqLength: 6, maxPredictions: 2 });
  expect([...batch.inputIds]).toEqual([cls, mask, 9, 10, sep, 0, cls, mask, sep, 0, 0, 0]);
  expect([...batch.tokenTypeIds]).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
  expect([...batch.attentionMask]).toEqual([1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0]);
  expect([...batch.maskedLmPositions]).toEqual([1, 0, 1, 0]);
  expect([...batch.maskedLmIds]).toEqual([8, 0, 9, 0]);
  expect([...batch.maskedLmWeights]).toEqual([1, 0, 1, 0]);
  expect([...batch.nextSentenceLabels]).toEqual([1, 0]);
  expect(() => padInstances([pair], { seqLength: 4, maxPredictions: 2 })).toThrow(ArgumentError);
});
