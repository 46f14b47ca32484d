/** A data set: the description that names its shards (dataset.json), and all their instances under one index. */
import { ArgumentError, DataError, verbatim } from "../errors.ts";
import type { AddedToken } from "../text/added-tokens.ts";
import { CURLY_QUOTES, type CurlyQuotes } from "../text/fold-plan.ts";
import { parseAddedToken, writeAddedToken } from "../text/tokenizer-json.ts";
import type { FilterOptions } from "./filter-lines.ts";
import type { PretrainingInstance } from "./instance.ts";
import { MASKINGS, type ShardReader, type ShardSettings } from "./shards.ts";

/** The name of the description within a data folder. */
export const DATASET_FILE = "dataset.json";
/** The name of the vocabulary within a data folder. */
export const VOCABULARY_FILE = "vocab.txt";
const FORMAT = "zhbert-data";
const VERSION = 1;

/** Names of shards: nothing else in the folder is ever read or removed. */
export const SHARD_FILE = /^(?:data|held-out)-\d{5,}-[0-9a-f]{8}\.zhbs$/;

/** A shard as the description lists it. */
export interface ShardEntry {
  readonly file: string;
  readonly instances: number;
  readonly bytes: number;
  /** The checksum in the shard's header, which stands for the whole file. */
  readonly checksum: number;
}

/** The tokenizer's options, so that a model trained on the data gets the same. */
export interface TokenizerSettings {
  readonly rules: "huggingface" | "google";
  readonly lowercase: boolean;
  readonly curlyQuotes: CurlyQuotes;
  /** Tokens found in raw text, where they are more than the special ones. */
  readonly addedTokens?: readonly AddedToken[];
}

/** How the instances were made, beyond what every shard says itself. */
export interface GenerationSettings {
  readonly maskedLmProb: number;
  readonly shortSeqProb: number;
  readonly segmenter: string;
  readonly googleCompatible: boolean;
  /** As in the options of the same names, where they are not the usual; what a mixture of masks is made of. */
  readonly masking?: string;
  readonly maskTokenProb?: number;
  readonly randomTokenProb?: number;
  readonly ngramWeights?: readonly number[];
  /** Hex digest of masking.json, where there is one. */
  readonly maskingWords?: string;
  readonly swapSegments?: boolean;
  readonly crossDocuments?: boolean;
  /** Hex digests (SHA-256) of the segmenter's files, where it had any. */
  readonly userDictionary?: string;
  readonly referenceFile?: string;
  /** What was cleaned and removed, where it is not nothing. */
  readonly filters?: Partial<FilterOptions>;
}

/** The content of dataset.json. */
export interface DatasetDescription {
  readonly settings: ShardSettings;
  readonly tokenizer: TokenizerSettings;
  readonly generation: GenerationSettings;
  readonly shards: readonly ShardEntry[];
  /** Instances of documents that are kept apart for evaluation. */
  readonly heldOutShards: readonly ShardEntry[];
  /** Counts of what was read and made, for people. */
  readonly statistics: Readonly<Record<string, number>>;
}

/** The text of dataset.json; equal for equal data. */
export function formatDescription(description: DatasetDescription): string {
  const { addedTokens, ...settings } = description.tokenizer;
  const tokenizer = addedTokens ? { ...settings, addedTokens: addedTokens.map(writeAddedToken) } : settings;
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...description, tokenizer }, undefined, 2)}\n`;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads dataset.json.
 * @param where - the file's name, for messages.
 * @throws {DataError} when the text is not a description of this version.
 */
export function parseDescription(text: string, where: string): DatasetDescription {
  const json = parseObject(text, where);
  if (json["format"] !== FORMAT || json["version"] !== VERSION) {
    throw wrong(where, `format ${FORMAT}, version ${VERSION}`, `${json["format"]}, ${json["version"]}`);
  }
  const settings = objectAt(json, "settings", where);
  const tokenizer = objectAt(json, "tokenizer", where);
  const generation = objectAt(json, "generation", where);
  const statistics = objectAt(json, "statistics", where);
  return {
    settings: {
      vocabularyHash: stringAt(settings, "vocabularyHash", where),
      vocabSize: numberAt(settings, "vocabSize", where),
      maxSeqLength: numberAt(settings, "maxSeqLength", where),
      maxPredictionsPerSeq: numberAt(settings, "maxPredictionsPerSeq", where),
      masking: choiceAt(settings, "masking", MASKINGS, where),
      nextSentence: booleanAt(settings, "nextSentence", where),
      randomSeed: numberAt(settings, "randomSeed", where),
      dupeFactor: numberAt(settings, "dupeFactor", where),
    },
    tokenizer: {
      rules: choiceAt(tokenizer, "rules", ["huggingface", "google"], where),
      lowercase: booleanAt(tokenizer, "lowercase", where),
      // Data made before there was a choice kept them.
      curlyQuotes: choiceAt({ curlyQuotes: "keep", ...tokenizer }, "curlyQuotes", CURLY_QUOTES, where),
      ...addedTokensAt(tokenizer, where),
    },
    generation: {
      maskedLmProb: numberAt(generation, "maskedLmProb", where),
      shortSeqProb: numberAt(generation, "shortSeqProb", where),
      segmenter: stringAt(generation, "segmenter", where),
      googleCompatible: booleanAt(generation, "googleCompatible", where),
      ...optionalAt(generation, ["masking", "maskingWords", "userDictionary", "referenceFile"], stringAt, where),
      ...optionalAt(generation, ["maskTokenProb", "randomTokenProb"], numberAt, where),
      ...optionalAt(generation, ["ngramWeights"], numbersAt, where),
      ...optionalAt(generation, ["swapSegments", "crossDocuments"], booleanAt, where),
      ...optionalAt(generation, ["filters"], filtersAt, where),
    },
    shards: shardsAt(json, "shards", where),
    heldOutShards: shardsAt(json, "heldOutShards", where),
    statistics: Object.fromEntries(Object.keys(statistics).map((key) => [key, numberAt(statistics, key, where)])),
  };
}

function parseObject(text: string, where: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong(where, "JSON", (cause as Error).message);
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json;
  throw wrong(where, "a JSON object", "another value");
}

function objectAt(json: Json, key: string, where: string): Json {
  const value = json[key];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw wrong(`${where}: ${key}`, "an object", JSON.stringify(value) ?? "nothing");
}

function numberAt(json: Json, key: string, where: string): number {
  const value = json[key];
  if (typeof value === "number") return value;
  throw wrong(`${where}: ${key}`, "a number", JSON.stringify(value) ?? "nothing");
}

function numbersAt(json: Json, key: string, where: string): number[] {
  const value = json[key];
  if (Array.isArray(value) && value.every((entry) => typeof entry === "number")) return value;
  throw wrong(`${where}: ${key}`, "a list of numbers", JSON.stringify(value) ?? "nothing");
}

/** Those of the keys that are there. */
function optionalAt<Key extends string, T>(
  json: Json,
  keys: readonly Key[],
  read: (json: Json, key: string, where: string) => T,
  where: string,
): { readonly [key in Key]?: T } {
  const found = keys.filter((key) => json[key] !== undefined);
  return Object.fromEntries(found.map((key) => [key, read(json, key, where)])) as { readonly [key in Key]?: T };
}

function filtersAt(json: Json, key: string, where: string): Partial<FilterOptions> {
  const filters = objectAt(json, key, where);
  return {
    ...optionalAt(filters, ["minLineLength", "maxLineLength", "minChinese"], numberAt, where),
    ...optionalAt(filters, ["clean", "dropDuplicates"], booleanAt, where),
  };
}

function stringAt(json: Json, key: string, where: string): string {
  const value = json[key];
  if (typeof value === "string") return value;
  throw wrong(`${where}: ${key}`, "a string", JSON.stringify(value) ?? "nothing");
}

function booleanAt(json: Json, key: string, where: string): boolean {
  const value = json[key];
  if (typeof value === "boolean") return value;
  throw wrong(`${where}: ${key}`, "true or false", JSON.stringify(value) ?? "nothing");
}

function choiceAt<T extends string>(json: Json, key: string, choices: readonly T[], where: string): T {
  const value = choices.find((choice) => choice === json[key]);
  if (value !== undefined) return value;
  throw wrong(`${where}: ${key}`, choices.join(" | "), JSON.stringify(json[key]) ?? "nothing");
}

function addedTokensAt(json: Json, where: string): Pick<TokenizerSettings, "addedTokens"> {
  const value = json["addedTokens"];
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw wrong(`${where}: addedTokens`, "a list of tokens", JSON.stringify(value));
  return { addedTokens: value.map((token, i) => parseAddedToken(token, `${where}: addedTokens[${i}]`)) };
}

function shardsAt(json: Json, key: string, where: string): ShardEntry[] {
  const value = json[key];
  if (!Array.isArray(value)) throw wrong(`${where}: ${key}`, "a list of shards", JSON.stringify(value) ?? "nothing");
  return value.map((entry: Json, i) => {
    const at = `${where}: ${key}[${i}]`;
    const file = stringAt(entry ?? {}, "file", at);
    // A name from elsewhere must not lead out of the folder.
    if (!SHARD_FILE.test(file)) throw wrong(at, "the name of a shard, data-NNNNN-checksum.zhbs", JSON.stringify(file));
    const [instances, bytes] = [numberAt(entry, "instances", at), numberAt(entry, "bytes", at)];
    return { file, instances, bytes, checksum: numberAt(entry, "checksum", at) };
  });
}

function wrong(where: string, expected: string, got: string): DataError {
  return new DataError({ where, expected, got: verbatim(got), hint: "make the data anew with zhbert data" });
}

/** Instances with random access, whose sizes are known without reading them; what batches are planned from. */
export interface InstanceSource {
  readonly count: number;
  /** uint16 [count]; tokens of each instance. */
  readonly seqLengths: Uint16Array;
  /** uint16 [count]; predictions of each instance. */
  readonly predictionCounts: Uint16Array;
  /** @throws {ArgumentError} when there is no such index. @throws {DataError} when its bytes are damaged. */
  instance(index: number): Promise<PretrainingInstance>;
}

/** An instance source over a list in memory. */
export function instanceList(instances: readonly PretrainingInstance[]): InstanceSource {
  return {
    count: instances.length,
    seqLengths: Uint16Array.from(instances, ({ inputIds }) => inputIds.length),
    predictionCounts: Uint16Array.from(instances, ({ maskedLmPositions }) => maskedLmPositions.length),
    instance: async (index) => {
      const instance = instances[index];
      if (instance !== undefined) return instance;
      throw new ArgumentError({ where: "instances", expected: `an index below ${instances.length}`, got: index });
    },
  };
}

/** An instance source over the given places of another. */
export function selectInstances(source: InstanceSource, indexes: Uint32Array): InstanceSource {
  return {
    count: indexes.length,
    seqLengths: Uint16Array.from(indexes, (index) => source.seqLengths[index] as number),
    predictionCounts: Uint16Array.from(indexes, (index) => source.predictionCounts[index] as number),
    instance: (index) => source.instance(indexes[index] ?? -1),
  };
}

/** Opened shards, one after the other, as one instance source. */
export function concatenateShards(shards: readonly ShardReader[]): InstanceSource {
  const starts = new Float64Array(shards.length + 1);
  shards.forEach((shard, i) => {
    starts[i + 1] = (starts[i] as number) + shard.count;
  });
  const count = starts[shards.length] as number;
  const seqLengths = new Uint16Array(count);
  const predictionCounts = new Uint16Array(count);
  shards.forEach((shard, i) => {
    seqLengths.set(shard.seqLengths, starts[i]);
    predictionCounts.set(shard.predictionCounts, starts[i]);
  });
  return {
    count,
    seqLengths,
    predictionCounts,
    instance: async (index) => {
      let [low, high] = [0, shards.length];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((starts[middle] as number) <= index) low = middle;
        else high = middle;
      }
      const shard = shards[low];
      if (shard === undefined || !Number.isInteger(index) || index < 0 || index >= count) {
        throw new ArgumentError({ where: "data set", expected: `an index below ${count}`, got: index });
      }
      return shard.instance(index - (starts[low] as number));
    },
  };
}
