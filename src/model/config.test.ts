import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { ConfigError } from "../errors.ts";
import { builtinConfig, configToJson, parseConfig } from "./config.ts";

const minimal = {
  vocab_size: 99,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 37,
};

test("a config without rates and limits gets those of BERT's own code", () => {
  expect(parseConfig(minimal, "config.json")).toMatchObject({
    hiddenAct: "gelu",
    hiddenDropoutProb: 0.1,
    maxPositionEmbeddings: 512,
    typeVocabSize: 2,
    initializerRange: 0.02,
    layerNormEps: 1e-12,
    positionEmbeddingType: "absolute",
  });
});

test("a config written and read again is the same", () => {
  const config = { ...builtinConfig("tiny", 12_000), hiddenAct: "gelu_new" as const };
  expect(parseConfig(configToJson(config), "config.json")).toEqual(config);
});

test("a classifier's own dropout is kept; null and nothing are none", () => {
  const config = parseConfig({ ...minimal, classifier_dropout: 0.3 }, "config.json");
  expect(config.classifierDropout).toBe(0.3);
  expect(parseConfig(configToJson(config), "config.json")).toEqual(config);
  for (const none of [null, undefined]) {
    expect(parseConfig({ ...minimal, classifier_dropout: none }, "c")).not.toHaveProperty("classifierDropout");
  }
});

test.each([
  [
    "a missing size",
    { hidden_size: undefined },
    "config.json: hidden_size: expected an integer in 1 .. 16777216, got nothing",
  ],
  ["heads that do not divide", { num_attention_heads: 5 }, "expected a divisor of hidden_size 32, got 5"],
  [
    "an unknown activation",
    { hidden_act: "swish" },
    'expected one of gelu, gelu_new, gelu_pytorch_tanh, relu, got "swish"',
  ],
  ["an absurd size", { vocab_size: 1e12 }, "vocab_size: expected an integer in 1 .. 16777216"],
  ["text for a number", { hidden_size: "32" }, 'hidden_size: expected an integer in 1 .. 16777216, got "32"'],
  ["a text for a rate", { classifier_dropout: "0.1" }, 'classifier_dropout: expected a number in 0 .. 1, got "0.1"'],
  ["a rate above 1", { hidden_dropout_prob: 1.5 }, "hidden_dropout_prob: expected a number in 0 .. 1, got 1.5"],
])("%s is an error that names the field", (_, change, message) => {
  const read = () => parseConfig({ ...minimal, ...change }, "config.json");
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(message);
});

test("a config that is no object, and an unknown size, are errors", () => {
  expect(() => parseConfig([1], "config.json")).toThrow("config.json: expected a JSON object");
  expect(() => builtinConfig("huge", 99)).toThrow(
    'config: expected one of tiny, rbt3, base, large, or a config.json, got "huge"',
  );
});

test("a config of PaddleNLP is read inside its init_args, and ERNIE's without sizes that it leaves out", () => {
  const nested = { init_args: [{ init_args: [{ ...minimal, init_class: "BertModel" }], num_classes: 2 }] };
  expect(parseConfig(nested, "model_config.json")).toEqual(parseConfig(minimal, "config.json"));
  const { intermediate_size: _, ...ernie } = minimal;
  expect(parseConfig({ init_args: [{ ...ernie, init_class: "ErnieModel" }] }, "c")).toMatchObject({
    intermediateSize: 128,
    layerNormEps: 1e-5,
  });
  expect(parseConfig({ init_args: [ernie], init_class: "ErnieForMaskedLM" }, "c").layerNormEps).toBe(1e-5);
});

test("init_args without fields or without an end are errors", () => {
  let endless: unknown = minimal;
  for (let depth = 0; depth < 100; depth++) endless = { init_args: [endless] };
  expect(() => parseConfig(endless, "c")).toThrow(ConfigError);
  expect(() => parseConfig({ init_args: [] }, "c")).toThrow("c: init_args: expected a list with the model's fields");
  expect(() => parseConfig({ init_args: ["BertModel"] }, "c")).toThrow("c: init_args[0]: expected a JSON object");
});

describeShared("assets/configs", "published configs", (folder) => {
  test.each(readdirSync(folder))("%s is read", (name) => {
    const config = parseConfig(JSON.parse(readFileSync(join(folder, name), "utf8")), name);
    expect(config).toMatchObject({ vocabSize: 21128, hiddenAct: "gelu", typeVocabSize: 2 });
    expect(config.intermediateSize).toBe(config.hiddenSize === 312 ? 1200 : 4 * config.hiddenSize);
  });
});

describeShared("reference/bert-tiny", "configs of one model by three libraries", (folder) => {
  test("say the same but for the dropout that Google's has", () => {
    const read = (path: string) => parseConfig(JSON.parse(readFileSync(join(folder, path), "utf8")), path);
    const config = read("config.json");
    expect(read("paddle/model_config.json")).toEqual(config);
    const withDropout = { ...config, hiddenDropoutProb: 0.1, attentionProbsDropoutProb: 0.1 };
    expect(read("tf/bert_config.json")).toEqual(withDropout);
  });
});

test("fields that are objects where texts belong are no defect of ours", () => {
  const sizes = { vocab_size: 9, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2 };
  expect(parseConfig({ ...sizes, init_class: { toString: 1 } }, "c").layerNormEps).toBe(1e-12);
});
