/** One instance as the bytes of a shard's record, and back. All numbers are little-endian; docs/shard-format.md has the layout. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { PretrainingInstance } from "./instance.ts";

/** What the header says about every record. */
export interface RecordLayout {
  readonly vocabSize: number;
  /** Bytes of an id: 2 when the vocabulary has fewer than 65,536 entries, else 4. */
  readonly idBytes: 2 | 4;
  readonly maxSeqLength: number;
  readonly maxPredictionsPerSeq: number;
}

/** The label (1 byte) and the length of segment A (2 bytes). */
const FIXED_BYTES = 3;

/** Bytes of a record with `seqLength` tokens and `predictions` predictions. */
export function recordSize(seqLength: number, predictions: number, layout: RecordLayout): number {
  return FIXED_BYTES + seqLength * layout.idBytes + ((seqLength + 7) >> 3) + predictions * (2 + layout.idBytes);
}

/**
 * Writes the record of an instance.
 * @param record - zeros, as many as `recordSize` says.
 * @throws {ArgumentError} when the instance contradicts the layout or itself; nothing is written then.
 */
export function encodeRecord(instance: PretrainingInstance, layout: RecordLayout, record: Uint8Array): void {
  const wrong = instanceProblem(instance, layout);
  if (wrong !== undefined) {
    throw new ArgumentError({ where: "shard: instance", expected: wrong[0], got: verbatim(wrong[1]) });
  }
  const { inputIds, maskedLmPositions, maskedLmIds } = instance;
  const sizes = { seqLength: inputIds.length, predictions: maskedLmPositions.length };
  const content = { ...sizes, firstLength: segmentLength(instance.tokenTypeIds), label: instance.nextSentenceLabel };
  writeRecord(
    { ...content, ids: inputIds, wordStarts: instance.wordStarts, positions: maskedLmPositions, labels: maskedLmIds },
    layout,
    record,
    0,
  );
}

/** The content of a record; the arrays may be longer than what counts of them. */
export interface RecordContent {
  readonly seqLength: number;
  readonly predictions: number;
  /** Tokens of segment A, special ones counted. */
  readonly firstLength: number;
  /** The next sentence label. */
  readonly label: number;
  readonly ids: Int32Array;
  readonly wordStarts: Uint8Array;
  readonly positions: Int32Array;
  readonly labels: Int32Array;
}

/** Writes a record, unchecked, over zeros from `at`. @returns the offset behind it. */
export function writeRecord(content: RecordContent, { idBytes }: RecordLayout, bytes: Uint8Array, at: number): number {
  const { seqLength, predictions, firstLength, wordStarts } = content;
  bytes[at] = content.label;
  bytes[at + 1] = firstLength & 0xff;
  bytes[at + 2] = firstLength >>> 8;
  const bitsAt = writeIds(bytes, at + FIXED_BYTES, content.ids, seqLength, idBytes);
  for (let i = 0; i < seqLength; i++) bytes[bitsAt + (i >> 3)]! |= wordStarts[i]! << (i & 7);
  const positionsAt = bitsAt + ((seqLength + 7) >> 3);
  return writeIds(
    bytes,
    writeIds(bytes, positionsAt, content.positions, predictions, 2),
    content.labels,
    predictions,
    idBytes,
  );
}

/** Little-endian, byte by byte: several times faster than a DataView. @returns the offset behind them. */
function writeIds(record: Uint8Array, at: number, ids: Int32Array, count: number, bytes: 2 | 4): number {
  let next = at;
  for (let i = 0; i < count; i++) {
    const id = ids[i]!;
    record[next++] = id & 0xff;
    record[next++] = (id >>> 8) & 0xff;
    if (bytes === 2) continue;
    record[next++] = (id >>> 16) & 0xff;
    record[next++] = id >>> 24;
  }
  return next;
}

/** The instance of a record, or a phrase that says what is wrong with it. The record's length must fit the sizes. */
export function decodeRecord(
  record: Uint8Array,
  seqLength: number,
  predictions: number,
  layout: RecordLayout,
): PretrainingInstance | string {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const label = record[0] as number;
  const split = view.getUint16(1, true);
  if (label > 1) return `next sentence label ${label}`;
  if (split > seqLength) return `a segment A of ${split} tokens in a sequence of ${seqLength}`;
  const bitsAt = FIXED_BYTES + seqLength * layout.idBytes;
  const positionsAt = bitsAt + ((seqLength + 7) >> 3);
  const instance: PretrainingInstance = {
    inputIds: readIds(view, FIXED_BYTES, seqLength, layout.idBytes),
    tokenTypeIds: new Uint8Array(seqLength).fill(1, split),
    wordStarts: readBits(record, bitsAt, seqLength),
    maskedLmPositions: readIds(view, positionsAt, predictions, 2),
    maskedLmIds: readIds(view, positionsAt + 2 * predictions, predictions, layout.idBytes),
    nextSentenceLabel: label as 0 | 1,
  };
  return instanceProblem(instance, layout)?.[1] ?? instance;
}

function readBits(record: Uint8Array, at: number, count: number): Uint8Array {
  const bits = new Uint8Array(count);
  for (let i = 0; i < count; i++) bits[i] = (record[at + (i >> 3)]! >> (i & 7)) & 1;
  return bits;
}

function readIds(view: DataView, at: number, count: number, bytes: 2 | 4): Int32Array {
  const ids = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    ids[i] = bytes === 2 ? view.getUint16(at + 2 * i, true) : view.getUint32(at + 4 * i, true);
  }
  return ids;
}

/** The number of leading zeros: tokens of segment A. */
function segmentLength(tokenTypeIds: Uint8Array): number {
  const first = tokenTypeIds.indexOf(1);
  return first < 0 ? tokenTypeIds.length : first;
}

/** What was expected and what was found, where an instance cannot be; undefined where it can. */
export function instanceProblem(
  instance: PretrainingInstance,
  layout: Omit<RecordLayout, "idBytes">,
): [string, string] | undefined {
  const { inputIds, tokenTypeIds, wordStarts, maskedLmPositions, maskedLmIds } = instance;
  const length = inputIds.length;
  if (length < 1 || length > layout.maxSeqLength) return [`1 to ${layout.maxSeqLength} tokens`, `${length}`];
  if (tokenTypeIds.length !== length || wordStarts.length !== length) {
    return [`${length} token types and word starts`, `${tokenTypeIds.length} and ${wordStarts.length}`];
  }
  const predictions = maskedLmPositions.length;
  if (predictions > layout.maxPredictionsPerSeq || maskedLmIds.length !== predictions) {
    return [`at most ${layout.maxPredictionsPerSeq} positions, as many ids`, `${predictions}, ${maskedLmIds.length}`];
  }
  const wrongId = firstOutside(inputIds, layout.vocabSize) ?? firstOutside(maskedLmIds, layout.vocabSize);
  if (wrongId !== undefined) return [`ids below ${layout.vocabSize}`, `id ${wrongId}`];
  const split = segmentLength(tokenTypeIds);
  for (let i = 0; i < length; i++) {
    if (tokenTypeIds[i] !== (i < split ? 0 : 1)) return ["token types 0 then 1", "another order"];
    if (wordStarts[i]! > 1) return ["word starts of 0 or 1", `${wordStarts[i]}`];
  }
  for (let i = 0, previous = -1; i < predictions; i++) {
    const position = maskedLmPositions[i]!;
    if (position <= previous || position >= length) return ["ascending positions in the sequence", `${position}`];
    previous = position;
  }
  return undefined;
}

/** The first id that is negative or not below `limit`. */
function firstOutside(ids: Int32Array, limit: number): number | undefined {
  for (let i = 0; i < ids.length; i++) if (ids[i]! < 0 || ids[i]! >= limit) return ids[i];
  return undefined;
}
