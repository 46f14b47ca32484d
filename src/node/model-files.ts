/** The small files of a model's folder, as they are written beside the weights; and configs by name or path. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetDescription } from "../data/dataset.ts";
import { ConfigError, nearest } from "../errors.ts";
import { type BertConfig, builtinConfig, builtinSizes, configToJson } from "../model/config.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { readConfig } from "./model-folder.ts";

/** The name of the configuration within a model's folder. */
export const CONFIG_FILE = "config.json";
/** The small files of a model's folder. */
export const SMALL_FILES = [CONFIG_FILE, "vocab.txt", "tokenizer.json", "tokenizer_config.json"] as const;

/**
 * The small files of a model by name, as Transformers loads them.
 * @param options.nextSentence - whether the model has a next sentence head.
 */
export function modelFiles(
  config: BertConfig,
  vocabulary: Vocabulary,
  { tokenizer, nextSentence }: Pick<DatasetDescription, "tokenizer"> & { readonly nextSentence: boolean },
): Map<string, string> {
  const { rules, lowercase } = tokenizer;
  const architecture = nextSentence ? "BertForPreTraining" : "BertForMaskedLM";
  const tokenizerConfig = {
    do_lower_case: lowercase,
    model_max_length: config.maxPositionEmbeddings,
    tokenizer_class: "BertTokenizer",
  };
  const text = (json: object) => `${JSON.stringify(json, undefined, 2)}\n`;
  const contents: Record<(typeof SMALL_FILES)[number], string> = {
    "config.json": text({ ...configToJson(config), architectures: [architecture] }),
    "vocab.txt": vocabulary.toText(),
    "tokenizer.json": text(new BertTokenizer(vocabulary, { rules, lowercase }).toTokenizerJson()),
    "tokenizer_config.json": text(tokenizerConfig),
  };
  return new Map(Object.entries(contents));
}

/**
 * A config by the name of a built-in size, or from a config.json or a folder that holds one.
 * @throws {ConfigError} when it is none of these or malformed.
 */
export async function resolveConfig(nameOrPath: string, vocabSize: number): Promise<BertConfig> {
  if (Object.hasOwn(builtinSizes, nameOrPath)) return builtinConfig(nameOrPath, vocabSize);
  const kind = await stat(nameOrPath).catch(() => undefined);
  if (kind !== undefined) return readConfig(kind.isDirectory() ? join(nameOrPath, CONFIG_FILE) : nameOrPath);
  const names = Object.keys(builtinSizes);
  const near = nearest(nameOrPath, names);
  throw new ConfigError({
    where: "config",
    expected: `one of ${names.join(", ")}, or the path of a config.json`,
    got: nameOrPath,
    hint: near === undefined ? "There is no such file; check the path." : `Did you mean ${near}?`,
  });
}
