/** The small files of a model's folder, as they are written beside the weights; and configs by name or path. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetDescription } from "../data/dataset.ts";
import { ArgumentError, ConfigError, nearest, verbatim } from "../errors.ts";
import { type BertConfig, builtinConfig, builtinSizes, configToJson, parseConfig } from "../model/config.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { TOKENIZER_FILES, tokenizerFiles } from "../text/tokenizer-files.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { presetSizes } from "../train/presets.ts";
import { readText } from "./files.ts";

/** The name of the configuration within a model's folder. */
export const CONFIG_FILE = "config.json";
/** The small files of a model's folder. */
export const SMALL_FILES = [CONFIG_FILE, ...TOKENIZER_FILES] as const;

/**
 * The small files of a model by name, as Transformers loads them.
 * @param options.nextSentence - whether the model has a next sentence head.
 */
export function modelFiles(
  config: BertConfig,
  vocabulary: Vocabulary,
  { tokenizer, nextSentence }: Pick<DatasetDescription, "tokenizer"> & { readonly nextSentence: boolean },
): Map<string, string> {
  const architecture = nextSentence ? "BertForPreTraining" : "BertForMaskedLM";
  const json = { ...configToJson(config), architectures: [architecture] };
  const files = tokenizerFiles(new BertTokenizer(vocabulary, tokenizer), config.maxPositionEmbeddings);
  return new Map(Object.entries({ [CONFIG_FILE]: `${JSON.stringify(json, undefined, 2)}\n`, ...files }));
}

/**
 * A config by the name of a built-in size, or from a config.json or a folder that holds one.
 * @throws {ArgumentError} when it is none of these. @throws {ConfigError} when it is malformed.
 */
export async function resolveConfig(nameOrPath: string, vocabSize: number): Promise<BertConfig> {
  if (Object.hasOwn(builtinSizes, nameOrPath)) return builtinConfig(nameOrPath, vocabSize);
  if (Object.hasOwn(presetSizes, nameOrPath))
    return { ...builtinConfig("base", vocabSize), ...presetSizes[nameOrPath] };
  const kind = await stat(nameOrPath).catch(() => undefined);
  if (kind !== undefined) return readConfig(kind.isDirectory() ? join(nameOrPath, CONFIG_FILE) : nameOrPath);
  const names = [...Object.keys(builtinSizes), ...Object.keys(presetSizes)];
  const near = nearest(nameOrPath, names);
  throw new ArgumentError({
    where: "config",
    expected: `one of ${names.join(", ")}, or the path of a config.json`,
    got: nameOrPath,
    hint: near === undefined ? "There is no such file; check the path." : `Did you mean ${near}?`,
  });
}

/**
 * Reads a config.json.
 * @throws {FileError} when it cannot be read. @throws {ConfigError} when it is not a BERT's.
 */
export async function readConfig(path: string): Promise<BertConfig> {
  const text = await readText(path);
  try {
    return parseConfig(JSON.parse(text), path);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    const hint = "the file is damaged or cut short: copy it again, or take it from where the model is whole";
    throw new ConfigError({ where: path, expected: "JSON", got: verbatim(cause.message), hint, cause });
  }
}
