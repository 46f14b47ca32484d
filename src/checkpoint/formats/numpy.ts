/**
 * NumPy's arrays: .npy files, and .npz archives of them, whose names are the tensors'.
 *
 * Pickled objects in them are never loaded. Source: NEP 1 and numpy/lib/_format_impl.py.
 */
import { CheckpointError, verbatim } from "../../errors.ts";
import { crc32 } from "../../util/crc32.ts";
import { bytesPerElement, type DType, elementCount } from "../../util/tensor.ts";
import type { CheckpointFormat, LazyTensor } from "../format.ts";
import { type ByteSource, bytesSource, damaged } from "../source.ts";
import { readLayout, rowMajorStrides } from "../strided.ts";
import { isZip, readZip, storedEntry, type ZipEntry } from "../zip.ts";
import { inflateToMemory } from "../zip-files.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** NumPy pads its headers so that the data begin at a multiple of this. */
const ALIGNMENT = 64;
/** The usual size of a header here; room for a row count of 15 digits beside a second axis. */
const HEADER_BYTES = 128;
/** NumPy itself reads no longer ones unless it is told to. */
const MAX_HEADER_BYTES = 10_000;
/** NumPy's own limit. */
const MAX_RANK = 64;
/** Weights hardly pack; an archive whose arrays are inflated to more than this times its size is no honest one. */
const MAX_RATIO = 20;
/** Up to here arrays may be inflated from anything: zeros do pack. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

/** The names of dtypes in .npy; NumPy has none for bfloat16. */
const DESCRIPTIONS: Readonly<Partial<Record<DType, string>>> = {
  float64: "<f8",
  float32: "<f4",
  float16: "<f2",
  int64: "<i8",
  int32: "<i4",
  int8: "|i1",
  uint8: "|u1",
  bool: "|b1",
};
/** By kind and width, without the byte order. */
const DTYPES = new Map(Object.entries(DESCRIPTIONS).map(([dtype, name]) => [name.slice(1), dtype as DType]));

const format: CheckpointFormat = {
  name: "numpy",
  title: "NumPy",
  // A .npy among the files of a model holds somebody's vectors; alone it is known by its beginning.
  fileNames: [/\.npz$/],
  recognizes: (head) => MAGIC.every((byte, i) => head[i] === byte),
  async open(files, path) {
    const source = await files.open(path);
    const tensors = new Map<string, LazyTensor>();
    const notes: string[] = [];
    const add = (name: string, array: ByteSource, check: () => void) => {
      const header = readNpyHeader(array);
      const tensor = lazyArray(array, header, check);
      if (tensor === undefined) notes.push(`${name} was left out: ${header.description} is no dtype of weights`);
      else tensors.set(name, tensor);
    };
    if (!isZip(source.slice(0, Math.min(4, source.size)))) add(arrayName(path), source, () => undefined);
    else {
      const entries = readZip(source);
      expectPlausible(source, entries);
      for (const entry of entries) {
        if (!entry.path.endsWith(".npy")) notes.push(`${entry.path} was left out: it is no array`);
        else add(entry.path.slice(0, -4), ...(await openEntry(source, entry)));
      }
    }
    return { format: "numpy", tensors, metadata: {}, notes };
  },
};
export default format;

function arrayName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.npy$/, "");
}

/** @throws {CheckpointError} when the deflated arrays, which are all inflated to memory, would take more than is plausible. */
function expectPlausible(source: ByteSource, entries: readonly ZipEntry[]): void {
  const bytes = entries.reduce((sum, { size, method }) => sum + (method === "deflated" ? size : 0), 0);
  const limit = Math.max(HARMLESS_BYTES, source.size * MAX_RATIO);
  if (bytes > limit) throw damaged(source.name, 0, `arrays of at most ${limit} bytes when inflated`, `${bytes}`);
}

/** An entry of an archive and the check of its checksum: an inflated one has been checked already. */
async function openEntry(source: ByteSource, entry: ZipEntry): Promise<[ByteSource, () => void]> {
  const stored = storedEntry(source, entry);
  const { size, crc32: checksum } = entry;
  if (entry.method === "deflated") {
    const array = await inflateToMemory({ name: stored.name, size, compressed: stored, crc32: checksum });
    return [array, () => undefined];
  }
  const check = () => {
    if (crc32(stored.slice(0, stored.size)) === checksum) return;
    throw damaged(stored.name, 0, "bytes with the checksum that the archive gives them", "others");
  };
  return [stored, check];
}

/** What the header of an array says. */
export interface NpyHeader {
  /** As NumPy writes dtypes: `<f4`. */
  readonly description: string;
  readonly shape: readonly number[];
  readonly isColumnMajor: boolean;
  /** Of the first element, in bytes. */
  readonly dataStart: number;
}

/** The array, or undefined when its dtype is none of tensors here. */
function lazyArray(source: ByteSource, header: NpyHeader, check: () => void): LazyTensor | undefined {
  const { description, shape, isColumnMajor, dataStart } = header;
  const dtype = DTYPES.get(description.slice(1));
  if (dtype === undefined || !/^[<>=|]/.test(description)) return undefined;
  const width = bytesPerElement(dtype);
  const needed = elementCount(shape) * width;
  if (source.size - dataStart !== needed) {
    throw damaged(source.name, dataStart, `${needed} bytes of elements`, `${source.size - dataStart}`);
  }
  const strides = isColumnMajor ? rowMajorStrides(shape.toReversed()).reverse() : rowMajorStrides(shape);
  const read = () => {
    check();
    const stored = source.slice(dataStart, source.size);
    const bytes = description.startsWith(">") ? swapped(stored, width) : stored;
    return readLayout(bytesSource(source.name, bytes), { dtype, shape, strides, offset: 0 });
  };
  return { dtype, shape, read };
}

/** A copy with the bytes of each element in the other order. */
function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < copy.length; i += width) copy.subarray(i, i + width).reverse();
  return copy;
}

/** Reads the header of a .npy file, of whatever dtype. @throws {CheckpointError} when it is damaged or of another format. */
export function readNpyHeader(source: ByteSource): NpyHeader {
  const head = source.slice(0, Math.min(12, source.size));
  const version = head[6] ?? 0;
  if (!format.recognizes(head) || version < 1 || version > 3 || head.length < 12) {
    throw damaged(source.name, 0, "the beginning of a .npy file of version 1 to 3", "other bytes");
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const [start, length] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const limit = Math.min(MAX_HEADER_BYTES, source.size - start);
  if (length > limit) throw damaged(source.name, 8, `a header of at most ${limit} bytes`, `${length}`);
  const text = String.fromCharCode(...source.slice(start, start + length));
  return { ...parseHeader(text, source.name, start), dataStart: start + length };
}

/** A key of the header and its value: a text, a truth value, a tuple of integers, or the fields of a record. */
const FIELD = /\s*'(\w+)'\s*:\s*('[^'\\]*'|True|False|\([\d\sL,]*\)|\[[^{}]*\])\s*(?:,|(?=\}))\s*/y;

/** Reads the header, a literal of a Python dict with three keys, without evaluating anything. */
function parseHeader(text: string, file: string, offset: number): Omit<NpyHeader, "dataStart"> {
  const fields = new Map<string, string>();
  FIELD.lastIndex = 1;
  for (let match = FIELD.exec(text); match !== null; match = FIELD.exec(text)) {
    const [, key = "", value = ""] = match;
    if (fields.has(key)) throw damaged(file, offset, `the key "${key}" once`, "twice");
    fields.set(key, value);
    if (text[FIELD.lastIndex] !== "}") continue;
    if (!text.startsWith("{") || text.slice(FIELD.lastIndex + 1).trim() !== "") break;
    return checkFields(fields, file, offset);
  }
  throw damaged(file, offset, "a dict of descr, fortran_order and shape", JSON.stringify(text));
}

function checkFields(fields: ReadonlyMap<string, string>, file: string, offset: number): Omit<NpyHeader, "dataStart"> {
  const [descr = "", order = "", sizes = ""] = ["descr", "fortran_order", "shape"].map((key) => fields.get(key));
  const isSound =
    fields.size === 3 && /^['[]/.test(descr) && /^[TF]/.test(order) && /^\((\d+L?, *)*(\d+L?)?\)$/.test(sizes);
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  if (!isSound || shape.length > MAX_RANK || !shape.every(Number.isSafeInteger)) {
    throw damaged(file, offset, "descr, fortran_order and a shape", JSON.stringify([descr, order, sizes]));
  }
  const description = descr.startsWith("'") ? descr.slice(1, -1) : "a record";
  return { description, shape, isColumnMajor: order === "True" };
}

/**
 * The header of a .npy file of version 1.0, after which the elements follow, row-major and little-endian.
 *
 * It is 128 bytes long unless the shape needs more, so that a number of rows that is known only after the last can
 * be put in by writing the header again.
 * @throws {CheckpointError} when NumPy has no such dtype (bfloat16).
 */
export function npyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  const description = DESCRIPTIONS[dtype];
  if (description === undefined) {
    throw new CheckpointError({
      where: "npy",
      expected: `a dtype among ${Object.keys(DESCRIPTIONS).join(", ")}`,
      got: verbatim(dtype),
      hint: "NumPy has no bfloat16: write float32, or another format.",
    });
  }
  return npyHeaderOf(description, shape);
}

/** The same for a dtype by NumPy's own name, such as `<u2`. */
export function npyHeaderOf(description: string, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const prefix = MAGIC.length + 4;
  const length = Math.max(HEADER_BYTES, Math.ceil((prefix + text.length + 1) / ALIGNMENT) * ALIGNMENT);
  const header = new Uint8Array(length).fill(0x20);
  header.set([...MAGIC, 1, 0]);
  new DataView(header.buffer).setUint16(MAGIC.length + 2, length - prefix, true);
  header.set(new TextEncoder().encode(text), prefix);
  header[length - 1] = 0x0a;
  return header;
}
