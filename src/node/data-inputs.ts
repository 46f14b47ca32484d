/** Training data of any program, opened by what its files are: instances that are masked, or documents that are not yet. */
import { stat } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import numpyFormat from "../checkpoint/formats/numpy.ts";
import { readLines } from "../data/corpus.ts";
import { DATASET_FILE, type GenerationSettings, type InstanceSource } from "../data/dataset.ts";
import { type IdIndex, type IdSource, idDocuments, openMegatron, openPaddle } from "../data/indexed-ids.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { decodeInstanceLine, type ReadInstance } from "../data/jsonl.ts";
import type { MaskingWords } from "../data/masking-words.ts";
import { openParquet, type ParquetFile } from "../data/parquet.ts";
import { instanceColumns, instanceOfRow } from "../data/parquet-instances.ts";
import type { ShardSettings } from "../data/shards.ts";
import { decodeExample, type ExampleShape, exampleShape, readRecords } from "../data/tfrecord.ts";
import { ArgumentError, DataError, FileError, verbatim } from "../errors.ts";
import { openCorpus } from "./corpus.ts";
import { openDataset } from "./dataset.ts";
import { type FileSource, mapFile, openFileSource } from "./memory-map.ts";

/** What data can be read from. */
export const INPUT_FORMATS = ["shards", "tfrecord", "jsonl", "parquet", "paddlenlp", "megatron", "text"] as const;
/** paddlenlp: NAME_ids.npy and NAME_idx.npz; megatron: NAME.bin and NAME.idx; text: sentences a line, documents parted by blank lines. */
export type InputFormat = (typeof INPUT_FORMATS)[number];

/** Instances of files, as often as wanted. */
export interface InstanceInput {
  readonly kind: "instances";
  readonly format: InputFormat;
  /** @throws {DataError} when a file is damaged. */
  read(): AsyncGenerator<ReadInstance>;
  /** The lengths that instances are padded to, where the format says so. */
  readonly shape?: ExampleShape;
  /** What a data folder says of itself. */
  readonly described?: {
    readonly settings: ShardSettings;
    readonly generation: GenerationSettings;
    readonly maskingWords: MaskingWords;
  };
  close(): Promise<void>;
}

/** Documents of files: token ids by sentence, or lines of text. */
export interface DocumentInput {
  readonly kind: "ids" | "text";
  readonly format: InputFormat;
  /** Of kind "ids". @throws {CheckpointError} when a file is damaged. */
  ids(): Generator<Int32Array[]>;
  /** Of kind "text"; blank lines between documents. */
  lines(): AsyncGenerator<string>;
  close(): Promise<void>;
}

/** How to open data. */
export interface DataInputOptions {
  /** Told by the files' names unless said. */
  readonly format?: InputFormat;
  /** shards: the instances that were held out, in place of the others. */
  readonly heldOut?: boolean;
  /** parquet: the column of documents, where there is no input_ids. */
  readonly textColumn?: string;
}

/**
 * Opens data of one format.
 * @throws {ArgumentError} when the files' names tell no format, or several. @throws {FileError} when one cannot be read.
 * @throws {DataError} when one is damaged.
 */
export async function openDataInput(
  paths: readonly string[],
  options: DataInputOptions = {},
): Promise<InstanceInput | DocumentInput> {
  const formats = new Set<InputFormat>();
  for (const path of paths) formats.add(options.format ?? (await formatOf(path)));
  const [format] = formats;
  if (format === undefined || formats.size > 1) {
    throw new ArgumentError({ where: "data", expected: "files of one format", got: [...formats] });
  }
  const [path] = paths as readonly [string];
  const isSingle = format === "shards" || format === "paddlenlp" || format === "megatron";
  if (isSingle && paths.length > 1)
    throw new ArgumentError({ where: "data", expected: `one of ${format}`, got: paths });
  switch (format) {
    case "shards":
      return openShardInput(path, options.heldOut === true);
    case "tfrecord":
      return openTfrecords(paths);
    case "jsonl":
      return instances(format, () => readJsonl(paths));
    case "parquet":
      return openParquetFiles(paths, options.textColumn ?? "text");
    case "paddlenlp":
      return openPaddleFiles(path);
    case "megatron": {
      const name = path.replace(/\.(bin|idx)$/, "");
      const { ids, index } = openMegatron(mapFile(`${name}.bin`), mapFile(`${name}.idx`));
      return idInput(format, ids, index);
    }
    case "text": {
      const corpus = await openCorpus(paths);
      return {
        kind: "text",
        format,
        ids: noIds,
        async *lines() {
          for await (const group of corpus.read({ partsFiles: true })) yield* group;
        },
        close: nothing,
      };
    }
  }
}

const nothing = async (): Promise<void> => undefined;
function* noIds(): Generator<Int32Array[]> {}
async function* noLines(): AsyncGenerator<string> {}

const ENDINGS: readonly (readonly [RegExp, InputFormat])[] = [
  [/\.tf_?records?(\.(gz|xz|zst))?$/i, "tfrecord"],
  [/\.jsonl(\.(gz|xz|zst))?$/i, "jsonl"],
  [/\.parquet$/i, "parquet"],
  [/_(ids\.npy|idx\.npz)$/, "paddlenlp"],
  [/\.(bin|idx)$/, "megatron"],
  [/\.txt(\.(gz|xz|zst))?$/i, "text"],
];

async function formatOf(path: string): Promise<InputFormat> {
  const exists = async (name: string) => (await stat(name).catch(() => undefined)) !== undefined;
  const named = ENDINGS.find(([ending]) => ending.test(path))?.[1];
  if (named !== undefined) return named;
  if (await exists(`${path}/${DATASET_FILE}`)) return "shards";
  if (await exists(`${path}_ids.npy`)) return "paddlenlp";
  if (await exists(`${path}.idx`)) return "megatron";
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new FileError({
      where: path,
      expected: "training data",
      got: verbatim("no such file"),
      hint: "check the path",
    });
  }
  throw new ArgumentError({
    where: path,
    expected: "a name that tells the format",
    got: verbatim(found.isDirectory() ? `a folder without ${DATASET_FILE}` : "another ending"),
    hint: path.endsWith(".arrow")
      ? "write it as Parquet first: datasets.Dataset.from_file('data.arrow').to_parquet('data.parquet')"
      : `say it with --from ${INPUT_FORMATS.join(" | ")}`,
  });
}

function instances(
  format: InputFormat,
  read: () => AsyncGenerator<ReadInstance>,
  more: Partial<InstanceInput> = {},
): InstanceInput {
  return { kind: "instances", format, read, close: nothing, ...more };
}

async function openShardInput(folder: string, heldOut: boolean): Promise<InstanceInput> {
  const dataset = await openDataset(folder);
  const { settings, generation } = dataset.description;
  const source: InstanceSource = heldOut ? dataset.heldOut : dataset.train;
  async function* read(): AsyncGenerator<ReadInstance> {
    for (let i = 0; i < source.count; i++) yield { instance: await source.instance(i), hasWords: true };
  }
  return instances("shards", read, {
    shape: settings,
    described: { settings, generation, maskingWords: dataset.maskingWords },
    close: dataset.close,
  });
}

async function openTfrecords(paths: readonly string[]): Promise<InstanceInput> {
  async function* records(): AsyncGenerator<readonly [Uint8Array, string]> {
    for (const path of paths) {
      let record = 0;
      for await (const data of readRecords(chunksOf(path), path)) yield [data, `${path} record ${record++}`];
    }
  }
  async function* read(): AsyncGenerator<ReadInstance> {
    for await (const [data, where] of records()) yield { instance: decodeExample(data, where), hasWords: false };
  }
  for await (const [data, where] of records()) return instances("tfrecord", read, { shape: exampleShape(data, where) });
  return instances("tfrecord", read);
}

/** The bytes of a file, unpacked where its name says that it is packed. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of (await openCorpus([path])).chunks()) yield bytes;
}

async function* readJsonl(paths: readonly string[]): AsyncGenerator<ReadInstance> {
  for (const path of paths) {
    let number = 0;
    for await (const line of readLines(chunksOf(path), { where: path })) {
      number += 1;
      if (line.trim() !== "") yield decodeInstanceLine(line, `${path} line ${number}`);
    }
  }
}

/** What pages are packed with, beside Snappy; what comes out is never more than the page says. */
const COMPRESSORS = {
  GZIP: (packed: Uint8Array, length: number): Uint8Array =>
    gunzipSync(packed, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (packed: Uint8Array, length: number): Uint8Array =>
    brotliDecompressSync(packed, { maxOutputLength: Math.max(1, length) }),
};

async function compressors() {
  const { decompress } = await import("fzstd");
  // Into an array of the size that is known, so that a frame cannot ask for more.
  return { ...COMPRESSORS, ZSTD: (packed: Uint8Array, length: number) => decompress(packed, new Uint8Array(length)) };
}

async function openParquetFiles(paths: readonly string[], textColumn: string): Promise<InstanceInput | DocumentInput> {
  const sources: FileSource[] = [];
  const close = async () => {
    for (const source of sources.splice(0)) source.close();
  };
  try {
    const files: { path: string; file: ParquetFile }[] = [];
    const unpackers = await compressors();
    for (const path of paths) {
      const source = openFileSource(path);
      sources.push(source);
      files.push({ path, file: await openParquet(source, unpackers) });
    }
    const isIds = files.every(({ file }) => file.columns.includes("input_ids"));
    const other = files.find(({ file }) => !file.columns.includes(isIds ? "input_ids" : textColumn));
    if (other !== undefined) {
      throw new DataError({
        where: other.path,
        expected: `a column input_ids, or one of text that is called ${textColumn}`,
        got: verbatim(other.file.columns.join(", ")),
        hint: "name the column of the text with --text-field",
      });
    }
    if (!isIds) return { kind: "text", format: "parquet", ids: noIds, lines: () => textRows(files, textColumn), close };
    async function* read(): AsyncGenerator<ReadInstance> {
      for (const { path, file } of files) {
        let row = 0;
        for await (const values of file.rows(instanceColumns(file.columns))) {
          yield instanceOfRow(values, `${path} row ${row++}`);
        }
      }
    }
    return instances("parquet", read, { close });
  } catch (error) {
    await close();
    throw error;
  }
}

type ParquetFiles = readonly { readonly path: string; readonly file: ParquetFile }[];

/** Each row is a document; its lines are sentences or paragraphs. */
async function* textRows(files: ParquetFiles, column: string): AsyncGenerator<string> {
  for (const { path, file } of files) {
    let row = 0;
    for await (const values of file.rows([column])) {
      const text = values[column];
      row += 1;
      if (text === null || text === undefined) continue;
      if (typeof text !== "string") {
        throw new DataError({ where: `${path} row ${row - 1}: ${column}`, expected: "a text", got: text });
      }
      yield* text.split(/\r?\n/).filter((line) => line.trim() !== "");
      yield "";
    }
  }
}

async function openPaddleFiles(path: string): Promise<DocumentInput> {
  const name = path.replace(/_(ids\.npy|idx\.npz)$/, "");
  const index = `${name}_idx.npz`;
  const files = { name: index, paths: [index], open: async () => mapFile(index) };
  const { tensors } = await numpyFormat.open(files, index);
  const opened = openPaddle(mapFile(`${name}_ids.npy`), tensors, index);
  return idInput("paddlenlp", opened.ids, opened.index);
}

function idInput(format: InputFormat, ids: IdSource, index: IdIndex): DocumentInput {
  return { kind: "ids", format, ids: () => idDocuments(ids, index), lines: noLines, close: nothing };
}

/** The longest instance, for formats that pad. */
export function largerShape(shape: ExampleShape, { inputIds, maskedLmPositions }: PretrainingInstance): ExampleShape {
  return {
    maxSeqLength: Math.max(shape.maxSeqLength, inputIds.length),
    maxPredictionsPerSeq: Math.max(shape.maxPredictionsPerSeq, maskedLmPositions.length),
  };
}
