/**
 * A model from its files, whoever saved it: finds the checkpoint, the config and the vocabulary, and brings the weights
 * to Hugging Face's names. What a model is comes from its config and shapes, never from its name.
 */
import type { Checkpoint, CheckpointFormat } from "../checkpoint/format.ts";
import {
  checkpointFormats,
  type FoundCheckpoint,
  findCheckpoints,
  formatOfFile,
  hasUsualName,
} from "../checkpoint/formats.ts";
import { refusePlaceholders } from "../checkpoint/placeholders.ts";
import { damaged, type ModelFiles } from "../checkpoint/source.ts";
import { CheckpointError, ConfigError, FileError, VocabularyError, verbatim } from "../errors.ts";
import { type BertConfig, parseConfig } from "../model/config.ts";
import { repairConfig } from "../model/config-repairs.ts";
import { expectBertTokenizer } from "../model/foreign-models.ts";
import { type NamedWeights, toHuggingFaceNames } from "../model/weight-names.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { type EmbeddingDefaults, embeddingOfTask, readEmbeddingDefaults } from "./sentence-modules.ts";

/** Which of several checkpoints among a model's files is meant. */
export interface OpenModelOptions {
  /** Path of the checkpoint's file among the files; the one that loads fastest when left out. */
  readonly checkpoint?: string;
}

/** A model's files with their tables of contents read, and no weights yet. */
export interface OpenedModel {
  /** The checkpoint's path, for messages. */
  readonly where: string;
  readonly format: CheckpointFormat;
  /** The checkpoint as its file has it. */
  readonly checkpoint: Checkpoint;
  /** Its weights under Hugging Face's names. */
  readonly named: NamedWeights;
  /** What config.json says, with known defects repaired; undefined where there is none. */
  readonly config: BertConfig | undefined;
  /** The parsed file that the config was read from, with the fields that are not ours (labels of a fine-tuned model). */
  readonly configJson: unknown;
  /** The parsed task.json of a model that was fine-tuned here: the settings of its task. Undefined for others. */
  readonly taskJson: unknown;
  /** Undefined where there is neither tokenizer.json nor vocab.txt. */
  readonly tokenizer: BertTokenizer | undefined;
  /** How its vectors are made where nothing else is asked for. */
  readonly embedding: EmbeddingDefaults;
  /** What was repaired, assumed or left out, for people. */
  readonly notes: readonly string[];
}

/** A model that has all that it needs to compute. */
export interface LoadedModel extends OpenedModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
}

const CONFIG_NAMES = [/^config\.json$/, /^bert_config\.json$/, /^model_config\.json$/, /^bert_config.*\.json$/];
/** The name of the file that holds the settings of a fine-tuned model's task. */
export const TASK_FILE = "task.json";
const TASK_NAME = /^task\.json$/;
const VOCABULARY_NAMES = [/^vocab\.txt$/, /^vocab.*\.txt$/];
/** XLM-R's tokenizer.json has 17 MB, BERT's less than one; JSON becomes objects of many times its length. */
const MAX_TEXT_BYTES = 1 << 25;

/**
 * Opens a model: reads the small files and the checkpoint's table of contents.
 * @throws {FileError} when there is no checkpoint among the files. @throws {CheckpointError} when it is damaged.
 * @throws {ConfigError} or {VocabularyError} when config or vocabulary are malformed or of another kind of model.
 */
export async function openModel(given: ModelFiles, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const files = refusePlaceholders(given);
  const { format, path } = await chooseCheckpoint(files, options.checkpoint);
  const folder = new ModelFolder(files, path.slice(0, path.lastIndexOf("/") + 1));
  const checkpoint = await format.open(files, path);
  const where = folder.nameOf(path);
  const named = toHuggingFaceNames(checkpoint.tensors, where);
  const notes = [...checkpoint.notes, ...named.notes];
  if (options.checkpoint === undefined) notes.push(...noteOthers(files, { format, path }));
  const tokenizer = await readTokenizer(folder, notes);
  const configPath = folder.find(CONFIG_NAMES);
  const configJson = configPath === undefined ? undefined : await folder.readJson(configPath);
  let config = configPath === undefined ? undefined : parseConfig(configJson, folder.nameOf(configPath));
  if (config && tokenizer) {
    const repaired = repairConfig(config, tokenizer.vocabulary);
    config = repaired.config;
    notes.push(...repaired.notes);
  }
  const taskPath = folder.find([TASK_NAME]);
  const taskJson = taskPath === undefined ? undefined : await folder.readJson(taskPath);
  const modules = await readEmbeddingDefaults(folder, notes);
  const embedding = modules.from === undefined ? embeddingOfTask(taskJson, TASK_FILE) : modules;
  return { where, format, checkpoint, named, config, configJson, taskJson, tokenizer, embedding, notes };
}

/**
 * Opens a model that is to compute.
 * @throws {ConfigError} when there is no config. @throws {VocabularyError} when there is no vocabulary; else as `openModel`.
 */
export async function loadModel(files: ModelFiles, options: OpenModelOptions = {}): Promise<LoadedModel> {
  const { config, tokenizer, ...rest } = await openModel(files, options);
  if (config === undefined) {
    throw new ConfigError({
      where: rest.where,
      expected: "a config.json (or bert_config.json, model_config.json) beside the weights",
      got: verbatim("none"),
      hint: "take it from the folder or zip that the weights came in",
    });
  }
  if (tokenizer === undefined) {
    throw new VocabularyError({
      where: rest.where,
      expected: "a vocab.txt or tokenizer.json beside the weights",
      got: verbatim("none"),
      hint: "take it from the folder or zip that the weights came in",
    });
  }
  return { ...rest, config, tokenizer };
}

/**
 * The checkpoint that is named, or the preferred one.
 * @throws {FileError} when there is none.
 */
export async function chooseCheckpoint(files: ModelFiles, path: string | undefined): Promise<FoundCheckpoint> {
  if (path !== undefined) return { format: await formatOfFile(files, path), path };
  const found = findCheckpoints(files.paths)[0];
  if (found !== undefined) return found;
  throw new FileError({
    where: files.name,
    expected: `weights as ${checkpointFormats.map(({ title }) => title).join(", ")}`,
    got: verbatim(files.paths.length === 0 ? "no files" : files.paths.slice(0, 8).join(", ")),
    hint: "name the folder that zhbert pretrain -o wrote, or a downloaded model's folder, zip or weights file",
  });
}

/** One of several files of a checkpoint. */
const SHARD = /-\d+-of-\d+\./;

/** What to tell when a folder holds several checkpoints of one format, of which nothing says which one is meant. */
function noteOthers(files: ModelFiles, { format, path }: FoundCheckpoint): string[] {
  if (hasUsualName({ format, path })) return [];
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const others = findCheckpoints(files.paths).filter(
    (other) =>
      other.format === format &&
      other.path !== path &&
      other.path.lastIndexOf("/") + 1 === folder.length &&
      !SHARD.test(other.path),
  );
  if (others.length === 0) return [];
  return [
    `${path} is read; name the file to read another one: ${others
      .map((other) => other.path)
      .slice(0, 3)
      .join(", ")}`,
  ];
}

/** The small files beside a checkpoint, or in a folder above it. */
class ModelFolder {
  readonly files: ModelFiles;
  readonly folder: string;

  constructor(files: ModelFiles, folder: string) {
    this.files = files;
    this.folder = folder;
  }

  /** The path of a file by its name, the nearest to the checkpoint first. */
  find(names: readonly RegExp[]): string | undefined {
    for (let folder = this.folder; ; folder = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1)) {
      const inside = this.files.paths.filter((path) => path.slice(0, path.lastIndexOf("/") + 1) === folder);
      for (const name of names) {
        const found = inside.find((path) => name.test(path.slice(folder.length)));
        if (found !== undefined) return found;
      }
      if (folder === "") return undefined;
    }
  }

  /** Of the files in this folder and in those above it; what lies elsewhere is of other models. */
  get paths(): string[] {
    return this.files.paths.filter((path) => this.folder.startsWith(path.slice(0, path.lastIndexOf("/") + 1)));
  }

  /** What a file is called in messages: its path with the folder's or zip's. */
  nameOf(path: string): string {
    return this.files.name === "" ? path : `${this.files.name}/${path}`;
  }

  async readText(path: string): Promise<string> {
    const source = await this.files.open(path);
    const where = this.nameOf(path);
    if (source.size > MAX_TEXT_BYTES) throw damaged(where, 0, `at most ${MAX_TEXT_BYTES} bytes`, `${source.size}`);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(source.slice(0, source.size));
    } catch (cause) {
      if (cause instanceof CheckpointError) throw cause;
      throw damaged(where, 0, "text in UTF-8", "other bytes", cause);
    }
  }

  async readJson(path: string): Promise<unknown> {
    const text = await this.readText(path);
    try {
      return JSON.parse(text);
    } catch (cause) {
      const got = verbatim((cause as SyntaxError).message);
      const hint = "the file is damaged or cut short: copy it again, or take it from where the model is whole";
      throw new ConfigError({ where: this.nameOf(path), expected: "JSON", got, hint, cause });
    }
  }
}

async function readTokenizer(folder: ModelFolder, notes: string[]): Promise<BertTokenizer | undefined> {
  const configPath = folder.find([/^tokenizer_config\.json$/]);
  const config = configPath === undefined ? {} : await folder.readJson(configPath);
  const jsonPath = folder.find([/^tokenizer\.json$/]);
  const json = jsonPath === undefined ? undefined : await folder.readJson(jsonPath);
  expectBertTokenizer(
    folder.paths,
    config,
    configPath === undefined ? folder.files.name : folder.nameOf(configPath),
    json,
  );
  const given = (config as { do_lower_case?: unknown } | null)?.do_lower_case;
  if (jsonPath !== undefined) {
    const stored = BertTokenizer.fromTokenizerJson(json);
    const lowercase = lowercases(given, stored.vocabulary);
    if (lowercase === stored.options.lowercase) return stored;
    notes.push(
      `${jsonPath} says lowercase: ${stored.options.lowercase}; text is ${lowercase ? "" : "not "}lower-cased, as ` +
        `${given === undefined ? "the vocabulary is" : "tokenizer_config.json says"} (Transformers does the same)`,
    );
    return BertTokenizer.fromTokenizerJson(json, { lowercase, stripAccents: lowercase });
  }
  const vocabularyPath = folder.find(VOCABULARY_NAMES);
  if (vocabularyPath === undefined) return undefined;
  const vocabulary = Vocabulary.fromText(await folder.readText(vocabularyPath), folder.nameOf(vocabularyPath));
  return new BertTokenizer(vocabulary, { lowercase: lowercases(given, vocabulary) });
}

/** A vocabulary without capitals could read no capital: the published Chinese ones are such, whatever their files say. */
function lowercases(given: unknown, { tokens }: Vocabulary): boolean {
  if (typeof given === "boolean") return given;
  return !tokens.some((token) => /^(?:##)?[A-Z]/.test(token));
}
