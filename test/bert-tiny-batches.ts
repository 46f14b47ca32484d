/** The batches of pre-training that the reference model was trained on: test/fixtures/bert-tiny. */
import { readFileSync } from "node:fs";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import type { PretrainingBatch } from "../src/data/instance.ts";

const path = new URL("fixtures/bert-tiny/batches.safetensors", import.meta.url);
const stored = readSafetensors(new Uint8Array(readFileSync(path)), "batches.safetensors");

/** Entry s of the stored batches [10, 5, ...]; int64 there. */
export function storedBatch(s: number): PretrainingBatch {
  const entry = (name: string) => {
    const { shape, data } = stored.get(name)!;
    const size = shape.slice(1).reduce((product, dim) => product * dim, 1);
    return Array.from(data.subarray(s * size, (s + 1) * size), Number);
  };
  const ints = (name: string) => Int32Array.from(entry(name));
  return {
    batchSize: 5,
    seqLength: 11,
    maxPredictions: 4,
    inputIds: ints("input_ids"),
    tokenTypeIds: ints("token_type_ids"),
    attentionMask: ints("attention_mask"),
    maskedLmPositions: ints("masked_lm_positions"),
    maskedLmIds: ints("masked_lm_ids"),
    maskedLmWeights: Float32Array.from(entry("masked_lm_weights")),
    nextSentenceLabels: ints("next_sentence_labels"),
  };
}
