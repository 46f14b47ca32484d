/**
 * Token ids of documents as Megatron-LM and PaddleNLP store them: all ids one after the other in one file, and an index with the
 * length of each sentence and the sentences of each document.
 *
 * Sources: megatron/core/datasets/indexed_dataset.py (.bin, .idx); create_pretraining_data.py of PaddleNLP's ernie-1.0 (_ids.npy, _idx.npz).
 */
import type { LazyTensors } from "../checkpoint/format.ts";
import { npyHeaderOf, readNpyHeader } from "../checkpoint/formats/numpy.ts";
import { type ByteSource, damaged } from "../checkpoint/source.ts";
import { zipChunks } from "../checkpoint/zip-writer.ts";

/** Sentences and documents of a file of ids. */
export interface IdIndex {
  /** int32 [sentences]; tokens of each. */
  readonly lengths: Int32Array;
  /** float64 [documents + 1]; the number of sentences before each document, and of all; ascending. */
  readonly documents: Float64Array;
}

/** Ids that are read by range. */
export interface IdSource {
  readonly name: string;
  readonly count: number;
  /** int32 [end - begin]. @throws {CheckpointError} when an id is negative or beyond 2^31. */
  slice(begin: number, end: number): Int32Array;
}

/** Little-endian integers of a file. */
type IntegerType = "uint8" | "int8" | "int16" | "uint16" | "int32" | "uint32" | "int64";

const WIDTHS: Readonly<Record<IntegerType, 1 | 2 | 4 | 8>> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
};

/** Ids of a vocabulary of fewer entries take two bytes. */
const UINT16_IDS = 65_535;
/** The same in Megatron-LM, which leaves some room. */
const MEGATRON_UINT16_IDS = 65_500;

/** The type of ids: two bytes where the vocabulary lets them. */
export function idType(layout: "megatron" | "paddlenlp", vocabSize: number): "uint16" | "int32" {
  return vocabSize < (layout === "megatron" ? MEGATRON_UINT16_IDS : UINT16_IDS) ? "uint16" : "int32";
}

/** The bytes of ids. */
export function encodeIds(ids: Int32Array, type: "uint16" | "int32"): Uint8Array {
  const values = type === "uint16" ? Uint16Array.from(ids) : ids;
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function idSource(source: ByteSource, start: number, type: IntegerType): IdSource {
  const width = WIDTHS[type];
  const count = (source.size - start) / width;
  if (!Number.isInteger(count))
    throw damaged(source.name, start, `ids of ${width} bytes`, `${source.size - start} bytes`);
  const slice = (begin: number, end: number): Int32Array => {
    const bytes = source.slice(start + begin * width, start + end * width);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Int32Array.from({ length: end - begin }, (_, i) => {
      const id = readInteger(view, i * width, type);
      if (id >= 0 && id <= 0x7fffffff) return id;
      throw damaged(source.name, start + (begin + i) * width, "an id from 0 to 2^31 - 1", `${id}`);
    });
  };
  return { name: source.name, count, slice };
}

function readInteger(view: DataView, at: number, type: IntegerType): number {
  switch (type) {
    case "uint8":
      return view.getUint8(at);
    case "int8":
      return view.getInt8(at);
    case "int16":
      return view.getInt16(at, true);
    case "uint16":
      return view.getUint16(at, true);
    case "int32":
      return view.getInt32(at, true);
    case "uint32":
      return view.getUint32(at, true);
    case "int64":
      return Number(view.getBigInt64(at, true));
  }
}

/** "MMIDIDX" and two zeros. */
const MEGATRON_MAGIC = [0x4d, 0x4d, 0x49, 0x44, 0x49, 0x44, 0x58, 0, 0];
const MEGATRON_HEADER_BYTES = 34;
/** The codes of integers in an .idx; those of floats are no ids. */
const MEGATRON_TYPES: Readonly<Record<number, IntegerType>> = {
  1: "uint8",
  2: "int8",
  3: "int16",
  4: "int32",
  5: "int64",
  8: "uint16",
};

/**
 * The ids and the index of a pair of files of Megatron-LM.
 * @throws {CheckpointError} when the index is damaged, or does not account for all of the ids.
 */
export function openMegatron(bin: ByteSource, idx: ByteSource): { ids: IdSource; index: IdIndex } {
  const head = idx.slice(0, Math.min(MEGATRON_HEADER_BYTES, idx.size));
  if (head.length < MEGATRON_HEADER_BYTES || MEGATRON_MAGIC.some((byte, i) => head[i] !== byte)) {
    throw damaged(idx.name, 0, "the beginning of an .idx file of Megatron-LM", "other bytes");
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const version = view.getBigUint64(9, true);
  if (version !== 1n) throw damaged(idx.name, 9, "version 1", `${version}`);
  const code = view.getUint8(17);
  const type = MEGATRON_TYPES[code];
  if (type === undefined) throw damaged(idx.name, 17, "a type of integers", `type ${code}`);
  const [sentences, documents] = [Number(view.getBigUint64(18, true)), Number(view.getBigUint64(26, true))];
  const needed = MEGATRON_HEADER_BYTES + 12 * sentences + 8 * documents;
  if (needed !== idx.size) throw damaged(idx.name, 18, `${needed} bytes, as the counts say`, `${idx.size}`);
  const ids = idSource(bin, 0, type);
  const lengths = integersAt(idx, MEGATRON_HEADER_BYTES, sentences, "int32");
  const pointers = integersAt(idx, MEGATRON_HEADER_BYTES + 4 * sentences, sentences, "int64");
  let at = 0;
  for (let i = 0; i < sentences; i++) {
    if (pointers[i] !== at * WIDTHS[type]) {
      const offset = MEGATRON_HEADER_BYTES + 4 * sentences + 8 * i;
      throw damaged(idx.name, offset, `sentence ${i} at byte ${at * WIDTHS[type]}`, `${pointers[i]}`);
    }
    at += lengths[i] as number;
  }
  const ends = integersAt(idx, MEGATRON_HEADER_BYTES + 12 * sentences, documents, "int64");
  return { ids, index: checkIndex({ lengths: Int32Array.from(lengths), documents: ends }, ids, idx.name) };
}

function integersAt(source: ByteSource, start: number, count: number, type: IntegerType): Float64Array {
  const bytes = source.slice(start, start + count * WIDTHS[type]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: count }, (_, i) => readInteger(view, i * WIDTHS[type], type));
}

/** NumPy's names of the types that ids have. */
const NUMPY_TYPES: Readonly<Record<string, IntegerType>> = {
  "<u2": "uint16",
  "<i2": "int16",
  "<i4": "int32",
  "<u4": "uint32",
  "<i8": "int64",
};

/**
 * The ids and the index of a pair of files of PaddleNLP.
 * @param arrays - of the _idx.npz: `lens`, int32 [sentences], and `docs`, int64 [documents + 1].
 * @throws {CheckpointError} when a file is damaged, or the index does not account for all of the ids.
 */
export function openPaddle(npy: ByteSource, arrays: LazyTensors, where: string): { ids: IdSource; index: IdIndex } {
  const { description, shape, dataStart } = readNpyHeader(npy);
  const type = NUMPY_TYPES[description];
  if (type === undefined || shape.length !== 1) {
    throw damaged(npy.name, 10, "one axis of integers", `${description} ${JSON.stringify(shape)}`);
  }
  const ids = idSource(npy, dataStart, type);
  if (ids.count !== shape[0]) throw damaged(npy.name, dataStart, `${shape[0]} ids`, `${ids.count}`);
  const list = (name: string): Float64Array => {
    const tensor = arrays.get(name);
    if (tensor?.shape.length !== 1 || !/^int(32|64)$/.test(tensor.dtype)) {
      throw damaged(where, 0, `an array ${name} of integers with one axis`, tensor?.dtype ?? "none");
    }
    return Float64Array.from(tensor.read().data as ArrayLike<number | bigint>, Number);
  };
  const lengths = list("lens");
  if (lengths.some((length) => length > 0x7fffffff)) throw damaged(where, 0, "lengths below 2^31", "others");
  return { ids, index: checkIndex({ lengths: Int32Array.from(lengths), documents: list("docs") }, ids, where) };
}

/** The index, when it parts all ids into documents in order. */
function checkIndex({ lengths, documents }: IdIndex, ids: IdSource, where: string): IdIndex {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  if (lengths.some((length) => length < 0) || tokens !== ids.count) {
    throw damaged(where, 0, `sentences of ${ids.count} tokens together, as ${ids.name} has`, `${tokens}`);
  }
  const isAscending = documents.every((end, i) => end >= (i === 0 ? 0 : (documents[i - 1] as number)));
  if (documents[0] !== 0 || !isAscending || documents.at(-1) !== lengths.length) {
    throw damaged(where, 0, `documents from sentence 0 to ${lengths.length}`, `${documents[0]} to ${documents.at(-1)}`);
  }
  return { lengths, documents };
}

/** The ids of each document's sentences, in order; sentences and documents without tokens are left out. */
export function* idDocuments(ids: IdSource, { lengths, documents }: IdIndex): Generator<Int32Array[]> {
  let at = 0;
  for (let i = 1; i < documents.length; i++) {
    const sentences: Int32Array[] = [];
    for (let k = documents[i - 1] as number; k < (documents[i] as number); k++) {
      const length = lengths[k] as number;
      if (length > 0) sentences.push(ids.slice(at, at + length));
      at += length;
    }
    if (sentences.length > 0) yield sentences;
  }
}

/** The .idx of Megatron-LM, in chunks. */
export function* megatronIndex({ lengths, documents }: IdIndex, type: "uint16" | "int32"): Generator<Uint8Array> {
  const head = new Uint8Array(MEGATRON_HEADER_BYTES);
  const view = new DataView(head.buffer);
  head.set(MEGATRON_MAGIC);
  view.setBigUint64(9, 1n, true);
  view.setUint8(17, type === "uint16" ? 8 : 4);
  view.setBigUint64(18, BigInt(lengths.length), true);
  view.setBigUint64(26, BigInt(documents.length), true);
  yield head;
  yield encodeIds(lengths, "int32");
  let at = 0;
  const pointers = Float64Array.from(lengths, (length) => {
    const pointer = at;
    at += length * WIDTHS[type];
    return pointer;
  });
  yield int64Bytes(pointers);
  yield int64Bytes(documents);
}

/** The header of PaddleNLP's _ids.npy; as long for any count. */
export function paddleIdsHeader(count: number, type: "uint16" | "int32"): Uint8Array {
  return npyHeaderOf(type === "uint16" ? "<u2" : "<i4", [count]);
}

/** PaddleNLP's _idx.npz, in chunks. */
export function paddleIndex({ lengths, documents }: IdIndex): Iterable<Uint8Array> {
  const array = (description: string, count: number, bytes: Uint8Array): Uint8Array => {
    const header = npyHeaderOf(description, [count]);
    const file = new Uint8Array(header.length + bytes.length);
    file.set(header);
    file.set(bytes, header.length);
    return file;
  };
  return zipChunks([
    { path: "lens.npy", read: () => array("<i4", lengths.length, encodeIds(lengths, "int32")) },
    { path: "docs.npy", read: () => array("<i8", documents.length, int64Bytes(documents)) },
  ]);
}

function int64Bytes(values: Float64Array): Uint8Array {
  const integers = BigInt64Array.from(values, BigInt);
  return new Uint8Array(integers.buffer);
}
