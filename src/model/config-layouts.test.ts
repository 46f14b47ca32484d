/** Configs for other programs: what they say, what they cannot say, and that they are read back. */
import { describe, expect, test } from "vitest";
import { type BertConfig, builtinConfig, parseConfig } from "./config.ts";
import { googleConfig, paddleConfig, transformersConfig } from "./config-layouts.ts";

const config = builtinConfig("rbt3", 100);
const back = (json: object) => parseConfig(JSON.parse(JSON.stringify(json)), "config");

describe("read back", () => {
  test.each([
    ["config.json", transformersConfig(config, "BertModel", undefined)],
    ["bert_config.json", googleConfig(config)],
    ["model_config.json of a model with heads", paddleConfig(config, "BertForPretraining")],
    ["model_config.json of an encoder", paddleConfig(config, "BertModel")],
  ])("%s", (_, { json }) => {
    expect(back(json)).toEqual(config);
  });
});

test("Transformers: unknown fields of the original stay, ours win, a stored dtype goes", () => {
  const original = { vocab_size: 5, dtype: "float16", id2label: { 0: "a" }, architectures: ["Other"] };
  const { json } = transformersConfig(config, "BertForMaskedLM", original);
  expect(json).toMatchObject({ vocab_size: 100, id2label: { 0: "a" }, architectures: ["BertForMaskedLM"] });
  expect(json).not.toHaveProperty("dtype");
  const paddle = { init_args: [{ id2label: 1 }] };
  expect(transformersConfig(config, "BertModel", paddle).json).not.toHaveProperty("init_args");
});

test("fields that Google's and PaddleNLP's code would refuse are not written", () => {
  for (const { json } of [googleConfig(config), paddleConfig(config, "BertModel")]) {
    expect(Object.keys(json)).not.toEqual(expect.arrayContaining(["layer_norm_eps"]));
    expect(Object.keys(json)).not.toEqual(expect.arrayContaining(["model_type"]));
  }
  expect(googleConfig({ ...config, hiddenAct: "gelu_new" }).json).toMatchObject({ hidden_act: "gelu" });
});

describe("what is told because no field says it", () => {
  const notes = (change: Partial<BertConfig>) => ({
    google: googleConfig({ ...config, ...change }).notes.length,
    paddle: paddleConfig({ ...config, ...change }, "BertModel").notes.length,
  });
  test.each([
    ["BERT's own values: only that Paddle's code has another epsilon", {}, { google: 0, paddle: 1 }],
    ["another epsilon", { layerNormEps: 1e-5 }, { google: 1, paddle: 1 }],
    ["the tanh form of gelu", { hiddenAct: "gelu_new" }, { google: 1, paddle: 1 }],
    ["sinusoids", { positionEmbeddingType: "sinusoidal" }, { google: 1, paddle: 2 }],
  ] as const)("%s", (_, change, expected) => {
    expect(notes(change)).toEqual(expected);
  });
});
