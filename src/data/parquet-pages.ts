/**
 * What a Parquet file says of its pages, compared with the file before it is decoded: hyparquet takes counts and lengths of runs for
 * memory, so that a few bytes could make it fill gigabytes.
 */
import type { ColumnMetaData, CompressionCodec, Compressors, FileMetaData, PageHeader } from "hyparquet";
import type { ByteSource } from "../checkpoint/source.ts";
import { DataError, verbatim, ZhbertError } from "../errors.ts";

/** Values of the columns that are read, in one row group: 512 MB of numbers in JavaScript. */
export const MAX_VALUES = 1 << 26;
/** Of one column in one row group, unpacked. */
const MAX_CHUNK_BYTES = 1 << 30;
/** Pages of a column hold a megabyte as a rule. */
const MAX_PAGE_BYTES = 1 << 28;
/** Bytes before the first column and behind the last. */
const [HEAD_BYTES, TAIL_BYTES] = [4, 8];

type Unpack = (packed: Uint8Array, length: number) => Uint8Array;

/** Codecs that unpack to the length that a page says, and to no more than a page may have; Snappy is the library's own. */
export async function boundedCompressors(compressors: Compressors): Promise<Compressors> {
  const { snappyUncompress } = await import("hyparquet");
  const SNAPPY: Unpack = (packed, length) => {
    const unpacked = new Uint8Array(length);
    snappyUncompress(packed, unpacked);
    return unpacked;
  };
  const bounded = ([codec, unpack]: [string, Unpack]): [string, Unpack] => [
    codec,
    (packed, length) => {
      if (!(length >= 0 && length <= MAX_PAGE_BYTES)) throw new Error(`a page of ${length} bytes`);
      const unpacked = unpack(packed, length);
      if (unpacked.length !== length) throw new Error(`a page of ${unpacked.length} bytes that says ${length}`);
      return unpacked;
    },
  ];
  return Object.fromEntries(Object.entries({ SNAPPY, ...compressors }).map(bounded)) as Compressors;
}

/** @throws {DataError} when a column of a row group, one of its pages or a run in it says more than it can hold. */
export async function checkChunk(
  source: ByteSource,
  metadata: FileMetaData,
  chunk: ColumnMetaData,
  compressors: Compressors,
): Promise<void> {
  const { dictionary_page_offset: dictionary, data_page_offset: first } = chunk;
  const begin = Number(dictionary !== undefined && dictionary > 0n && dictionary < first ? dictionary : first);
  const [packed, unpacked, values] = [chunk.total_compressed_size, chunk.total_uncompressed_size, chunk.num_values].map(
    Number,
  ) as [number, number, number];
  const isInside = begin >= HEAD_BYTES && packed >= 0 && begin + packed <= source.size - TAIL_BYTES;
  if (!isInside) throw damaged(source, "a column within the file", `bytes ${begin} to ${begin + packed}`);
  if (!(unpacked >= 0 && unpacked <= MAX_CHUNK_BYTES && values >= 0 && values <= MAX_VALUES)) {
    const expected = `a column of at most ${MAX_CHUNK_BYTES} bytes and ${MAX_VALUES} values in a row group`;
    throw damaged(source, expected, `${unpacked} and ${values}`);
  }
  const { parquetHeader } = await import("hyparquet/src/column.js");
  const levels = await levelWidths(source, metadata, chunk);
  const bytes = source.slice(begin, begin + packed);
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
    const page = bytes.subarray(reader.offset, reader.offset + (counts[0] as number));
    const isSound =
      data === undefined || guarded(source, () => areRunsSound(page, header, chunk.codec, levels, compressors));
    if (!isSound) throw damaged(source, "runs of as many values as their page", "longer ones");
    reader.offset += page.length;
  }
}

/** Bits of repetition and definition levels. */
async function levelWidths(
  source: ByteSource,
  metadata: FileMetaData,
  chunk: ColumnMetaData,
): Promise<readonly [number, number]> {
  const { getMaxDefinitionLevel, getMaxRepetitionLevel, getSchemaPath } = await import("hyparquet/src/schema.js");
  const path = guarded(source, () => getSchemaPath(metadata.schema, chunk.path_in_schema));
  return [32 - Math.clz32(getMaxRepetitionLevel(path)), 32 - Math.clz32(getMaxDefinitionLevel(path))];
}

/** Whether the runs of levels, and those of places in a dictionary, have no more values than their page. */
function areRunsSound(
  page: Uint8Array,
  header: PageHeader,
  codec: CompressionCodec,
  levels: readonly [number, number],
  compressors: Compressors,
): boolean {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const values = (first ?? second)?.num_values ?? 0;
  const isPacked = codec !== "UNCOMPRESSED" && second?.is_compressed !== false;
  const unpack = (bytes: Uint8Array, length: number): Uint8Array => {
    const unpacker = compressors[codec];
    if (!isPacked) return bytes;
    if (unpacker === undefined) throw new Error(`the codec ${codec}, which is not known`);
    return unpacker(bytes, length);
  };
  let rest: Uint8Array;
  if (second === undefined) {
    rest = unpack(page, header.uncompressed_page_size);
    for (const width of levels) {
      if (width === 0) continue;
      const length = new DataView(rest.buffer, rest.byteOffset, rest.byteLength).getUint32(0, true);
      if (length > rest.length - 4 || !fits(rest.subarray(4, 4 + length), width, values)) return false;
      rest = rest.subarray(4 + length);
    }
  } else {
    const lengths = [second.repetition_levels_byte_length, second.definition_levels_byte_length];
    const sum = (lengths[0] as number) + (lengths[1] as number);
    if (!lengths.every((length) => length >= 0) || sum > page.length) return false;
    let at = 0;
    for (const [i, width] of levels.entries()) {
      const end = at + (lengths[i] as number);
      if (width > 0 && !fits(page.subarray(at, end), width, values)) return false;
      at = end;
    }
    rest = unpack(page.subarray(sum), header.uncompressed_page_size - sum);
  }
  const encoding = (first ?? second)?.encoding ?? "";
  if (!/DICTIONARY/.test(encoding) || rest.length === 0) return true;
  return (rest[0] as number) <= 32 && fits(rest.subarray(1), rest[0] as number, values);
}

/** Whether runs (RLE and bit-packed, as Parquet mixes them) end with no more values than these; a last group of 8 may be padded. */
function fits(bytes: Uint8Array, width: number, values: number): boolean {
  let seen = 0;
  let at = 0;
  while (seen < values && at < bytes.length) {
    let [run, shift] = [0, 0];
    for (; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) return false;
      run += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const isPacked = run % 2 === 1;
    const count = Math.floor(run / 2) * (isPacked ? 8 : 1);
    seen += count;
    if (seen > values + (isPacked ? 7 : 0)) return false;
    at += isPacked ? (count / 8) * width : (width + 7) >> 3;
  }
  return true;
}

/** The result; whatever is thrown becomes a DataError that names the file. */
export function guarded<T>(source: ByteSource, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unreadable(source, error);
  }
}

/** What the library throws, as an error that names the file. */
export function unreadable(source: ByteSource, error: unknown): unknown {
  if (error instanceof ZhbertError) return error;
  return damaged(source, "a Parquet file that can be read", (error as Error).message, error);
}

/** The error for a file that is not what it says. */
export function damaged(source: ByteSource, expected: string, got: string, cause?: unknown): DataError {
  return new DataError({
    where: source.name,
    expected,
    got: verbatim(got),
    hint: "the file is damaged, incomplete or packed in a way that is not known: fetch it again, or write it anew with pyarrow",
    ...(cause === undefined ? {} : { cause }),
  });
}
