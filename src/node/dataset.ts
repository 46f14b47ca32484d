/**
 * Data folders on disk: shards, vocab.txt and, written last, the dataset.json that makes them one data set.
 *
 * A shard's name holds its checksum, so new shards lie beside old ones until dataset.json changes over by one rename.
 */
import { readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { ByteSource } from "../checkpoint/source.ts";
import {
  concatenateShards,
  DATASET_FILE,
  type DatasetDescription,
  formatDescription,
  type GenerationSettings,
  type InstanceSource,
  parseDescription,
  SHARD_FILE,
  type ShardEntry,
  type TokenizerSettings,
  VOCABULARY_FILE,
} from "../data/dataset.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { formatMaskingWords, MASKING_WORDS_FILE, type MaskingWords, parseMaskingWords } from "../data/masking-words.ts";
import type { Split } from "../data/run-file.ts";
import { ShardBuilder, ShardReader, type ShardSettings } from "../data/shards.ts";
import { DataError, FileError, verbatim } from "../errors.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { sha256 } from "../util/sha256.ts";
import { type AtomicFile, createAtomicFile, fileError, readText, writeFileAtomic } from "./files.ts";
import { type FileSource, openFileSource } from "./memory-map.ts";

const DEFAULT_SHARD_BYTES = 64 * 1024 * 1024;

/** What a data folder is made of. */
export interface DatasetWriterOptions {
  readonly settings: ShardSettings;
  readonly vocabulary: Vocabulary;
  readonly tokenizer: TokenizerSettings;
  readonly generation: GenerationSettings;
  /** Words that masks are drawn by; they lie in the folder as masking.json, so that masks can be drawn anew. */
  readonly maskingWords?: MaskingWords;
  /** A shard is closed when it has grown to this size, 64 MiB by default; a writer holds one of each split in memory. */
  readonly shardBytes?: number;
  /** Called when a shard is on the disk. */
  readonly onShard?: (shard: ShardEntry & { readonly split: Split }) => Promise<void>;
}

/** Writes a data folder; nothing of it counts before commit. */
export class DatasetWriter {
  readonly #folder: string;
  readonly #options: DatasetWriterOptions;
  readonly #builders = new Map<Split, ShardBuilder>();
  readonly #written: Record<Split, ShardEntry[]> = { data: [], "held-out": [] };
  /** Shards that were there before; undefined when there was no folder. */
  readonly #existing: ReadonlySet<string> | undefined;
  #isOpen = true;

  private constructor(folder: string, options: DatasetWriterOptions, existing: ReadonlySet<string> | undefined) {
    this.#folder = folder;
    this.#options = options;
    this.#existing = existing;
  }

  /**
   * Begins a data folder; one that is there keeps its data until commit, a new one is made with its first shard.
   * @throws {FileError} when the name is taken by a file, the folder cannot be read, or it is a model's, whose vocabulary
   * would be replaced.
   */
  static async create(folder: string, options: DatasetWriterOptions): Promise<DatasetWriter> {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw fileError(folder, "a folder for the data", error);
      return undefined;
    });
    if (names === undefined) return new DatasetWriter(folder, options, undefined);
    if (names.includes(VOCABULARY_FILE) && !names.includes(DATASET_FILE)) {
      const path = join(folder, VOCABULARY_FILE);
      if ((await readText(path)) !== options.vocabulary.toText()) throw notOurs(path);
    }
    return new DatasetWriter(folder, options, new Set(names.filter((name) => SHARD_FILE.test(name))));
  }

  /** Goes on behind shards that were written before. */
  resume(shards: readonly (ShardEntry & { readonly split: Split })[]): void {
    for (const { split, ...entry } of shards) this.#written[split].push(entry);
  }

  /** Adds an instance; a shard that has become large enough is written. @throws {FileError} when that fails. */
  async add(instance: PretrainingInstance, split: Split = "data"): Promise<void> {
    this.#builder(split).add(instance);
    if (this.#isFull(split)) await this.#flush(split);
  }

  /**
   * Adds an instance as its record, see `ShardBuilder.addRecord`.
   * @returns a promise when a shard is written, which must settle before the next call.
   * @throws {FileError} when that fails.
   */
  addRecord(record: Uint8Array, lengths: number, checksum: number, split: Split): Promise<void> | undefined {
    this.#builder(split).addRecord(record, lengths, checksum);
    return this.#isFull(split) ? this.#flush(split) : undefined;
  }

  /** Writes the last shard of a split. @throws {FileError} when that fails. */
  async endSplit(split: Split): Promise<void> {
    await this.#flush(split);
  }

  #builder(split: Split): ShardBuilder {
    const builder = this.#builders.get(split) ?? new ShardBuilder(this.#options.settings);
    this.#builders.set(split, builder);
    return builder;
  }

  #isFull(split: Split): boolean {
    return this.#builder(split).byteLength >= (this.#options.shardBytes ?? DEFAULT_SHARD_BYTES);
  }

  /** Makes what was added the folder's data and removes shards that no longer belong to it. @returns bytes written. */
  async commit(statistics: Readonly<Record<string, number>>): Promise<number> {
    for (const split of this.#builders.keys()) await this.#flush(split);
    const { settings, vocabulary, tokenizer, maskingWords } = this.#options;
    const words = maskingWords && new TextEncoder().encode(formatMaskingWords(maskingWords));
    const generation = { ...this.#options.generation, ...(words && { maskingWords: sha256(words) }) };
    const shards = this.#written.data;
    const heldOutShards = this.#written["held-out"];
    const description = { settings, tokenizer, generation, shards, heldOutShards, statistics };
    const encoder = new TextEncoder();
    const hadWords = await hasMaskingWords(this.#folder);
    await this.#replace([
      [VOCABULARY_FILE, encoder.encode(vocabulary.toText())],
      ...(words ? [[MASKING_WORDS_FILE, words] as const] : []),
      [DATASET_FILE, encoder.encode(formatDescription(description))],
    ]);
    this.#isOpen = false;
    // Those of the earlier data; a file of that name that no data list is somebody else's.
    if (hadWords && words === undefined) await this.#remove([MASKING_WORDS_FILE]);
    const listed = new Set([...shards, ...heldOutShards].map(({ file }) => file));
    await this.#remove((await shardFiles(this.#folder)).filter((file) => !listed.has(file)));
    return [...shards, ...heldOutShards].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Stops, and leaves what was written where it is, to `resume` another time. */
  suspend(): void {
    this.#isOpen = false;
    this.#builders.clear();
  }

  /** Removes what was written; the folder's earlier data stays. Does nothing after commit. */
  async abort(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#builders.clear();
    const written = [...this.#written.data, ...this.#written["held-out"]].map(({ file }) => file);
    await this.#remove(written.filter((file) => !this.#existing?.has(file)));
    if (this.#existing === undefined) await rmdir(this.#folder).catch(() => undefined);
  }

  /** All are on the disk before the first is renamed, so that a full disk cannot part them. */
  async #replace(contents: readonly (readonly [name: string, bytes: Uint8Array])[]): Promise<void> {
    const files: AtomicFile[] = [];
    try {
      for (const [name, bytes] of contents) {
        const file = await createAtomicFile(join(this.#folder, name));
        files.push(file);
        await file.write(bytes);
      }
      for (const file of files) await file.sync();
      for (const file of files) await file.commit();
    } finally {
      for (const file of files) await file.abort();
    }
  }

  async #flush(split: Split): Promise<void> {
    const builder = this.#builders.get(split);
    if (builder === undefined) return;
    this.#builders.delete(split);
    const { chunks, checksum, byteLength } = builder.finish();
    const number = String(this.#written[split].length).padStart(5, "0");
    const file = `${split}-${number}-${checksum.toString(16).padStart(8, "0")}.zhbs`;
    await writeFileAtomic(join(this.#folder, file), chunks);
    const entry = { file, instances: builder.count, bytes: byteLength, checksum };
    this.#written[split].push(entry);
    await this.#options.onShard?.({ split, ...entry });
  }

  async #remove(files: readonly string[]): Promise<void> {
    for (const file of files) await unlink(join(this.#folder, file)).catch(() => undefined);
  }
}

function notOurs(path: string): FileError {
  return new FileError({
    where: path,
    expected: "a new folder, or one that zhbert data has made",
    got: verbatim("another vocabulary, which the data's would replace"),
    hint: "name another folder for the data",
  });
}

/** Whether the folder's present data have words for masking; whatever is no description has none. */
async function hasMaskingWords(folder: string): Promise<boolean> {
  try {
    const path = join(folder, DATASET_FILE);
    return parseDescription(await readText(path), path).generation.maskingWords !== undefined;
  } catch {
    return false;
  }
}

async function shardFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => SHARD_FILE.test(file));
}

/** An opened data folder. */
export interface OpenedDataset {
  readonly description: DatasetDescription;
  readonly vocabulary: Vocabulary;
  /** Instances to train on. */
  readonly train: InstanceSource;
  /** Instances of documents that were kept apart; none (count 0) when the data was made without --held-out. */
  readonly heldOut: InstanceSource;
  /** What is in masking.json; nothing where the data has none. */
  readonly maskingWords: MaskingWords;
  /** Closes the files. */
  close(): Promise<void>;
}

/**
 * Opens a data folder; reads and checks the description, the vocabulary and every shard's header and index. Shards are memory-mapped.
 * @throws {FileError} when a file is missing. @throws {DataError} when one is damaged or belongs to other data.
 */
export async function openDataset(folder: string): Promise<OpenedDataset> {
  const description = parseDescription(await readDescription(folder), join(folder, DATASET_FILE));
  const vocabularyPath = join(folder, VOCABULARY_FILE);
  const vocabulary = Vocabulary.fromText(await readText(vocabularyPath), vocabularyPath);
  if (vocabulary.hash() !== description.settings.vocabularyHash) {
    throw foreign(vocabularyPath, "the vocabulary that the data was made with");
  }
  const maskingWords = await readMaskingWords(folder, description);
  const files: FileSource[] = [];
  const openAll = async (entries: readonly ShardEntry[]): Promise<InstanceSource> => {
    const shards: ShardReader[] = [];
    for (const entry of entries) {
      const file = openFileSource(join(folder, entry.file));
      files.push(file);
      shards.push(await openShard(file, entry, description.settings));
    }
    return concatenateShards(shards);
  };
  const close = async () => {
    for (const file of files.splice(0)) file.close();
  };
  try {
    const train = await openAll(description.shards);
    const heldOut = await openAll(description.heldOutShards);
    return { description, vocabulary, train, heldOut, maskingWords, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readMaskingWords(folder: string, { generation }: DatasetDescription): Promise<MaskingWords> {
  if (generation.maskingWords === undefined) return {};
  const path = join(folder, MASKING_WORDS_FILE);
  const text = await readText(path);
  if (sha256(new TextEncoder().encode(text)) === generation.maskingWords) return parseMaskingWords(text, path);
  throw foreign(path, "the words that the data was made with");
}

async function readDescription(folder: string): Promise<string> {
  try {
    return await readText(join(folder, DATASET_FILE));
  } catch (error) {
    if ((error as { cause?: NodeJS.ErrnoException }).cause?.code !== "ENOENT") throw error;
    throw new FileError({
      where: folder,
      expected: `a data folder with ${DATASET_FILE}`,
      got: verbatim("none"),
      hint: `make one with: zhbert data corpus.txt -o ${folder}`,
      cause: error,
    });
  }
}

async function openShard(source: ByteSource, entry: ShardEntry, settings: ShardSettings): Promise<ShardReader> {
  const shard = await ShardReader.open(source);
  const isListed = shard.checksum === entry.checksum && shard.count === entry.instances;
  const isSame = JSON.stringify(sorted(shard.settings)) === JSON.stringify(sorted(settings));
  if (!isListed || !isSame) throw foreign(source.name, `the shard that ${DATASET_FILE} lists`);
  return shard;
}

function sorted(settings: ShardSettings): [string, unknown][] {
  return Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
}

function foreign(where: string, expected: string): DataError {
  return new DataError({
    where,
    expected,
    got: verbatim("another"),
    hint: "files of several data folders were mixed: make the data anew with zhbert data, or copy the whole folder",
  });
}
