/** Masks drawn while training: every variant, and shares that change with the step. */
import { describe, expect, test } from "vitest";
import { Vocabulary } from "../text/vocabulary.ts";
import { Batches } from "./batches.ts";
import { type GenerationSettings, instanceList } from "./dataset.ts";
import { type DynamicMaskingChoices, dynamicMasking, type MaskableData } from "./dynamic-masking.ts";
import type { PretrainingBatch, PretrainingInstance } from "./instance.ts";
import { parseMaskingRatio, ratioAt } from "./masking-ratio.ts";
import { MASKING_NAMES } from "./masking-variants.ts";
import type { Masking } from "./shards.ts";

const LETTERS = Array.from({ length: 30 }, (_, i) => String.fromCodePoint(0x4e10 + i));
const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...LETTERS]);
const { cls, sep, mask } = vocabulary.ids;
const maskingWords = {
  phrases: [`${LETTERS[0]} ${LETTERS[1]} ${LETTERS[2]} ${LETTERS[3]}`],
  entities: [`${LETTERS[4]} ${LETTERS[5]} ${LETTERS[6]} ${LETTERS[7]}`],
  similarWords: [[`${LETTERS[0]} ${LETTERS[1]}`, `${LETTERS[2]} ${LETTERS[3]}`]],
};

/** Instances of words of two letters, without masks, as `--masking none` stores them. */
const unmasked = Array.from({ length: 64 }, (_, row): PretrainingInstance => {
  const text = Array.from({ length: 62 }, (_, i) => 5 + ((i + 4 * row) % 30));
  return {
    inputIds: Int32Array.of(cls, ...text, sep),
    tokenTypeIds: new Uint8Array(64),
    wordStarts: Uint8Array.from({ length: 64 }, (_, i) => (i === 63 || i === 0 || i % 2 === 1 ? 1 : 0)),
    maskedLmPositions: new Int32Array(0),
    maskedLmIds: new Int32Array(0),
    nextSentenceLabel: 0,
  };
});

function dataOf(masking: Masking, generation: Partial<GenerationSettings> = {}): MaskableData {
  const settings = {
    vocabularyHash: "",
    vocabSize: vocabulary.size,
    maxSeqLength: 64,
    maxPredictionsPerSeq: 10,
    masking,
  };
  const base = { maskedLmProb: 0.15, shortSeqProb: 0, segmenter: "jieba", googleCompatible: false };
  const description = {
    settings: { ...settings, nextSentence: false, randomSeed: 1, dupeFactor: 1 },
    tokenizer: { rules: "huggingface", lowercase: true, curlyQuotes: "keep" },
    generation: { ...base, ...generation },
    shards: [],
    heldOutShards: [],
    statistics: {},
  } as const;
  return { description, vocabulary, maskingWords };
}

function batchesOf(data: MaskableData, choices?: DynamicMaskingChoices): Batches {
  const options = { batchSize: 32, maxSeqLength: 64, seed: 3, ...dynamicMasking(data, choices) };
  return new Batches(instanceList(unmasked), options);
}

/** The ids of a batch with the labels put back. */
function original({ inputIds, maskedLmPositions, maskedLmIds, maskedLmWeights, maxPredictions }: PretrainingBatch) {
  const ids = inputIds.slice();
  maskedLmPositions.forEach((position, slot) => {
    if (maskedLmWeights[slot] === 1)
      ids[Math.floor(slot / maxPredictions) * 64 + position] = maskedLmIds[slot] as number;
  });
  return ids;
}

const predictions = ({ maskedLmWeights }: PretrainingBatch) => maskedLmWeights.reduce((a, b) => a + b, 0);

describe("every variant is drawn anew in each epoch from unmasked data", () => {
  const names = [...MASKING_NAMES.filter((name) => name !== "none"), "entity:0.4,phrase:0.3,char:0.3"];
  test.each(names)("%s", async (masking) => {
    const batches = batchesOf(dataOf("none"), { masking });
    const inOrder = async (epoch: number) => {
      const both = await Promise.all([batches.batch(2 * epoch), batches.batch(2 * epoch + 1)]);
      const rows = both.flatMap((batch) => {
        const ids = original(batch);
        return Array.from({ length: 32 }, (_, row) => {
          const slots = batch.maskedLmPositions.subarray(row * batch.maxPredictions, (row + 1) * batch.maxPredictions);
          return { text: ids.subarray(row * 64, (row + 1) * 64).join(), positions: slots.join() };
        });
      });
      expect(both.every((batch) => predictions(batch) > 32 * 5)).toBe(true);
      return rows.sort((a, b) => (a.text < b.text ? -1 : 1));
    };
    const [first, second] = [await inOrder(0), await inOrder(1)];
    expect(first.map(({ text }) => text)).toEqual(unmasked.map(({ inputIds }) => inputIds.join()).sort());
    expect(second.map(({ text }) => text)).toEqual(first.map(({ text }) => text));
    expect(second.map(({ positions }) => positions)).not.toEqual(first.map(({ positions }) => positions));
    expect(await batches.batch(3)).toEqual(await batchesOf(dataOf("none"), { masking }).batch(3));
  });
});

test("the data's own options hold: the mixture, the shares of 80/10/10, the words", async () => {
  const data = dataOf("mixed", { masking: "macbert:0.5,char:0.5", maskTokenProb: 1, randomTokenProb: 0 });
  const { dynamicMasking: plan } = dynamicMasking(data);
  expect(plan).toMatchObject({ masking: "macbert:0.5,char:0.5", maskTokenProb: 1, maxPredictionsPerSeq: 10 });
  expect(dynamicMasking(dataOf("ngram", { ngramWeights: [1, 0.5] })).dynamicMasking).toMatchObject({
    masking: "ngram",
    ngramWeights: [1, 0.5],
  });
  const batch = await batchesOf(dataOf("char", { maskTokenProb: 1, randomTokenProb: 0 })).batch(0);
  expect(batch.inputIds.filter((id) => id === mask)).toHaveLength(predictions(batch));
});

describe("a share that changes", () => {
  const ratio = parseMaskingRatio("0.30:0.15", 10);

  test("is linear over the run and stays at its end", () => {
    expect([0, 5, 10, 99].map((step) => ratioAt(ratio, step).toFixed(4))).toEqual([
      "0.3000",
      "0.2250",
      "0.1500",
      "0.1500",
    ]);
    expect(ratioAt(parseMaskingRatio("0.15", 10), 5)).toBeCloseTo(0.15, 12);
  });

  test("decides how many tokens are predicted, in shapes that stay the same", async () => {
    const batches = batchesOf(dataOf("char"), { ratio });
    // 64 tokens: 19 at 0.30 (the data's bound of 10 is lifted), 14 at 0.225, 10 at 0.15.
    for (const [step, each] of [
      [0, 19],
      [5, 14],
      [10, 10],
      [40, 10],
    ] as const) {
      const batch = await batches.batch(step);
      expect(batch.maxPredictions).toBe(19);
      expect(predictions(batch)).toBe(32 * each);
    }
  });

  test.each(["", "0", "1.5", "0.3:", "0.3:0.2:0.1", "a:b"])("%j is refused", (text) => {
    expect(() => parseMaskingRatio(text, 10)).toThrow(/masking ratio: expected a share/);
  });
});

describe("is refused:", () => {
  test("unmasked data without the name of a variant, or without dynamic masking", () => {
    expect(() => dynamicMasking(dataOf("none"))).toThrow(/the name of a way of masking, got "none"/);
    expect(() => new Batches(instanceList(unmasked), { batchSize: 4, maxSeqLength: 64, seed: 1 })).toThrow(
      /instances with predictions, got none/,
    );
  });

  test("a share that changes without dynamic masking, or that is none", () => {
    const source = instanceList(unmasked);
    const options = { batchSize: 4, maxSeqLength: 64, seed: 1 };
    const ratio = { from: 0.3, to: 0.15, steps: 10 };
    expect(() => new Batches(source, { ...options, maskingRatio: ratio })).toThrow(
      /maskingRatio: expected dynamicMasking/,
    );
    for (const wrong of [{ from: 0 }, { to: 1.5 }, { steps: 0 }]) {
      const changed = dynamicMasking(dataOf("char"), { ratio: { ...ratio, ...wrong } });
      expect(() => new Batches(source, { ...options, ...changed })).toThrow(/masking ratio: expected shares above 0/);
    }
  });

  test("a variant whose words the data does not hold", () => {
    const data = { ...dataOf("char"), maskingWords: {} };
    expect(() => dynamicMasking(data, { masking: "entity" })).toThrow(/at least one entity/);
  });
});
