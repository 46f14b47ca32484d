import { expect, test } from "vitest";
import { lazyTensor, lazyTensors } from "../checkpoint/format.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { hostTensor } from "../util/tensor.ts";
import { builtinConfig, parseConfig } from "./config.ts";
import { inferConfig, repairConfig } from "./config-repairs.ts";
import { initializeWeights } from "./initialize.ts";

const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "我"]);

test("a pad_token_id that is not the vocabulary's [PAD] is repaired with a note, and a right one is left", () => {
  const right = builtinConfig("tiny", 6);
  expect(repairConfig(right, vocabulary)).toEqual({ config: right, notes: [] });
  expect(repairConfig({ ...right, padTokenId: 1 }, vocabulary)).toEqual({
    config: right,
    notes: ["pad_token_id 1 of the config is taken as 0, the id of [PAD] in the vocabulary"],
  });
});

test("sizes of a model without a config are those of its weights, and the heads are assumed", () => {
  const config = parseConfig(
    { vocab_size: 9, hidden_size: 128, num_hidden_layers: 3, num_attention_heads: 2, intermediate_size: 20 },
    "config.json",
  );
  const weights = lazyTensors(initializeWeights(config, new Random(1), { nextSentence: true }));
  expect(inferConfig(weights)).toEqual({
    config,
    notes: ["there is no config: sizes are those of the weights; 2 heads of 64 and gelu are assumed"],
  });
  expect(inferConfig(new Map([...weights].slice(3)))).toBeUndefined();
  const student = lazyTensors(initializeWeights(builtinConfig("tiny", 9), new Random(1), { nextSentence: true }));
  expect(inferConfig(student)?.config.numAttentionHeads).toBe(12);
});

test("weights of more layers than any BERT has give no config, whose graph would fill the memory", () => {
  const one = lazyTensor(hostTensor("float32", [1, 1], new Float32Array(1)));
  const names = ["embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings"];
  const layers = Array.from({ length: 1025 }, (_, i) => `encoder.layer.${i}.attention.self.query`);
  const all = [...names, "encoder.layer.0.intermediate.dense", ...layers];
  const tensors = new Map(all.map((name) => [`bert.${name}.weight`, one]));
  expect(inferConfig(tensors)).toBeUndefined();
  tensors.delete("bert.encoder.layer.1024.attention.self.query.weight");
  expect(inferConfig(tensors)?.config.numHiddenLayers).toBe(1024);
});
