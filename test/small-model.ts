/** A small random model in a temporary folder, as Transformers lays it out; for tests of formats and conversion. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { type BertConfig, configToJson, parseConfig } from "../src/model/config.ts";
import { initializeWeights } from "../src/model/initialize.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { tokenizerFiles } from "../src/text/tokenizer-files.ts";
import { Vocabulary } from "../src/text/vocabulary.ts";
import { Random } from "../src/util/random.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";

const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."今天气很好我爱北京的一是不了在人有他这中大来上"];

export const smallVocabulary = Vocabulary.fromText(tokens.join("\n"), "vocab.txt");

export const smallConfig: BertConfig = parseConfig(
  {
    vocab_size: tokens.length,
    hidden_size: 12,
    num_hidden_layers: 2,
    num_attention_heads: 3,
    intermediate_size: 20,
    max_position_embeddings: 16,
    hidden_dropout_prob: 0,
  },
  "config.json",
);

/** Every parameter with random values of some size, biases too, so that a wrong order shows. */
export function smallWeights(): NamedTensors {
  const random = new Random(11);
  const made = initializeWeights(smallConfig, random, { nextSentence: true });
  return new Map(
    [...made].map(([name, { shape, data }]): [string, HostTensor] => [
      name,
      hostTensor(
        "float32",
        shape,
        Float32Array.from(data as Float32Array, () => random.normal()),
      ),
    ]),
  );
}

/** A temporary folder with a model of these weights in `model/`. */
export function smallModelFolder(weights: NamedTensors = smallWeights(), configFields: object = {}) {
  const root = mkdtempSync(join(tmpdir(), "zhbert-model-"));
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(root, name), content);
  write("model.safetensors", Buffer.concat(writeSafetensors(weights)));
  write("config.json", JSON.stringify({ ...configToJson(smallConfig), ...configFields }));
  const files = tokenizerFiles(new BertTokenizer(smallVocabulary), smallConfig.maxPositionEmbeddings);
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { path: root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
