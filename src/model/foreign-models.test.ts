import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { ConfigError, VocabularyError } from "../errors.ts";
import { parseConfig } from "./config.ts";
import { expectBertTokenizer } from "./foreign-models.ts";

const bert = {
  vocab_size: 99,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 37,
  max_position_embeddings: 512,
  type_vocab_size: 2,
};

test("RoBERTa-wwm-ext is a BERT whatever its names say", () => {
  const named = { ...bert, architectures: ["RobertaForMaskedLM"], model_type: "roberta", _name_or_path: "roberta" };
  expect(parseConfig(named, "config.json")).toEqual(parseConfig(bert, "config.json"));
});

test.each([
  [{ ...bert, model_type: "roberta", type_vocab_size: 1 }, "RoBERTa (type_vocab_size 1)"],
  [{ ...bert, model_type: "xlm-roberta", max_position_embeddings: 514 }, "XLM-RoBERTa (max_position_embeddings 514)"],
  [{ ...bert, model_type: "albert", embedding_size: 16 }, "ALBERT (embedding_size 16, hidden_size 32)"],
  [
    { ...bert, embedding_size: 16 },
    "a model with factorised embeddings (ALBERT, ELECTRA) (embedding_size 16, hidden_size 32)",
  ],
  [{ ...bert, num_hidden_groups: 1 }, "a model with shared layers (ALBERT) (num_hidden_groups 1)"],
  [{ ...bert, model_type: "electra" }, "ELECTRA (model_type electra)"],
  [{ model_type: "distilbert", dim: 768 }, "DistilBERT (model_type distilbert)"],
  [{ dim: 768, n_layers: 6 }, "DistilBERT (dim 768)"],
  [{ ...bert, is_decoder: true }, "a decoder (is_decoder true)"],
])("a config of another network is an error that says what it is: %j", (config, said) => {
  const read = () => parseConfig(config, "config.json");
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(`config.json: expected the config of a BERT, got that of ${said}`);
});

test("ERNIE 1.0 is read, ERNIE with task ids is refused", () => {
  expect(parseConfig({ ...bert, model_type: "ernie", hidden_act: "relu", use_task_id: false }, "c").hiddenAct).toBe(
    "relu",
  );
  expect(() => parseConfig({ ...bert, model_type: "ernie", use_task_id: true }, "c")).toThrow(
    "c: use_task_id: expected false: no embedding of tasks, as in ERNIE 1.0, got true",
  );
});

test.each([
  [["vocab.json", "merges.txt", "model.safetensors"], undefined, undefined, "merges.txt, the file of a byte-level BPE"],
  [["m/sentencepiece.bpe.model", "vocab.txt"], undefined, undefined, "m/sentencepiece.bpe.model, the file of a Sent"],
  [["vocab.txt"], { tokenizer_class: "RobertaTokenizerFast" }, undefined, "tokenizer_class RobertaTokenizerFast"],
  [["tokenizer.json"], undefined, { model: { type: "Unigram" } }, "a tokenizer.json of type Unigram"],
])("another tokenizer beside the weights is an error: %j %j %j", (paths, config, json, said) => {
  const check = () => expectBertTokenizer(paths, config, "folder", json);
  expect(check).toThrow(VocabularyError);
  expect(check).toThrow(`folder: expected BERT's WordPiece tokenizer, got ${said}`);
});

test.each([
  [["vocab.txt", "merges.txt"], { tokenizer_class: "BertTokenizer" }, { model: { type: "WordPiece" } }],
  [["vocab.txt"], { init_inputs: [] }, undefined],
  [["tokenizer.json"], null, { model: {} }],
  [[], [], null],
])("BERT's own tokenizer files pass: %j %j %j", (paths, config, json) => {
  expect(() => expectBertTokenizer(paths, config, "folder", json)).not.toThrow();
});

describeShared("reference/families", "configs of the families", (folder) => {
  const read = (family: string) =>
    parseConfig(JSON.parse(readFileSync(join(folder, family, "config.json"), "utf8")), family);

  test.each(["macbert", "ernie"])("%s is read", (family) => {
    expect(read(family).numHiddenLayers).toBeGreaterThan(1);
  });

  test.each([
    ["roberta", "RoBERTa"],
    ["xlmr", "XLM-RoBERTa"],
    ["albert", "ALBERT"],
    ["albert_groups", "ALBERT"],
    ["electra_generator", "ELECTRA"],
    ["electra_discriminator", "ELECTRA"],
    ["distilbert", "DistilBERT"],
    ["gpt2", "GPT-2"],
    ["t5", "T5"],
    ["t5_gated", "T5"],
    ["xlnet", "XLNet"],
  ])("%s is refused by its name", (family, title) => {
    expect(() => read(family)).toThrow(`${family}: expected the config of a BERT, got that of ${title} (`);
  });
});
