/**
 * TFRecord files as create_pretraining_data.py of google-research/bert writes them, and back.
 *
 * A record is its length (uint64), the length's checksum, the data and the data's checksum, all little-endian; the data
 * is a tf.train.Example with seven features, padded to the maximal lengths. Source: TensorFlow's record_writer.cc.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ArgumentError, DataError, verbatim } from "../errors.ts";
import { crc32c, maskCrc32c } from "../util/crc32.ts";
import { type Example, ExampleSchema, type Feature } from "./_example_pb.ts";
import type { PretrainingInstance } from "./instance.ts";

const HEADER_BYTES = 12;
const FOOTER_BYTES = 4;
/** A record of 512 tokens takes some 10 kB; a length beyond this is damage, and no memory is set aside for it. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

function maskedCrc(bytes: Uint8Array): number {
  return maskCrc32c(crc32c(bytes));
}

/** The record of some data: uint8 [16 + data]. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + data.length + FOOTER_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, HEADER_BYTES);
  view.setUint32(HEADER_BYTES + data.length, maskedCrc(data), true);
  return record;
}

/**
 * The data of each record of a TFRecord file.
 * @param chunks - the file's bytes. @param where - its name, for messages.
 * @throws {DataError} when a checksum is wrong, a length is absurd, or the file ends within a record; it names the offset.
 */
export async function* readRecords(chunks: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  let pending = new Uint8Array(0);
  let offset = 0;
  for await (const chunk of chunks) {
    const bytes = new Uint8Array(pending.length + chunk.length);
    bytes.set(pending);
    bytes.set(chunk, pending.length);
    let at = 0;
    for (;;) {
      const length = recordLength(bytes.subarray(at), where, offset + at);
      const end = at + HEADER_BYTES + (length ?? 0) + FOOTER_BYTES;
      if (length === undefined || end > bytes.length) break;
      const data = bytes.subarray(at + HEADER_BYTES, end - FOOTER_BYTES);
      if (readUint32(bytes, end - FOOTER_BYTES) !== maskedCrc(data)) {
        throw damaged(where, offset + at, "a record with its checksum", "other bytes");
      }
      yield data;
      at = end;
    }
    pending = bytes.slice(at);
    offset += at;
  }
  if (pending.length > 0) throw damaged(where, offset, "a whole record", `the end after ${pending.length} bytes`);
}

/** The length of the record's data, or undefined when its header is not there yet. */
function recordLength(bytes: Uint8Array, where: string, offset: number): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  if (readUint32(bytes, 8) !== maskedCrc(bytes.subarray(0, 8))) {
    throw damaged(where, offset, "the length of a TFRecord with its checksum", "other bytes");
  }
  const length = readUint32(bytes, 0) + readUint32(bytes, 4) * 4294967296;
  if (length > MAX_RECORD_BYTES) {
    throw damaged(where, offset, `a record of at most ${MAX_RECORD_BYTES} bytes`, `${length}`);
  }
  return length;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** The lengths that features are padded to. */
export interface ExampleShape {
  readonly maxSeqLength: number;
  readonly maxPredictionsPerSeq: number;
}

/**
 * An instance as the bytes of a tf.train.Example with Google's seven features.
 * Where words begin is not among them.
 * @throws {ArgumentError} when the instance is longer than the shape.
 */
export function encodeExample(instance: PretrainingInstance, shape: ExampleShape): Uint8Array {
  const { maxSeqLength, maxPredictionsPerSeq } = shape;
  const { inputIds, maskedLmPositions } = instance;
  if (inputIds.length > maxSeqLength || maskedLmPositions.length > maxPredictionsPerSeq) {
    throw new ArgumentError({
      where: "tfrecord: instance",
      expected: `at most ${maxSeqLength} tokens and ${maxPredictionsPerSeq} predictions`,
      got: [inputIds.length, maskedLmPositions.length],
    });
  }
  const ones = (count: number) => new Uint8Array(count).fill(1);
  const feature = {
    input_ids: integers(inputIds, maxSeqLength),
    input_mask: integers(ones(inputIds.length), maxSeqLength),
    segment_ids: integers(instance.tokenTypeIds, maxSeqLength),
    masked_lm_positions: integers(maskedLmPositions, maxPredictionsPerSeq),
    masked_lm_ids: integers(instance.maskedLmIds, maxPredictionsPerSeq),
    masked_lm_weights: floats(ones(maskedLmPositions.length), maxPredictionsPerSeq),
    next_sentence_labels: integers([instance.nextSentenceLabel], 1),
  };
  return toBinary(ExampleSchema, create(ExampleSchema, { features: { feature } }));
}

function integers(values: ArrayLike<number>, length: number) {
  const value = Array.from({ length }, (_, i) => BigInt(values[i] ?? 0));
  return { kind: { case: "int64List" as const, value: { value } } };
}

function floats(values: ArrayLike<number>, length: number) {
  return { kind: { case: "floatList" as const, value: { value: Array.from({ length }, (_, i) => values[i] ?? 0) } } };
}

/**
 * The instance of a tf.train.Example with Google's features, without padding.
 * The format does not say where words begin, so every token begins one.
 * @param where - file and record, for messages.
 * @throws {DataError} when the bytes are no Example, a feature is missing, or lengths and values contradict each other.
 */
export function decodeExample(bytes: Uint8Array, where: string): PretrainingInstance {
  const example = parseExample(bytes, where);
  const take = (name: string) => integersOf(example.features?.feature[name], name, where);
  const inputIds = take("input_ids");
  const mask = take("input_mask");
  const seqLength = leadingOnes(mask, "input_mask", where);
  const types = sameLength(take("segment_ids"), inputIds, "segment_ids", where);
  sameLength(mask, inputIds, "input_mask", where);
  const positions = take("masked_lm_positions");
  const labels = sameLength(take("masked_lm_ids"), positions, "masked_lm_ids", where);
  const weights = floatsOf(example.features?.feature["masked_lm_weights"], "masked_lm_weights", where);
  const count = leadingOnes(sameLength(weights, positions, "masked_lm_weights", where), "masked_lm_weights", where);
  const [label] = take("next_sentence_labels");
  if (label !== 0 && label !== 1) throw wrong(where, "next_sentence_labels", "0 or 1", `${label}`);
  if (types.some((type) => type > 1)) throw wrong(where, "segment_ids", "0 or 1", "another");
  if (positions.subarray(0, count).some((p, i) => p >= seqLength || (i > 0 && p <= (positions[i - 1] as number)))) {
    throw wrong(where, "masked_lm_positions", `ascending positions below ${seqLength}`, "others");
  }
  return {
    inputIds: inputIds.slice(0, seqLength),
    tokenTypeIds: Uint8Array.from(types.subarray(0, seqLength)),
    wordStarts: new Uint8Array(seqLength).fill(1),
    maskedLmPositions: positions.slice(0, count),
    maskedLmIds: labels.slice(0, count),
    nextSentenceLabel: label,
  };
}

/** The lengths that the features of an Example are padded to. @throws {DataError} as `decodeExample`. */
export function exampleShape(bytes: Uint8Array, where: string): ExampleShape {
  const feature = parseExample(bytes, where).features?.feature ?? {};
  const length = (name: string) => integersOf(feature[name], name, where).length;
  return { maxSeqLength: length("input_ids"), maxPredictionsPerSeq: length("masked_lm_positions") };
}

function parseExample(bytes: Uint8Array, where: string): Example {
  try {
    return fromBinary(ExampleSchema, bytes);
  } catch (cause) {
    throw new DataError({ where, expected: "a tf.train.Example", got: verbatim("other bytes"), cause });
  }
}

function integersOf(feature: Feature | undefined, name: string, where: string): Int32Array {
  const kind = feature?.kind;
  if (kind?.case !== "int64List") throw wrong(where, name, "a list of integers", kind?.case ?? "nothing");
  return Int32Array.from(kind.value.value, (value) => {
    if (value < 0n || value > 0x7fffffffn) throw wrong(where, name, "integers from 0 to 2^31 - 1", `${value}`);
    return Number(value);
  });
}

function floatsOf(feature: Feature | undefined, name: string, where: string): Float32Array {
  const kind = feature?.kind;
  if (kind?.case !== "floatList") throw wrong(where, name, "a list of floats", kind?.case ?? "nothing");
  return Float32Array.from(kind.value.value);
}

function sameLength<T extends { readonly length: number }>(list: T, other: Int32Array, name: string, where: string): T {
  if (list.length === other.length) return list;
  throw wrong(where, name, `${other.length} values`, `${list.length}`);
}

/** How many ones a list of ones and then zeros begins with. */
function leadingOnes(list: Int32Array | Float32Array, name: string, where: string): number {
  const zero = list.indexOf(0);
  const count = zero < 0 ? list.length : zero;
  for (let i = 0; i < list.length; i++) {
    if (list[i] !== (i < count ? 1 : 0)) throw wrong(where, name, "ones, then zeros", `${list[i]} at ${i}`);
  }
  return count;
}

function wrong(where: string, name: string, expected: string, got: string): DataError {
  return new DataError({ where: `${where}: ${name}`, expected, got: verbatim(got) });
}

function damaged(where: string, offset: number, expected: string, got: string): DataError {
  return new DataError({
    where: `${where} at byte ${offset}`,
    expected,
    got: verbatim(got),
    hint: "the file is damaged or no TFRecord file (compressed ones must be unpacked first)",
  });
}

/** The instances of a TFRecord file. @throws {DataError} when it is damaged or holds other features. */
export async function* readTfrecord(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<PretrainingInstance> {
  let record = 0;
  for await (const data of readRecords(chunks, where)) yield decodeExample(data, `${where} record ${record++}`);
}
