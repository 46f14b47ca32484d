/** MLM heads that were trained are told from those that were not: real training runs, and the reference models. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lazyTensors } from "../src/checkpoint/format.ts";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import type { PretrainingBatch } from "../src/data/instance.ts";
import { type BertConfig, parseConfig } from "../src/model/config.ts";
import { initializeWeights } from "../src/model/initialize.ts";
import { inspectMlmHead } from "../src/model/mlm-head.ts";
import { compilePretraining } from "../src/train/compile-pretraining.ts";
import { runPretraining } from "../src/train/pretrain.ts";
import type { TrainingSettings } from "../src/train/settings.ts";
import { Random } from "../src/util/random.ts";
import type { NamedTensors } from "../src/util/tensor.ts";
import { runtime } from "./graph-checks.ts";
import { describeShared } from "./shared.ts";

const config: BertConfig = parseConfig(
  {
    vocab_size: 40,
    hidden_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 48,
    max_position_embeddings: 16,
  },
  "config.json",
);

const [BATCH, LENGTH, MASK] = [8, 8, 4];

/** Sentences that count upwards, one token of each masked: what a small model learns within some hundred steps. */
function countingBatch(index: number): PretrainingBatch {
  const random = Random.derive(7, index);
  const rows = Array.from({ length: BATCH }, () => ({
    start: 5 + random.integer(27),
    at: 1 + random.integer(LENGTH - 2),
  }));
  const ids = rows.flatMap(({ start, at }) => Array.from({ length: LENGTH }, (_, i) => (i === at ? MASK : start + i)));
  return {
    batchSize: BATCH,
    seqLength: LENGTH,
    maxPredictions: 1,
    inputIds: Int32Array.from(ids),
    tokenTypeIds: new Int32Array(ids.length),
    attentionMask: new Int32Array(ids.length).fill(1),
    maskedLmPositions: Int32Array.from(rows, ({ at }) => at),
    maskedLmIds: Int32Array.from(rows, ({ start, at }) => start + at),
    maskedLmWeights: new Float32Array(BATCH).fill(1),
    nextSentenceLabels: new Int32Array(BATCH).fill(-100),
  };
}

async function trained(settings: Pick<TrainingSettings, "steps" | "optimizer" | "learningRate">) {
  const weights: NamedTensors = initializeWeights(config, new Random(3), { nextSentence: false });
  await runPretraining({
    config,
    weights,
    batches: { batchesPerEpoch: 1_000_000, batch: async (index) => countingBatch(index) },
    compile: compilePretraining(runtime, config, { nextSentence: false }),
    settings: {
      seed: 1,
      warmupSteps: Math.floor(settings.steps / 10),
      weightDecay: 0.01,
      maxGradientNorm: 1,
      gradientAccumulationSteps: 1,
      ...settings,
    },
    hooks: { loggingSteps: 1000, onLog: () => {}, saveSteps: 0, onSave: async () => {}, evalSteps: 0, clock: () => 0 },
  });
  return inspectMlmHead(lazyTensors(weights), config);
}

test.each([
  ["adamw", 300, 1e-3],
  ["adamw-bert", 300, 5e-4],
] as const)(
  "a head of the pre-training is trained after %s, %d steps at %d",
  async (optimizer, steps, learningRate) => {
    const { state, evidence } = await trained({ optimizer, steps, learningRate });
    expect(evidence[0]).toContain("LayerNorm has left 1 by");
    expect(state, evidence.join("; ")).toBe("trained");
  },
);

test("three steps are not yet a training", async () => {
  const { state, evidence } = await trained({ optimizer: "adamw", steps: 3, learningRate: 1e-3 });
  expect(evidence[0]).toContain("LayerNorm has left 1 by");
  expect(state).toBe("untrained");
});

describeShared("reference", "reference models", (folder) => {
  const read = (path: string) => lazyTensors(readSafetensors(readFileSync(join(folder, path)), path));

  test("random heads of another kind than programs start from count as trained", () => {
    for (const path of ["bert-tiny/model.safetensors", "bert-small-zh/model.safetensors"]) {
      const { state, evidence } = inspectMlmHead(read(path), { initializerRange: 0.02 });
      expect(state).toBe("trained");
      expect(evidence.join()).toContain("matrix is not as drawn from");
    }
  });

  test("a checkpoint without a head is recognised", () => {
    const { state, evidence } = inspectMlmHead(read("bert-tiny/no-mlm-head.safetensors"), config);
    expect(state).toBe("missing");
    expect(evidence[0]).toContain("no cls.predictions.transform.dense.weight");
  });
});
