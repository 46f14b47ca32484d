/**
 * Parquet files with rows of training data, by column: what Hugging Face's `to_parquet` and the hub's data sets are.
 *
 * hyparquet reads what a file says of itself without doubt, so sizes and counts of the footer and of every page are compared
 * with the file before anything is decoded. It is loaded with the first file.
 */
import type { Compressors, FileMetaData, RowGroup } from "hyparquet";
import type { ByteSource } from "../checkpoint/source.ts";
import { DataError } from "../errors.ts";
import { boundedCompressors, checkChunk, damaged, guarded, MAX_VALUES, unreadable } from "./parquet-pages.ts";

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

/**
 * Opens a Parquet file; only its footer is read.
 * @param compressors - what unpacks pages by the name of the codec, beside Snappy and none.
 * @throws {DataError} when it is none, or damaged.
 */
export async function openParquet(source: ByteSource, compressors: Compressors = {}): Promise<ParquetFile> {
  const unpackers = await boundedCompressors(compressors);
  const footer = readFooter(source);
  const { parquetMetadata, parquetSchema } = await import("hyparquet");
  // Looking for maps, the library would follow negative counts of columns in a circle.
  const metadata = guarded(source, () => parquetMetadata(footer.buffer as ArrayBuffer, { geoparquet: false }));
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
        await checkGroup(source, { metadata, group, number, wanted }, unpackers);
        yield* await readGroup(source, { metadata, columns: [...wanted], rowStart: start, rowEnd: end }, unpackers);
        start = end;
      }
    },
  };
}

function readFooter(source: ByteSource): Uint8Array {
  const { size } = source;
  const tail = source.slice(Math.max(0, size - TAIL_BYTES), size);
  const end = new TextDecoder("latin1").decode(tail.subarray(4));
  if (end === "PARE") throw damaged(source, "a file that is not encrypted", "an encrypted footer");
  if (tail.length < TAIL_BYTES || end !== MAGIC) throw damaged(source, "a Parquet file", "another file type");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  const limit = Math.min(MAX_FOOTER_BYTES, size - TAIL_BYTES - MAGIC.length);
  if (length > limit) throw damaged(source, `a footer of at most ${limit} bytes`, `${length}`);
  // A copy, whose buffer holds nothing else: that is how the library takes it.
  return source.slice(size - TAIL_BYTES - length, size).slice();
}

interface GroupRange {
  readonly metadata: FileMetaData;
  readonly columns: string[];
  readonly rowStart: number;
  readonly rowEnd: number;
}

async function readGroup(source: ByteSource, range: GroupRange, compressors: Compressors): Promise<ParquetRow[]> {
  const { parquetRead } = await import("hyparquet");
  const file = {
    byteLength: source.size,
    slice: (begin: number, end = source.size) => source.slice(begin, end).slice().buffer as ArrayBuffer,
  };
  let rows: ParquetRow[] | undefined;
  try {
    await parquetRead({
      ...range,
      file,
      rowFormat: "object",
      compressors,
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

interface WantedGroup {
  readonly metadata: FileMetaData;
  readonly group: RowGroup;
  readonly number: number;
  readonly wanted: readonly string[];
}

/** @throws {DataError} when a column that is wanted leaves the file, or says more of itself than can be. */
async function checkGroup(
  source: ByteSource,
  { metadata, group, number, wanted }: WantedGroup,
  compressors: Compressors,
): Promise<void> {
  let values = 0;
  for (const { meta_data: chunk, file_path: path } of group.columns) {
    if (chunk === undefined || path !== undefined) throw damaged(source, "columns within the file", "others");
    if (!wanted.includes(chunk.path_in_schema[0] as string)) continue;
    await checkChunk(source, metadata, chunk, compressors);
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
