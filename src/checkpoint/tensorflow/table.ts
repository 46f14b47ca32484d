/**
 * Sorted tables of keys and values in the layout of LevelDB: blocks of entries with checksums, then a block that lists
 * the blocks, then a footer. TensorFlow keeps the table of contents of a V2 checkpoint in one.
 * Source: table_format.md of google/leveldb; tensorflow/core/lib/io/{format,block}.cc.
 */
import { crc32c, maskCrc32c } from "../../util/crc32.ts";
import { type ByteSource, damaged } from "../source.ts";
import { unpackSnappy } from "./snappy.ts";

/** 0xdb4775248b80fb57, the last eight bytes of a table, little-endian. */
export const TABLE_MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb);
/** Two block handles, filled up with zeros to 40 bytes, and the magic number. */
export const FOOTER_BYTES = 48;
/** After each block: how it is packed, and the masked CRC-32C of both. */
export const TRAILER_BYTES = 5;
/** A table lists names, shapes and offsets, some 80 bytes a tensor; one beyond this is no honest file. */
const MAX_TABLE_BYTES = 64 * 1024 * 1024;
/** BERT has some 200 tensors, 600 with the slots of its optimiser; each entry takes a few hundred bytes in memory. */
const MAX_ENTRIES = 100_000;

/** A place in the file; the trailer follows it. */
interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/** What may still be taken into memory: unpacked blocks, and keys, which the file shortens by what they share. */
interface Budget {
  bytes: number;
  entries: number;
}

/** A key with its value. */
export interface TableEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Whether a file ends as tables do. */
export function isTable(source: ByteSource): boolean {
  if (source.size < FOOTER_BYTES) return false;
  const magic = source.slice(source.size - TABLE_MAGIC.length, source.size);
  return TABLE_MAGIC.every((byte, i) => byte === magic[i]);
}

/**
 * Reads all entries of a table, in the order of their keys.
 * @throws {CheckpointError} when a length, checksum or the order of the keys is wrong.
 */
export function readTable(source: ByteSource): TableEntry[] {
  if (source.size > MAX_TABLE_BYTES) {
    throw damaged(source.name, 0, `a table of at most ${MAX_TABLE_BYTES} bytes`, `${source.size}`);
  }
  if (!isTable(source)) throw damaged(source.name, source.size, "the last bytes of a table", "others");
  const footerStart = source.size - FOOTER_BYTES;
  const footer = new ByteReader(source.name, footerStart, source.slice(footerStart, source.size - TABLE_MAGIC.length));
  readHandle(footer); // of a block with statistics, which checkpoints leave empty
  const index = readHandle(footer);
  const entries: TableEntry[] = [];
  const budget = { bytes: MAX_TABLE_BYTES, entries: MAX_ENTRIES };
  let end = 0;
  for (const { value } of blockEntries(source, index, undefined, { ...budget })) {
    const handle = readHandle(new ByteReader(source.name, index.offset, value));
    if (handle.offset < end) throw damaged(source.name, handle.offset, `a block at ${end} or later`, "an earlier one");
    end = handle.offset + handle.size;
    for (const entry of blockEntries(source, handle, entries.at(-1)?.key, budget)) entries.push(entry);
  }
  return entries;
}

/** The entries of a block, whose keys follow each other and the one before them. */
function* blockEntries(
  source: ByteSource,
  handle: BlockHandle,
  before: Uint8Array | undefined,
  budget: Budget,
): Generator<TableEntry> {
  const block = readBlock(source, handle, budget);
  const reader = new ByteReader(source.name, handle.offset, block.subarray(0, entriesEnd(source, handle, block)));
  let previous = before;
  let key = new Uint8Array(0);
  while (!reader.atEnd) {
    const shared = reader.varint();
    const added = reader.varint();
    const valueBytes = reader.varint();
    if (shared > key.length) throw reader.wrong(`a key that shares at most ${key.length} bytes`, `${shared}`);
    budget.bytes -= shared + added;
    if (budget.bytes < 0) throw reader.wrong(`at most ${MAX_TABLE_BYTES} bytes of keys`, "more");
    if (budget.entries-- === 0) throw reader.wrong(`at most ${MAX_ENTRIES} entries`, "more");
    const rest = reader.take(added);
    const next = new Uint8Array(shared + added);
    next.set(key.subarray(0, shared));
    next.set(rest, shared);
    if (previous !== undefined && compareBytes(previous, next) >= 0) {
      throw reader.wrong("keys in ascending order", "a repeated or earlier one");
    }
    yield { key: next, value: reader.take(valueBytes) };
    key = next;
    previous = next;
  }
}

/** Where the entries of a block end: the places where its keys are written out in full are listed after them. */
function entriesEnd(source: ByteSource, { offset }: BlockHandle, block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const restarts = block.length < 4 ? 0 : view.getUint32(block.length - 4, true);
  const end = block.length - 4 * (restarts + 1);
  if (restarts < 1 || end < 0) {
    throw damaged(source.name, offset, "a block of entries and restart points", `${restarts} restart points`);
  }
  return end;
}

function readBlock(source: ByteSource, { offset, size }: BlockHandle, budget: Budget): Uint8Array {
  const bytes = source.slice(offset, offset + size + TRAILER_BYTES);
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(size + 1, true);
  if (maskCrc32c(crc32c(bytes.subarray(0, size + 1))) !== stored) {
    throw damaged(source.name, offset, "a block with its checksum", "other bytes");
  }
  const content = bytes.subarray(0, size);
  const packing = bytes[size];
  if (packing === 0) return content;
  if (packing !== 1) throw damaged(source.name, offset + size, "a block that is plain or Snappy", `type ${packing}`);
  try {
    const unpacked = unpackSnappy(content, budget.bytes);
    budget.bytes -= unpacked.length;
    return unpacked;
  } catch (cause) {
    throw damaged(source.name, offset, "a sound Snappy block", (cause as Error).message, cause);
  }
}

function readHandle(reader: ByteReader): BlockHandle {
  return { offset: reader.varint(), size: reader.varint() };
}

/** The order of bytes; below 0 when `a` comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  }
  return a.length - b.length;
}

/** Takes numbers and bytes from a block, each checked against its end. */
class ByteReader {
  private at = 0;
  private readonly file: string;
  private readonly offset: number;
  private readonly bytes: Uint8Array;

  constructor(file: string, offset: number, bytes: Uint8Array) {
    this.file = file;
    this.offset = offset;
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** An unsigned number in groups of seven bits, lowest first. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw this.wrong("a number", "the end of the block");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
    }
    throw this.wrong("a number below 2^53", "a larger one");
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) {
      throw this.wrong(`${length} bytes`, `${this.bytes.length - this.at} to the end of the block`);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  wrong(expected: string, got: string): Error {
    return damaged(this.file, this.offset, `${expected} at byte ${this.at} of the block`, got);
  }
}
