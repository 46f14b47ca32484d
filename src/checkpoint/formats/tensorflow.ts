/**
 * TensorFlow V2 checkpoints: PREFIX.index, a table of contents, and PREFIX.data-00000-of-0000N, the bytes.
 *
 * Names and layouts are TensorFlow's. Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { CheckpointError, verbatim } from "../../errors.ts";
import { crc32c, maskCrc32c } from "../../util/crc32.ts";
import {
  bytesPerElement,
  elementCount,
  type HostTensor,
  hostTensor,
  tensorBytes,
  tensorFromBytes,
} from "../../util/tensor.ts";
import { type CheckpointFormat, type LazyTensor, type LazyTensors, lazyTensor } from "../format.ts";
import { type ByteSource, damaged, type ModelFiles, noSuchFile } from "../source.ts";
import { BundleEntryProtoSchema, BundleHeaderProtoSchema } from "../tensorflow/_tensor-bundle_pb.ts";
import { type Bundle, type BundleEntry, type BundleVariable, dataFiles, readBundle } from "../tensorflow/bundle.ts";
import { numberOfDtype } from "../tensorflow/dtypes.ts";
import { compareBytes, isTable, type TableEntry } from "../tensorflow/table.ts";
import { writeTable } from "../tensorflow/table-writer.ts";

/** As Google named its downloads. */
const PREFIX = "bert_model.ckpt";
/** Saver's counter of steps; some programs refuse a checkpoint without one. */
const GLOBAL_STEP = "global_step";
const INDEX = ".index";
/** The version of the format, which TensorFlow writes into the header. */
const BUNDLE_VERSION = 1;

const format: CheckpointFormat = {
  name: "tensorflow",
  title: "TensorFlow checkpoint",
  fileNames: [/^bert_model\.ckpt\.index$/, /\.ckpt(-\d+)?\.index$/, /\.index$/, /\.ckpt-\d+$/],
  recognizes: (head) => isIndexHead(head) || isVersion1Head(head),
  async open(files, path) {
    const indexPath = path.endsWith(INDEX) || !files.paths.includes(path + INDEX) ? path : path + INDEX;
    const index = await files.open(indexPath);
    refuseVersion1(index);
    const bundle = readBundle(index);
    const data = await openData(files, indexPath, bundle);
    expectNoOverlap(bundle, data);
    return { format: "tensorflow", tensors: lazyVariables(bundle, data), metadata: {}, notes: notesOn(bundle) };
  },
  write: writeCheckpoint,
};
export default format;

/** The first entry of an index: no shared bytes, an empty key, and a header whose first field is the number of files. */
function isIndexHead(head: Uint8Array): boolean {
  return head[0] === 0 && head[1] === 0 && (head[2] ?? 0) < 32 && head[3] === 0x08 && head[5] === 0x1a;
}

/** The first entry of a version 1 file: an empty key, and a list of variables as the first field of its value. */
function isVersion1Head(head: Uint8Array): boolean {
  return head[0] === 0 && head[1] === 0 && (head[2] ?? 0) >= 0x80 && (head[4] === 0x0a || head[5] === 0x0a);
}

/** @throws {CheckpointError} for a file of the format before 2016, in which the bytes lie in the table. */
function refuseVersion1(index: ByteSource): void {
  const head = index.slice(0, Math.min(64, index.size));
  if (!isTable(index) || !isVersion1Head(head)) return;
  throw new CheckpointError({
    where: index.name,
    expected: "a TensorFlow V2 checkpoint (PREFIX.index and PREFIX.data-00000-of-00001)",
    got: verbatim("a V1 checkpoint in one file"),
    hint: "Restore it with TensorFlow and save it again with tf.compat.v1.train.Saver, which writes V2 files.",
  });
}

/** The data files that variables lie in, by number. */
async function openData(files: ModelFiles, path: string, bundle: Bundle): Promise<Map<number, ByteSource>> {
  const prefix = path.endsWith(INDEX) ? path.slice(0, -INDEX.length) : path;
  const sources = new Map<number, ByteSource>();
  for (const [shard, file] of dataFiles(bundle, prefix)) {
    if (!files.paths.includes(file)) throw noSuchFile(files.name, file, files.paths);
    sources.set(shard, await files.open(file));
  }
  return sources;
}

function entriesOf({ variables }: Bundle): BundleEntry[] {
  return [...variables.values()].flatMap(({ pieces }) => pieces);
}

/** @throws {CheckpointError} when tensors leave their file or share bytes. */
function expectNoOverlap(bundle: Bundle, data: ReadonlyMap<number, ByteSource>): void {
  const entries = entriesOf(bundle).filter(({ size }) => size > 0);
  entries.sort((a, b) => a.shard - b.shard || a.offset - b.offset);
  let shard = -1;
  let end = 0;
  for (const entry of entries) {
    const source = data.get(entry.shard) as ByteSource;
    if (entry.shard !== shard) [shard, end] = [entry.shard, 0];
    if (entry.offset < end) {
      throw damaged(source.name, entry.offset, `the next tensor at ${end} or later`, `${entry.offset}`);
    }
    end = entry.offset + entry.size;
    if (end > source.size) throw damaged(source.name, entry.offset, `${entry.size} bytes`, `the end at ${source.size}`);
  }
}

function notesOn({ skipped }: Bundle): string[] {
  return [...skipped].map(([name, dtype]) => `${name} was left out: ${dtype} is no dtype of weights`);
}

function lazyVariables(bundle: Bundle, data: ReadonlyMap<number, ByteSource>): Map<string, LazyTensor> {
  const tensors = new Map<string, LazyTensor>();
  for (const [name, variable] of bundle.variables) {
    const { dtype, shape } = variable;
    tensors.set(name, { dtype, shape, read: () => readVariable(name, variable, data) });
  }
  return tensors;
}

function readVariable(
  name: string,
  { dtype, shape, axis, pieces }: BundleVariable,
  data: ReadonlyMap<number, ByteSource>,
): HostTensor {
  const read = (piece: BundleEntry) => readPiece(name, piece, data.get(piece.shard) as ByteSource);
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return tensorFromBytes(dtype, shape, read(first));
  const whole = new Uint8Array(elementCount(shape) * bytesPerElement(dtype));
  const rows = elementCount(shape.slice(0, axis));
  const stride = whole.length / rows;
  let at = 0;
  for (const piece of pieces) {
    const bytes = read(piece);
    const width = bytes.length / rows;
    // A tensor without elements may have rows without end.
    for (let row = 0; width > 0 && row < rows; row++)
      whole.set(bytes.subarray(row * width, (row + 1) * width), row * stride + at);
    at += width;
  }
  return tensorFromBytes(dtype, shape, whole);
}

function readPiece(name: string, { offset, size, crc }: BundleEntry, source: ByteSource): Uint8Array {
  const bytes = source.slice(offset, offset + size);
  if (maskCrc32c(crc32c(bytes)) === crc) return bytes;
  throw damaged(source.name, offset, `the bytes of "${name}" with their checksum`, "other bytes");
}

/** The data first, as its checksums go into the index; the file that names the newest checkpoint last. */
function* writeCheckpoint(tensors: LazyTensors): ReturnType<NonNullable<CheckpointFormat["write"]>> {
  const zero = lazyTensor(hostTensor("int64", [], BigInt64Array.of(0n)));
  const named = tensors.has(GLOBAL_STEP) ? tensors : new Map([...tensors, [GLOBAL_STEP, zero]]);
  const sorted = [...named]
    .map(([name, tensor]) => ({ key: toKey(name), tensor }))
    .sort((a, b) => compareBytes(a.key, b.key));
  const crcs: number[] = [];
  const data = function* () {
    for (const [i, { tensor }] of sorted.entries()) {
      const bytes = tensorBytes(tensor.read());
      crcs[i] = maskCrc32c(crc32c(bytes));
      yield bytes;
    }
  };
  yield { path: `${PREFIX}.data-00000-of-00001`, chunks: data() };
  yield { path: PREFIX + INDEX, chunks: writeIndex(sorted, crcs) };
  const newest = `model_checkpoint_path: "${PREFIX}"\nall_model_checkpoint_paths: "${PREFIX}"\n`;
  yield { path: "checkpoint", chunks: [new TextEncoder().encode(newest)] };
}

function toKey(name: string): Uint8Array {
  if (name === "" || name.startsWith("\0") || /\p{Surrogate}/u.test(name)) {
    throw new CheckpointError({ where: "tensorflow", expected: "a name that variables can have", got: name });
  }
  return new TextEncoder().encode(name);
}

function* writeIndex(sorted: readonly { key: Uint8Array; tensor: LazyTensor }[], crcs: readonly number[]) {
  const header = create(BundleHeaderProtoSchema, { numShards: 1, version: { producer: BUNDLE_VERSION } });
  const entries: TableEntry[] = [{ key: new Uint8Array(0), value: toBinary(BundleHeaderProtoSchema, header) }];
  let offset = 0;
  for (const [i, { key, tensor }] of sorted.entries()) {
    const size = elementCount(tensor.shape) * bytesPerElement(tensor.dtype);
    const entry = create(BundleEntryProtoSchema, {
      dtype: numberOfDtype(tensor.dtype),
      shape: { dim: tensor.shape.map((axis) => ({ size: BigInt(axis) })) },
      offset: BigInt(offset),
      size: BigInt(size),
      crc32c: crcs[i] as number,
    });
    entries.push({ key, value: toBinary(BundleEntryProtoSchema, entry) });
    offset += size;
  }
  yield* writeTable(entries);
}
