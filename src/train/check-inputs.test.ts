/** Configs, weights and batches that do not fit, each named by what is wrong. */
import { expect, test } from "vitest";
import { IGNORED_LABEL, type PretrainingBatch } from "../data/instance.ts";
import { DataError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import { checkBatch, checkConfigFitsData } from "./check-inputs.ts";

const config = builtinConfig("tiny", 100);
const vocabulary = (size: number, hash = "a") => ({ size, hash: () => hash });
const data = { vocabularyHash: "a", vocabSize: 100, maxSeqLength: 128 };

test("config, data and vocabulary", () => {
  checkConfigFitsData(config, data, vocabulary(100));
  expect(() => checkConfigFitsData(config, data, vocabulary(100, "b"))).toThrow(DataError);
  expect(() => checkConfigFitsData(config, data, vocabulary(101))).toThrow("config: vocab_size: expected 101 or more");
  const long = { ...data, maxSeqLength: 513 };
  expect(() => checkConfigFitsData(config, long, vocabulary(100))).toThrow("expected 513 or more");
});

test.each<[string, Partial<PretrainingBatch>, string]>([
  [
    "an id",
    { inputIds: Int32Array.of(1, 2, 3, 100) },
    "batch: input id [1, 1]: expected a number from 0 to 99, got 100",
  ],
  ["a negative id", { inputIds: Int32Array.of(-1, 0, 0, 0) }, "input id [0, 0]"],
  ["a segment", { tokenTypeIds: Int32Array.of(0, 2, 0, 0) }, "token type id [0, 1]: expected a number from 0 to 1"],
  ["a position", { maskedLmPositions: Int32Array.of(0, 2) }, "masked position [1, 0]: expected a number from 0 to 1"],
  ["a label", { maskedLmIds: Int32Array.of(100, 0) }, "masked label [0, 0]"],
  ["a next sentence label", { nextSentenceLabels: Int32Array.of(0, 2) }, "next sentence label [1, 0]"],
  ["a length", { seqLength: 513 }, "batch: expected sequences of at most 512 tokens, got 513"],
])("a batch with %s out of range", (_, changes, message) => {
  const batch: PretrainingBatch = {
    batchSize: 2,
    seqLength: 2,
    maxPredictions: 1,
    inputIds: new Int32Array(4),
    tokenTypeIds: new Int32Array(4),
    attentionMask: new Int32Array(4),
    maskedLmPositions: new Int32Array(2),
    maskedLmIds: new Int32Array(2),
    maskedLmWeights: new Float32Array(2),
    nextSentenceLabels: new Int32Array(2),
  };
  checkBatch(batch, config);
  checkBatch({ ...batch, nextSentenceLabels: Int32Array.of(1, IGNORED_LABEL) }, config);
  expect(() => checkBatch({ ...batch, ...changes }, config)).toThrow(message);
});
