/** A model's folder as Transformers has it: config.json, model.safetensors, and vocab.txt or tokenizer.json. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { lazyTensors } from "../checkpoint/format.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ConfigError, FileError, verbatim } from "../errors.ts";
import { BertModel } from "../inference/bert-model.ts";
import { type BertConfig, parseConfig } from "../model/config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { readBytes, readText } from "./files.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { MODEL_FILE } from "./run-folder.ts";

async function has(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined;
}

/** @throws {FileError} when the folder or its config.json is not there. */
async function expectModelFolder(folder: string): Promise<void> {
  if (await has(join(folder, "config.json"))) return;
  throw new FileError({
    where: folder,
    expected: "a model's folder with config.json, model.safetensors and vocab.txt",
    got: verbatim((await has(folder)) ? "no config.json in it" : "no such folder"),
    hint: "name the folder that zhbert pretrain -o wrote, or a downloaded model's",
  });
}

/**
 * Reads config.json.
 * @throws {FileError} when it cannot be read. @throws {ConfigError} when it is not a BERT's.
 */
export async function readConfig(path: string): Promise<BertConfig> {
  return parseConfig(await readJson(path), path);
}

/** @throws {FileError} when it cannot be read. @throws {ConfigError} when it is no JSON. */
async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError({ where: path, expected: "JSON", got: verbatim((cause as SyntaxError).message), cause });
  }
}

/**
 * Reads the tokenizer of a model's folder: tokenizer.json, or vocab.txt (then lower-casing).
 * @throws {FileError} when there is neither. @throws {VocabularyError} when it is malformed.
 */
export async function readTokenizer(folder: string): Promise<BertTokenizer> {
  const json = join(folder, "tokenizer.json");
  if (await has(json)) return BertTokenizer.fromTokenizerJson(await readJson(json));
  const vocab = join(folder, "vocab.txt");
  return new BertTokenizer(Vocabulary.fromText(await readText(vocab), vocab));
}

/**
 * The tensors of a model's folder, as they are stored.
 * @throws {FileError} when there are none. @throws {CheckpointError} when the file is damaged.
 */
export async function readWeights(folder: string): Promise<NamedTensors> {
  const path = join(folder, MODEL_FILE);
  return readSafetensors(await readBytes(path), path);
}

/**
 * Loads a model's folder.
 * @param options.runtime - the engine; ONNX Runtime on all processors when left out.
 * @throws {FileError} when a file is missing. @throws {CheckpointError} when the weights are damaged.
 * @throws {ConfigError} when config, weights and vocabulary do not belong together.
 */
export async function loadBertModel(folder: string, options: { readonly runtime?: Runtime } = {}): Promise<BertModel> {
  await expectModelFolder(folder);
  const where = join(folder, MODEL_FILE);
  const config = await readConfig(join(folder, "config.json"));
  const tokenizer = await readTokenizer(folder);
  const weights = await readWeights(folder);
  return new BertModel({
    config,
    weights: lazyTensors(weights),
    tokenizer,
    where,
    runtime: options.runtime ?? createOnnxRuntime(),
  });
}
