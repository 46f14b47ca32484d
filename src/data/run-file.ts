/**
 * A run: the records of some passes over one block, sorted by bucket, as one file between the two steps of making data.
 *
 * The file is a head, and for each side (data, held-out) a table of buckets, an index and the records. Of a large corpus
 * there are many runs, so that nothing of them stays in memory: a reader takes what it needs of a bucket from the file.
 */
import type { ByteSource } from "../checkpoint/source.ts";
import { DataError, verbatim } from "../errors.ts";
import { crc32c } from "../util/crc32.ts";
import { type RecordLayout, recordSize } from "./_record.ts";
import { BUCKETS, type RecordList, type RecordRun } from "./example-records.ts";
import type { FilterCounts } from "./filter-lines.ts";
import type { InstanceStats } from "./instance-settings.ts";

/** The sides of a data set, in the order of a run's file. */
export const SPLITS = ["data", "held-out"] as const;
/** Which part of the data an instance belongs to. */
export type Split = (typeof SPLITS)[number];

/** "zhbrun" and two bytes that show damage by text-mode copies. */
const MAGIC = Uint8Array.of(0x7a, 0x68, 0x62, 0x72, 0x75, 0x6e, 0x0d, 0x0a);
/** Magic, the length of the head's JSON, and the checksum of all before the records. */
const PREFIX_BYTES = MAGIC.length + 8;
/** Far above what the head can have. */
const MAX_HEAD_BYTES = 1 << 16;
/** For each bucket and the end: records before it, and their bytes. */
const TABLE_WORDS = 2 * (BUCKETS + 1);
const INDEX_WORDS = 2;

/** What a run's head says. */
export interface RunHead {
  /** SHA-256 of the text and the command that it was made from. */
  readonly source: string;
  readonly stats: InstanceStats;
  /** What filters did to the block; nothing in groups of passes but the first. */
  readonly filtered: Readonly<FilterCounts>;
  /** Records and their bytes on each side. */
  readonly records: readonly [number, number];
  readonly recordBytes: readonly [number, number];
}

/** The file of a run, in pieces. */
export function encodeRun(
  run: RecordRun,
  head: Pick<RunHead, "source" | "filtered">,
  layout: RecordLayout,
): readonly Uint8Array[] {
  const sides = [sortByBucket(run.data, layout), sortByBucket(run.heldOut, layout)];
  const counts = {
    records: [run.data.count, run.heldOut.count],
    recordBytes: sides.map(({ records }) => records.length),
  };
  const json = new TextEncoder().encode(JSON.stringify({ ...head, stats: run.stats, ...counts }));
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix.set(MAGIC);
  const view = new DataView(prefix.buffer);
  view.setUint32(MAGIC.length, json.length, true);
  let checksum = crc32c(json);
  for (const { table, index } of sides) checksum = crc32c(bytesOf(index), crc32c(bytesOf(table), checksum));
  view.setUint32(MAGIC.length + 4, checksum, true);
  return [prefix, json, ...sides.flatMap(({ table, index, records }) => [bytesOf(table), bytesOf(index), records])];
}

/** Numbers of an array as the file has them; this format stays on the machine that wrote it, so the order of bytes does too. */
function bytesOf(numbers: Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

interface SortedRecords {
  readonly table: Uint32Array;
  readonly index: Uint32Array;
  readonly records: Uint8Array;
}

/** A counting sort by bucket; within a bucket the order stays. */
function sortByBucket(list: RecordList, layout: RecordLayout): SortedRecords {
  const { count, index, buckets } = list;
  const sizes = Uint32Array.from({ length: count }, (_, i) => sizeOf(index[2 * i]!, layout));
  const table = new Uint32Array(TABLE_WORDS);
  for (let i = 0; i < count; i++) {
    table[2 * buckets[i]! + 2]! += 1;
    table[2 * buckets[i]! + 3]! += sizes[i]!;
  }
  for (let word = 2; word < TABLE_WORDS; word++) table[word]! += table[word - 2]!;
  const next = table.slice();
  const sorted = new Uint32Array(INDEX_WORDS * count);
  const records = new Uint8Array(table[TABLE_WORDS - 1]!);
  for (let i = 0, from = 0; i < count; i++) {
    const bucket = 2 * buckets[i]!;
    const to = next[bucket]!++;
    sorted[2 * to] = index[2 * i]!;
    sorted[2 * to + 1] = index[2 * i + 1]!;
    records.set(list.bytes.subarray(from, from + sizes[i]!), next[bucket + 1]!);
    next[bucket + 1]! += sizes[i]!;
    from += sizes[i]!;
  }
  return { table, index: sorted, records };
}

/** Bytes of a record by its word in the index. */
export function sizeOf(lengths: number, layout: RecordLayout): number {
  return recordSize(lengths & 0xffff, lengths >>> 16, layout);
}

/** Records of a range of buckets, as they lie in a run. */
export interface BucketRecords {
  readonly count: number;
  /** uint32 [count, 2], as in {@link RecordList}. */
  readonly index: Uint32Array;
  readonly bytes: Uint8Array;
}

/** An opened run. */
export class RunReader {
  readonly name: string;
  readonly head: RunHead;
  readonly #source: ByteSource;
  /** Where each side begins. */
  readonly #starts: readonly [number, number];

  private constructor(source: ByteSource, head: RunHead, first: number) {
    this.name = source.name;
    this.head = head;
    this.#source = source;
    this.#starts = [first, first + sideBytes(head, 0)];
  }

  /** Reads the head; whether the rest is whole is told by `check` and, record by record, by their checksums. @throws {DataError} when it is none. */
  static async open(source: ByteSource): Promise<RunReader> {
    if (source.size < PREFIX_BYTES) throw damagedRun(source.name);
    const prefix = source.slice(0, PREFIX_BYTES);
    if (MAGIC.some((byte, i) => prefix[i] !== byte)) throw damagedRun(source.name);
    const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(MAGIC.length, true);
    if (length > Math.min(MAX_HEAD_BYTES, source.size - PREFIX_BYTES)) throw damagedRun(source.name);
    const head = parseHead(source.slice(PREFIX_BYTES, PREFIX_BYTES + length), source.name);
    const reader = new RunReader(source, head, PREFIX_BYTES + length);
    if (source.size !== reader.#starts[1] + sideBytes(head, 1)) throw damagedRun(source.name);
    return reader;
  }

  /** Reads tables and indexes against the checksum. @throws {DataError} when they are damaged. */
  async check(): Promise<void> {
    const prefix = this.#source.slice(0, this.#starts[0]);
    let checksum = crc32c(prefix.subarray(PREFIX_BYTES));
    for (const [side, start] of this.#starts.entries()) {
      const end = start + sideBytes(this.head, side) - this.head.recordBytes[side]!;
      checksum = crc32c(this.#source.slice(start, end), checksum);
    }
    if (new DataView(prefix.buffer, prefix.byteOffset).getUint32(MAGIC.length + 4, true) !== checksum) {
      throw damagedRun(this.#source.name);
    }
  }

  /** For each bucket and the end: records before it and their bytes; uint32 [257, 2]. */
  async table(split: Split): Promise<Uint32Array> {
    const start = this.#starts[SPLITS.indexOf(split)]!;
    return wordsOf(this.#source.slice(start, start + 4 * TABLE_WORDS));
  }

  /** The records of the buckets from `first` up to, not including, `last`. */
  async records(split: Split, first: number, last: number): Promise<BucketRecords> {
    const side = SPLITS.indexOf(split);
    const start = this.#starts[side]!;
    const at = 4 * INDEX_WORDS;
    const table = await this.table(split);
    const [from, to] = [table[2 * first]!, table[2 * last]!];
    const [begin, end] = [table[2 * first + 1]!, table[2 * last + 1]!];
    const indexStart = start + 4 * TABLE_WORDS;
    const index = wordsOf(this.#source.slice(indexStart + from * at, indexStart + to * at));
    const recordsStart = indexStart + this.head.records[side]! * at;
    return { count: to - from, index, bytes: this.#source.slice(recordsStart + begin, recordsStart + end) };
  }
}

/** Numbers from bytes that need not lie at a multiple of four. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
}

function sideBytes({ records, recordBytes }: RunHead, side: number): number {
  return 4 * TABLE_WORDS + 4 * INDEX_WORDS * records[side]! + recordBytes[side]!;
}

function parseHead(bytes: Uint8Array, where: string): RunHead {
  try {
    const head = JSON.parse(new TextDecoder().decode(bytes)) as RunHead;
    const sizes = [...head.records, ...head.recordBytes];
    if (sizes.length === 4 && sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) return head;
  } catch {
    // What is no JSON is no head either.
  }
  throw damagedRun(where);
}

/** The error for an unfinished run that cannot be read. */
export function damagedRun(where: string): DataError {
  const hint = "the disk or another program has changed it: run the same command with --overwrite to begin anew";
  return new DataError({ where, expected: "intermediate data as zhbert wrote it", got: verbatim("other bytes"), hint });
}
