/**
 * The shard format: pre-training instances in a compact binary file with random access. docs/shard-format.md has every byte.
 *
 * A file is header, index, records. The index holds each record's sizes and checksum, the header the index's checksum
 * and its own, so that opening reads only header and index, and each record is checked when it is read.
 * Files from elsewhere are hostile: every size is checked against the file's before anything is allocated.
 */
import type { ByteSource } from "../checkpoint/source.ts";
import { ArgumentError, DataError, verbatim } from "../errors.ts";
import { crc32c } from "../util/crc32.ts";
import { decodeRecord, encodeRecord, type RecordLayout, recordSize } from "./_record.ts";
import type { PretrainingInstance } from "./instance.ts";

/** "zhbert" and two bytes that show damage by text-mode copies (as PNG does). */
const MAGIC = Uint8Array.of(0x7a, 0x68, 0x62, 0x65, 0x72, 0x74, 0x0d, 0x0a);
const VERSION = 1;
const HEADER_BYTES = 96;
const INDEX_ENTRY_BYTES = 8;
const PAGE_BYTES = 1 << 20;

/** Sequences beyond this have no position embedding in any published model. */
export const MAX_SEQ_LENGTH = 512;
/** A generous bound on the vocabulary (the largest published ones have some 500,000 entries). */
const MAX_VOCAB_SIZE = 1 << 24;
const MAX_RECORDS = 1 << 28;

/** How tokens are chosen for masking (masking-variants.ts); the order is the code in the file. */
export const MASKINGS = [
  "char",
  "whole-word",
  "ngram",
  "span",
  "phrase",
  "entity",
  "macbert",
  "mixed",
  "none",
] as const;
/** How tokens are chosen for masking; "mixed" stands for several, which dataset.json names. */
export type Masking = (typeof MASKINGS)[number];

/** What all instances of a shard, and of a data set, have in common. */
export interface ShardSettings {
  /** Hex digest of the vocabulary (64 digits): `Vocabulary.hash()`. */
  readonly vocabularyHash: string;
  readonly vocabSize: number;
  readonly maxSeqLength: number;
  readonly maxPredictionsPerSeq: number;
  readonly masking: Masking;
  /** Whether instances are pairs with a next sentence label. */
  readonly nextSentence: boolean;
  readonly randomSeed: number;
  readonly dupeFactor: number;
}

/** Collects instances for one shard and lays them out; memory grows with the records only, so start a new one in time. */
export class ShardBuilder {
  readonly settings: ShardSettings;
  readonly #layout: RecordLayout;
  /** Records one after the other in large pages: an array for each would take more memory than its content. */
  readonly #pages: Uint8Array[] = [];
  #page = new Uint8Array(0);
  #pageUsed = 0;
  readonly #index: number[] = [];
  #recordBytes = 0;

  /** @throws {ArgumentError} when the settings cannot be written, such as a maximal length over 512. */
  constructor(settings: ShardSettings) {
    checkSettings(settings);
    this.settings = settings;
    this.#layout = layoutOf(settings);
  }

  /** Instances added so far. */
  get count(): number {
    return this.#index.length / 2;
  }

  /** The size of the file so far, in bytes. */
  get byteLength(): number {
    return HEADER_BYTES + this.count * INDEX_ENTRY_BYTES + this.#recordBytes;
  }

  /** @throws {ArgumentError} when the instance contradicts the settings or itself. */
  add(instance: PretrainingInstance): void {
    const [seqLength, predictions] = [instance.inputIds.length, instance.maskedLmPositions.length];
    const size = recordSize(seqLength, predictions, this.#layout);
    if (this.#pageUsed + size > this.#page.length) this.#closePage(size);
    const record = this.#page.subarray(this.#pageUsed, this.#pageUsed + size);
    encodeRecord(instance, this.#layout, record);
    this.#index.push(seqLength | (predictions << 16), crc32c(record));
    this.#pageUsed += size;
    this.#recordBytes += size;
  }

  /**
   * Adds a record that `encodeRecord` made with the same settings.
   * @param lengths - tokens + 65536 x predictions. @param checksum - the record's CRC-32C.
   */
  addRecord(record: Uint8Array, lengths: number, checksum: number): void {
    if (this.#pageUsed + record.length > this.#page.length) this.#closePage(record.length);
    this.#page.set(record, this.#pageUsed);
    this.#index.push(lengths, checksum);
    this.#pageUsed += record.length;
    this.#recordBytes += record.length;
  }

  #closePage(needed: number): void {
    if (this.#pageUsed > 0) this.#pages.push(this.#page.subarray(0, this.#pageUsed));
    this.#page = new Uint8Array(Math.max(PAGE_BYTES, needed));
    this.#pageUsed = 0;
  }

  /** The file, in chunks; `checksum` is that of the header and stands for every byte of the file. */
  finish(): { readonly chunks: readonly Uint8Array[]; readonly checksum: number; readonly byteLength: number } {
    const index = new Uint8Array(this.count * INDEX_ENTRY_BYTES);
    const view = new DataView(index.buffer);
    this.#index.forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    const header = encodeHeader(this.settings, this.count, this.#recordBytes, crc32c(index));
    const checksum = new DataView(header.buffer).getUint32(HEADER_BYTES - 4, true);
    this.#closePage(0);
    return { chunks: [header, index, ...this.#pages], checksum, byteLength: this.byteLength };
  }
}

/** An opened shard: settings, sizes of all instances, and each instance by its index. */
export class ShardReader {
  readonly name: string;
  readonly settings: ShardSettings;
  readonly count: number;
  /** The header's checksum, which stands for every byte of the file. */
  readonly checksum: number;
  /** uint16 [count]; tokens of each instance. */
  readonly seqLengths: Uint16Array;
  /** uint16 [count]; predictions of each instance. */
  readonly predictionCounts: Uint16Array;
  readonly #source: ByteSource;
  readonly #layout: RecordLayout;
  readonly #checksums: Uint32Array;
  readonly #offsets: Float64Array;

  private constructor(source: ByteSource, header: Header, index: Uint8Array) {
    this.name = source.name;
    this.settings = header.settings;
    this.count = header.count;
    this.checksum = header.checksum;
    this.#source = source;
    this.#layout = layoutOf(header.settings);
    this.seqLengths = new Uint16Array(header.count);
    this.predictionCounts = new Uint16Array(header.count);
    this.#checksums = new Uint32Array(header.count);
    this.#offsets = new Float64Array(header.count + 1);
    this.#readIndex(index, header.recordBytes);
  }

  /**
   * Reads and checks header and index.
   * @throws {DataError} when the file is no shard, of a newer version, truncated or damaged; it names file and offset.
   */
  static async open(source: ByteSource): Promise<ShardReader> {
    const header = decodeHeader(source.name, source.size, source.slice(0, Math.min(HEADER_BYTES, source.size)));
    const index = source.slice(HEADER_BYTES, HEADER_BYTES + header.count * INDEX_ENTRY_BYTES);
    if (crc32c(index) !== header.indexChecksum) {
      throw damaged(source.name, HEADER_BYTES, "an index with the header's checksum", "other bytes");
    }
    return new ShardReader(source, header, index);
  }

  #readIndex(index: Uint8Array, recordBytes: number): void {
    const { maxSeqLength, maxPredictionsPerSeq } = this.settings;
    const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
    let offset = HEADER_BYTES + index.length;
    for (let i = 0; i < this.count; i++) {
      const at = i * INDEX_ENTRY_BYTES;
      const seqLength = view.getUint16(at, true);
      const predictions = view.getUint16(at + 2, true);
      if (seqLength < 1 || seqLength > maxSeqLength || predictions > maxPredictionsPerSeq || predictions > seqLength) {
        const expected = `at most ${maxSeqLength} tokens and ${maxPredictionsPerSeq} predictions`;
        throw damaged(this.name, HEADER_BYTES + at, expected, `${seqLength} and ${predictions}`);
      }
      this.seqLengths[i] = seqLength;
      this.predictionCounts[i] = predictions;
      this.#checksums[i] = view.getUint32(at + 4, true);
      this.#offsets[i] = offset;
      offset += recordSize(seqLength, predictions, this.#layout);
    }
    this.#offsets[this.count] = offset;
    const expected = HEADER_BYTES + index.length + recordBytes;
    if (offset !== expected) {
      throw damaged(this.name, HEADER_BYTES, `records of ${recordBytes} bytes`, `an index of another sum`);
    }
  }

  /**
   * The instance at `index`.
   * @throws {ArgumentError} when there is no such index. @throws {DataError} when its record is damaged.
   */
  async instance(index: number): Promise<PretrainingInstance> {
    return this.#range(index, 1)[0] as PretrainingInstance;
  }

  /** All instances in order, in pieces of about a mebibyte. @throws {DataError} when a record is damaged. */
  async *instances(): AsyncGenerator<PretrainingInstance> {
    for (let start = 0; start < this.count; ) {
      let end = start + 1;
      while (end < this.count && this.#offsetOf(end + 1) - this.#offsetOf(start) < 1 << 20) end++;
      yield* this.#range(start, end - start);
      start = end;
    }
  }

  #offsetOf(index: number): number {
    return this.#offsets[index] as number;
  }

  #range(start: number, length: number): PretrainingInstance[] {
    if (!Number.isInteger(start) || start < 0 || start + length > this.count) {
      throw new ArgumentError({ where: this.name, expected: `an index from 0 to ${this.count - 1}`, got: start });
    }
    const first = this.#offsetOf(start);
    const bytes = this.#source.slice(first, this.#offsetOf(start + length));
    return Array.from({ length }, (_, i) => this.#decode(start + i, bytes, first));
  }

  #decode(index: number, bytes: Uint8Array, first: number): PretrainingInstance {
    const offset = this.#offsetOf(index);
    const record = bytes.subarray(offset - first, this.#offsetOf(index + 1) - first);
    if (crc32c(record) !== this.#checksums[index]) {
      throw damaged(this.name, offset, `record ${index} with the checksum of the index`, "other bytes");
    }
    const sizes = [this.seqLengths[index] as number, this.predictionCounts[index] as number] as const;
    const instance = decodeRecord(record, ...sizes, this.#layout);
    if (typeof instance !== "string") return instance;
    throw damaged(this.name, offset, `a possible instance as record ${index}`, instance);
  }
}

/** How the records of a shard are laid out. */
export function layoutOf(settings: ShardSettings): RecordLayout {
  return {
    vocabSize: settings.vocabSize,
    idBytes: settings.vocabSize < 65536 ? 2 : 4,
    maxSeqLength: settings.maxSeqLength,
    maxPredictionsPerSeq: settings.maxPredictionsPerSeq,
  };
}

function checkSettings(settings: ShardSettings): void {
  const wrong = problemOf(settings);
  if (wrong === undefined) return;
  throw new ArgumentError({ where: `shard: ${wrong.field}`, expected: wrong.expected, got: wrong.got });
}

/** The first setting that cannot be, or undefined. */
function problemOf(settings: ShardSettings): { field: string; expected: string; got: unknown } | undefined {
  const ranges = {
    vocabSize: [1, MAX_VOCAB_SIZE],
    maxSeqLength: [1, MAX_SEQ_LENGTH],
    maxPredictionsPerSeq: [1, MAX_SEQ_LENGTH],
    randomSeed: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    dupeFactor: [1, 0xffffffff],
  } as const;
  for (const [field, [low, high]] of Object.entries(ranges)) {
    const got = settings[field as keyof typeof ranges];
    if (!Number.isSafeInteger(got) || got < low || got > high) {
      return { field, expected: `an integer from ${low} to ${high}`, got };
    }
  }
  if (!/^[0-9a-f]{64}$/.test(settings.vocabularyHash)) {
    return { field: "vocabularyHash", expected: "64 hexadecimal digits", got: settings.vocabularyHash };
  }
  if (!MASKINGS.includes(settings.masking)) {
    return { field: "masking", expected: MASKINGS.join(" | "), got: settings.masking };
  }
  return undefined;
}

interface Header {
  readonly settings: ShardSettings;
  readonly count: number;
  readonly recordBytes: number;
  readonly indexChecksum: number;
  readonly checksum: number;
}

function encodeHeader(
  settings: ShardSettings,
  count: number,
  recordBytes: number,
  indexChecksum: number,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(MAGIC, 0);
  view.setUint16(8, VERSION, true);
  view.setUint8(10, MASKINGS.indexOf(settings.masking));
  view.setUint8(11, settings.nextSentence ? 1 : 0);
  view.setUint32(12, settings.vocabSize, true);
  view.setUint16(16, settings.maxSeqLength, true);
  view.setUint16(18, settings.maxPredictionsPerSeq, true);
  view.setUint32(20, settings.dupeFactor, true);
  view.setBigInt64(24, BigInt(settings.randomSeed), true);
  for (let i = 0; i < 32; i++) header[32 + i] = Number.parseInt(settings.vocabularyHash.slice(2 * i, 2 * i + 2), 16);
  view.setUint32(64, count, true);
  view.setUint32(68, 0, true);
  view.setBigUint64(72, BigInt(recordBytes), true);
  view.setUint32(80, indexChecksum, true);
  view.setUint32(HEADER_BYTES - 4, crc32c(header.subarray(0, HEADER_BYTES - 4)), true);
  return header;
}

function decodeHeader(name: string, size: number, bytes: Uint8Array): Header {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    const got = bytes.length < HEADER_BYTES ? `${bytes.length} bytes` : "another file type";
    throw damaged(name, 0, `a zhbert shard (header of ${HEADER_BYTES} bytes)`, got);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(8, true);
  if (version !== VERSION) throw damaged(name, 8, `shard format version ${VERSION}`, `${version}`, "update zhbert");
  const checksum = view.getUint32(HEADER_BYTES - 4, true);
  if (crc32c(bytes.subarray(0, HEADER_BYTES - 4)) !== checksum) {
    throw damaged(name, HEADER_BYTES - 4, "the checksum of the header", "another");
  }
  const settings = decodeSettings(bytes, view);
  const wrong = problemOf(settings);
  if (wrong !== undefined) throw damaged(name, 8, `${wrong.field}: ${wrong.expected}`, String(wrong.got));
  const count = view.getUint32(64, true);
  const recordBytes = Number(view.getBigUint64(72, true));
  const indexChecksum = view.getUint32(80, true);
  checkSize(name, size, count, recordBytes);
  return { settings, count, recordBytes, indexChecksum, checksum };
}

function decodeSettings(bytes: Uint8Array, view: DataView): ShardSettings {
  const hash = Array.from(bytes.subarray(32, 64), (byte) => byte.toString(16).padStart(2, "0"));
  return {
    masking: MASKINGS[view.getUint8(10)] as Masking,
    nextSentence: view.getUint8(11) === 1,
    vocabSize: view.getUint32(12, true),
    maxSeqLength: view.getUint16(16, true),
    maxPredictionsPerSeq: view.getUint16(18, true),
    dupeFactor: view.getUint32(20, true),
    randomSeed: Number(view.getBigInt64(24, true)),
    vocabularyHash: hash.join(""),
  };
}

/** The header's counts must account for every byte of the file, before memory is set aside for them. */
function checkSize(name: string, size: number, count: number, recordBytes: number): void {
  if (count > MAX_RECORDS) throw damaged(name, 64, `at most ${MAX_RECORDS} instances`, `${count}`);
  const expected = HEADER_BYTES + count * INDEX_ENTRY_BYTES + recordBytes;
  if (size === expected) return;
  throw damaged(name, Math.min(size, expected), `${expected} bytes in all, as the header says`, `${size}`);
}

function damaged(name: string, offset: number, expected: string, got: string, hint?: string): DataError {
  return new DataError({
    where: `${name} at byte ${offset}`,
    expected,
    got: verbatim(got),
    hint: hint ?? "the file is damaged or incomplete: make the data anew with zhbert data, or copy it again",
  });
}
