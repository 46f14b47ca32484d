/**
 * Parquet files with rows of training data, by column: what Hugging Face's `to_parquet` and the hub's data sets are.
 *
 * hyparquet reads what a file says of itself without doubt, so sizes and counts of the footer and of every page are compared
 * with the file before anything is decoded. It is loaded with the first file.
 */
import type { ColumnMetaData, Compressors, FileMetaData, RowGroup } from "hyparquet";
import { DataError, verbatim, ZhbertError } from "../errors.ts";
import type { ByteSource } from "./shards.ts";

/** A row: values by the name of their column. */
export type ParquetRow = Readonly<Record<string, unknown>>;

/** An opened file. */
export interface ParquetFile {
  /** The names at the top level. */
  readonly columns: readonly string[];
  readonly rowCount: number;
  /**
   * The rows in order, a row group in memory at a time, with only these columns.
   * @throws {DataError} when the file is damaged, or a row group has too many values.
   */
  rows(columns: readonly string[]): AsyncGenerator<ParquetRow>;
}

const MAGIC = "PAR1";
const TAIL_BYTES = 8;
/** A footer has some 100 bytes a column and row group; this is room for 40,000 row groups. */
const MAX_FOOTER_BYTES = 32 << 20;
/** Values of the columns that are read, in one row group: 512 MB of numbers in JavaScript. */
const MAX_VALUES = 1 << 26;
/** Of one column in one row group, unpacked. */
const MAX_CHUNK_BYTES = 1 << 30;
/** Pages of a column hold a megabyte as a rule. */
const MAX_PAGE_BYTES = 1 << 28;

/**
 * Opens a Parquet file; only its footer is read.
 * @param compressors - what unpacks pages by the name of the codec, beside Snappy and none.
 * @throws {DataError} when it is none, or damaged.
 */
export async function openParquet(source: ByteSource, compressors: Compressors = {}): Promise<ParquetFile> {
  const footer = await readFooter(source);
  const { parquetMetadata, parquetSchema } = await import("hyparquet");
  const metadata = guarded(source, () => parquetMetadata(footer.buffer as ArrayBuffer));
  const columns = guarded(source, () => parquetSchema(metadata).children.map(({ element }) => element.name));
  const rowCounts = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  const rowCount = rowCounts.reduce((sum, count) => sum + count, 0);
  if (rowCounts.some((count) => !Number.isSafeInteger(count) || count < 0) || BigInt(rowCount) !== metadata.num_rows) {
    throw damaged(source, "row groups of as many rows as the file", `${rowCount}`);
  }
  return {
    columns,
    rowCount,
    async *rows(wanted) {
      let start = 0;
      for (const [number, group] of metadata.row_groups.entries()) {
        const end = start + (rowCounts[number] as number);
        await checkGroup(source, group, wanted, number);
        yield* await readGroup(source, { metadata, columns: [...wanted], rowStart: start, rowEnd: end }, compressors);
        start = end;
      }
    },
  };
}

async function readFooter(source: ByteSource): Promise<Uint8Array> {
  const { size } = source;
  const tail = await source.read(Math.max(0, size - TAIL_BYTES), Math.min(TAIL_BYTES, size));
  const end = new TextDecoder("latin1").decode(tail.subarray(4));
  if (end === "PARE") throw damaged(source, "a file that is not encrypted", "an encrypted footer");
  if (tail.length < TAIL_BYTES || end !== MAGIC) throw damaged(source, "a Parquet file", "another file type");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  const limit = Math.min(MAX_FOOTER_BYTES, size - TAIL_BYTES - MAGIC.length);
  if (length > limit) throw damaged(source, `a footer of at most ${limit} bytes`, `${length}`);
  // A copy, whose buffer holds nothing else: that is how the library takes it.
  return (await source.read(size - TAIL_BYTES - length, length + TAIL_BYTES)).slice();
}

interface GroupRange {
  readonly metadata: FileMetaData;
  readonly columns: string[];
  readonly rowStart: number;
  readonly rowEnd: number;
}

async function readGroup(source: ByteSource, range: GroupRange, compressors: Compressors): Promise<ParquetRow[]> {
  const { parquetRead, snappyUncompress } = await import("hyparquet");
  const snappy = (packed: Uint8Array, length: number): Uint8Array => {
    const unpacked = new Uint8Array(length);
    snappyUncompress(packed, unpacked);
    return unpacked;
  };
  const file = {
    byteLength: source.size,
    slice: async (begin: number, end = source.size) => {
      const bytes = await source.read(begin, end - begin);
      return bytes.slice().buffer as ArrayBuffer;
    },
  };
  let rows: ParquetRow[] | undefined;
  const unpackers = Object.entries({ SNAPPY: snappy, ...compressors }).map(([codec, unpack]) => {
    const bounded = (packed: Uint8Array, length: number): Uint8Array => {
      if (length > MAX_PAGE_BYTES) throw new Error(`a page of ${length} bytes`);
      const unpacked = unpack(packed, length);
      if (unpacked.length !== length) throw new Error(`a page of ${unpacked.length} bytes that says ${length}`);
      return unpacked;
    };
    return [codec, bounded];
  });
  try {
    await parquetRead({
      ...range,
      file,
      rowFormat: "object",
      compressors: Object.fromEntries(unpackers) as Compressors,
      onComplete: (read: Record<string, unknown>[]) => {
        rows = read;
      },
    });
  } catch (error) {
    throw unreadable(source, error);
  }
  if (rows?.length === range.rowEnd - range.rowStart) return rows;
  throw damaged(source, `${range.rowEnd - range.rowStart} rows from row ${range.rowStart}`, `${rows?.length}`);
}

/** @throws {DataError} when a column that is wanted leaves the file, or says more of itself than can be. */
async function checkGroup(source: ByteSource, group: RowGroup, wanted: readonly string[], number: number) {
  let values = 0;
  for (const { meta_data: chunk, file_path: path } of group.columns) {
    if (chunk === undefined || path !== undefined) throw damaged(source, "columns within the file", "others");
    if (!wanted.includes(chunk.path_in_schema[0] as string)) continue;
    await checkChunk(source, chunk);
    values += Number(chunk.num_values);
  }
  if (values <= MAX_VALUES) return;
  throw new DataError({
    where: `${source.name}: row group ${number}`,
    expected: `at most ${MAX_VALUES} values, which are in memory together`,
    got: values,
    hint: "write the file anew with smaller row groups: pyarrow.parquet.write_table(table, path, row_group_size=10000)",
  });
}

/** Walks the headers of all pages, whose counts the library takes for memory. */
async function checkChunk(source: ByteSource, chunk: ColumnMetaData): Promise<void> {
  const { dictionary_page_offset: dictionary, data_page_offset: first } = chunk;
  const begin = Number(dictionary !== undefined && dictionary > 0n && dictionary < first ? dictionary : first);
  const [packed, unpacked, values] = [chunk.total_compressed_size, chunk.total_uncompressed_size, chunk.num_values].map(
    Number,
  ) as [number, number, number];
  const isInside = begin >= MAGIC.length && packed >= 0 && begin + packed <= source.size - TAIL_BYTES;
  if (!isInside) throw damaged(source, "a column within the file", `bytes ${begin} to ${begin + packed}`);
  if (!(unpacked >= 0 && unpacked <= MAX_CHUNK_BYTES && values >= 0 && values <= MAX_VALUES)) {
    const expected = `a column of at most ${MAX_CHUNK_BYTES} bytes and ${MAX_VALUES} values in a row group`;
    throw damaged(source, expected, `${unpacked} and ${values}`);
  }
  const { parquetHeader } = await import("hyparquet/src/column.js");
  const bytes = await source.read(begin, packed);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let seen = 0;
  while (reader.offset < bytes.length) {
    const header = guarded(source, () => parquetHeader(reader));
    const data = header.data_page_header ?? header.data_page_header_v2;
    const counts = [header.compressed_page_size, header.uncompressed_page_size, data?.num_values ?? 0];
    const entries = header.dictionary_page_header?.num_values ?? 0;
    seen += counts[2] as number;
    const isPlausible =
      [...counts, entries].every((count) => Number.isSafeInteger(count) && count >= 0) &&
      (counts[0] as number) <= bytes.length - reader.offset &&
      (counts[1] as number) <= unpacked &&
      entries <= unpacked * 8 &&
      seen <= values;
    if (!isPlausible) throw damaged(source, "a page within its column", `${[...counts, entries].join(", ")}`);
    reader.offset += counts[0] as number;
  }
}

function guarded<T>(source: ByteSource, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unreadable(source, error);
  }
}

function unreadable(source: ByteSource, error: unknown): unknown {
  if (error instanceof ZhbertError) return error;
  return damaged(source, "a Parquet file that can be read", (error as Error).message, error);
}

function damaged(source: ByteSource, expected: string, got: string, cause?: unknown): DataError {
  return new DataError({
    where: source.name,
    expected,
    got: verbatim(got),
    hint: "the file is damaged, incomplete or packed in a way that is not known: fetch it again, or write it anew with pyarrow",
    ...(cause === undefined ? {} : { cause }),
  });
}
