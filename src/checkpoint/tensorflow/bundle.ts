/**
 * The table of contents of a TensorFlow V2 checkpoint ("tensor bundle"): the dtype, shape and place of each variable.
 * Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { CheckpointError, verbatim } from "../../errors.ts";
import { bytesPerElement, type DType, elementCount, formatType } from "../../util/tensor.ts";
import { type ByteSource, damaged } from "../source.ts";
import {
  type BundleEntryProto,
  BundleEntryProtoSchema,
  BundleHeaderProto_Endianness,
  BundleHeaderProtoSchema,
} from "./_tensor-bundle_pb.ts";
import { dtypeOfNumber, nameOfNumber } from "./dtypes.ts";
import { type Extent, sliceKey } from "./slice-keys.ts";
import { readTable } from "./table.ts";

/** As TensorFlow's own limit of the rank. */
const MAX_RANK = 254;

/** Where the bytes of a variable, or of a part of it, lie. */
export interface BundleEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The number of its data file. */
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** The masked CRC-32C of its bytes. */
  readonly crc: number;
}

/** A variable; several pieces, one after the other along an axis, where it was partitioned. */
export interface BundleVariable {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly pieces: readonly BundleEntry[];
}

/** What the index of a checkpoint says. */
export interface Bundle {
  /** The number of data files. */
  readonly shards: number;
  /** By name, in the order of the names' bytes. */
  readonly variables: ReadonlyMap<string, BundleVariable>;
  /** Names of variables with dtypes that are not read, with their dtypes. */
  readonly skipped: ReadonlyMap<string, string>;
}

/**
 * Reads the index of a checkpoint.
 * @throws {CheckpointError} when it is damaged, of the format before 2016, big-endian, or partitioned along several axes.
 */
export function readBundle(index: ByteSource): Bundle {
  const [header, ...rest] = readTable(index);
  if (header === undefined || header.key.length > 0) {
    throw damaged(index.name, 0, "the header of a TensorFlow V2 checkpoint", header && latin1(header.key));
  }
  const shards = readHeader(index.name, header.value);
  const parts = new Map<string, BundleEntryProto>();
  const whole: [Uint8Array, BundleEntryProto][] = [];
  for (const { key, value } of rest) {
    const entry = parse(index.name, BundleEntryProtoSchema, value, latin1(key));
    if (key[0] === 0) parts.set(latin1(key), entry);
    else whole.push([key, entry]);
  }
  const variables = new Map<string, BundleVariable>();
  const skipped = new Map<string, string>();
  for (const [key, proto] of whole) {
    const name = readName(index.name, key);
    const dtype = dtypeOfNumber(proto.dtype);
    if (dtype === undefined) skipped.set(name, nameOfNumber(proto.dtype));
    else variables.set(name, readVariable({ file: index.name, name, key, dtype, shards, parts }, proto));
  }
  return { shards, variables, skipped };
}

/**
 * The data files that variables lie in, by number.
 * @param prefix - what the names of index and data files begin with: `bert_model.ckpt`.
 */
export function dataFiles({ shards, variables }: Bundle, prefix: string): Map<number, string> {
  const used = new Set([...variables.values()].flatMap(({ pieces }) => pieces.map(({ shard }) => shard)));
  return new Map([...used].map((shard) => [shard, `${prefix}.data-${fiveDigits(shard)}-of-${fiveDigits(shards)}`]));
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, "0");
}

/** The number of data files. */
function readHeader(file: string, bytes: Uint8Array): number {
  const header = parse(file, BundleHeaderProtoSchema, bytes, "header");
  if (header.endianness !== BundleHeaderProto_Endianness.LITTLE) {
    throw new CheckpointError({
      where: file,
      expected: "a little-endian checkpoint",
      got: verbatim("a big-endian one"),
      hint: "It was written on another kind of machine: save it again with TensorFlow on a common one.",
    });
  }
  const minimal = header.version?.minConsumer ?? 0;
  if (minimal > 1) throw damaged(file, 0, "a checkpoint that readers of version 1 can read", `${minimal}`);
  if (header.numShards < 1) throw damaged(file, 0, "one data file or more", `${header.numShards}`);
  return header.numShards;
}

/** What the reading of one variable needs. */
interface Context {
  readonly file: string;
  readonly name: string;
  readonly key: Uint8Array;
  readonly dtype: DType;
  readonly shards: number;
  readonly parts: ReadonlyMap<string, BundleEntryProto>;
}

function readVariable(context: Context, proto: BundleEntryProto): BundleVariable {
  const { dtype } = context;
  const shape = readShape(context, proto);
  if (proto.slices.length === 0) {
    return { dtype, shape, axis: 0, pieces: [readEntry(context, proto, shape)] };
  }
  const slices = proto.slices.map(({ extent }) => extent.map((part) => readExtent(context, part)));
  const axis = partitionedAxis(context, slices, shape);
  slices.sort((a, b) => (a[axis]?.start ?? 0) - (b[axis]?.start ?? 0));
  let end = 0;
  const pieces = slices.map((extents) => {
    const { start, length = shape[axis] ?? 0 } = extents[axis] as Extent;
    if (start !== end || (length === 0 && slices.length > 1)) {
      throw wrong(context, `a part from ${end} on along axis ${axis}`, `${length} from ${start} on`);
    }
    end = start + length;
    return readPiece(context, extents, shape.with(axis, length));
  });
  if (end !== shape[axis]) throw wrong(context, `parts that end at ${shape[axis]}`, `${end}`);
  return { dtype, shape, axis, pieces };
}

/** The one axis along which all parts are cut; others are whole in each. */
function partitionedAxis(context: Context, slices: readonly Extent[][], shape: readonly number[]): number {
  if (slices.some((extents) => extents.length !== shape.length) || shape.length === 0) {
    throw wrong(context, `parts with ${shape.length} axes, one or more`, "others");
  }
  const isCut = (axis: number) => slices.some((extents) => (extents[axis]?.length ?? shape[axis]) !== shape[axis]);
  const axes = shape.map((_, axis) => axis).filter(isCut);
  if (axes.length <= 1) return axes[0] ?? 0;
  throw new CheckpointError({
    where: `${context.file}: "${context.name}"`,
    expected: "a variable partitioned along one axis",
    got: verbatim(`parts along axes ${axes.join(", ")}`),
    hint: "Save it again without partitions: restore it and save it with tf.train.Saver in one piece.",
  });
}

function readPiece(context: Context, extents: readonly Extent[], shape: readonly number[]): BundleEntry {
  const proto = context.parts.get(sliceKey(context.key, extents));
  if (proto === undefined) throw wrong(context, "an entry for each of its parts", "none for one");
  if (dtypeOfNumber(proto.dtype) !== context.dtype || String(readShape(context, proto)) !== String(shape)) {
    throw wrong(context, `a part that is ${formatType(context.dtype, shape)}`, "another");
  }
  return readEntry(context, proto, shape);
}

function readEntry(context: Context, proto: BundleEntryProto, shape: readonly number[]): BundleEntry {
  const { dtype, shards } = context;
  const { shardId: shard, crc32c: crc } = proto;
  if (shard < 0 || shard >= shards) throw wrong(context, `a data file from 0 to ${shards - 1}`, `${shard}`);
  const offset = toSize(context, "an offset", proto.offset);
  const size = toSize(context, "a size", proto.size);
  // A product beyond 2^53 is rounded, but stays far beyond any file's length.
  const needed = elementCount(shape) * bytesPerElement(dtype);
  if (size !== needed) throw wrong(context, `${needed} bytes for ${formatType(dtype, shape)}`, `${size}`);
  return { dtype, shape, shard, offset, size, crc };
}

function readShape(context: Context, { shape }: BundleEntryProto): number[] {
  if (shape?.unknownRank) throw wrong(context, "a known shape", "an unknown rank");
  const sizes = shape?.dim ?? [];
  if (sizes.length > MAX_RANK) throw wrong(context, `at most ${MAX_RANK} axes`, `${sizes.length}`);
  return sizes.map(({ size }) => toSize(context, "an axis", size));
}

function readExtent(
  context: Context,
  { start, hasLength }: { start: bigint; hasLength: { value?: bigint | undefined } },
): Extent {
  const length = hasLength.value === undefined ? undefined : toSize(context, "the length of a part", hasLength.value);
  return { start: toSize(context, "the start of a part", start), length };
}

function toSize(context: Context, what: string, value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong(context, `${what} from 0 on`, `${value}`);
  return Number(value);
}

function readName(file: string, key: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(key);
  } catch (cause) {
    throw damaged(file, 0, "names in UTF-8", latin1(key), cause);
  }
}

function parse<D extends DescMessage>(file: string, schema: D, bytes: Uint8Array, what: string): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw damaged(file, 0, `a ${schema.name} for "${what.slice(0, 100)}"`, (cause as Error).message, cause);
  }
}

function wrong({ file, name }: Context, expected: string, got: string): CheckpointError {
  return damaged(file, 0, `${expected} for "${name.slice(0, 100)}"`, got);
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
