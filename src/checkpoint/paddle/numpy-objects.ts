/**
 * NumPy's arrays in pickles: their bytes stay in the file until they are read. In protocol 2 they are a text of the
 * characters 0 to 255 that `_codecs.encode` turns to bytes. Source: numpy/_core/src/multiarray/methods.c (array_setstate).
 */
import { bytesPerElement, type DType, elementCount } from "../../util/tensor.ts";
import type { LazyTensor } from "../format.ts";
import { PickleBytes, PickleText } from "../pickle-opcodes.ts";
import { formatValue, type PickleFailure, PickleGlobal, type PickleList, type PickleRules } from "../pickle-values.ts";
import { type ByteSource, bytesSource, damaged, partOfSource } from "../source.ts";
import { orderedDict } from "../state-dict.ts";
import { readLayout, rowMajorStrides } from "../strided.ts";

const CONVERT = "Save it with NumPy or Paddle as little-endian float32, or leave it out.";
/** NumPy's own limit. */
const MAX_AXES = 64;

const dtypes: Readonly<Record<string, DType>> = {
  f8: "float64",
  f4: "float32",
  f2: "float16",
  i8: "int64",
  i4: "int32",
  i1: "int8",
  u1: "uint8",
  b1: "bool",
  // NumPy has no bfloat16: Paddle stores its bits as uint16, which is no type of Paddle's own tensors.
  u2: "bfloat16",
};

/** A dtype, complete when BUILD has given it its byte order. */
class NumpyDtype {
  order = "=";
  constructor(readonly code: string) {}
}

/** Bytes that stand in the pickle as a text. */
class TextBytes {
  constructor(readonly text: string | PickleText) {}
}

/** An array; `_reconstruct` makes it empty, BUILD gives it all. */
export class NumpyArray {
  dtype = new NumpyDtype("");
  shape: readonly number[] = [0];
  isFortran = false;
  data: PickleBytes | TextBytes = new TextBytes("");
  failure: PickleFailure | undefined;
}

const plain = () => null;

/** What Paddle's files of weights name. */
export const numpyRules: PickleRules = {
  globals: new Map<string, ((args: PickleList, failure: PickleFailure) => unknown) | null>([
    ["collections.OrderedDict", orderedDict],
    ["numpy.core.multiarray._reconstruct", reconstruct],
    ["numpy._core.multiarray._reconstruct", reconstruct],
    ["numpy.core.multiarray.scalar", plain],
    ["numpy._core.multiarray.scalar", plain],
    ["numpy.ndarray", null],
    ["numpy.dtype", makeDtype],
    ["_codecs.encode", encode],
    // Empty bytes in protocol 2, and (name, array) for a tensor that is saved by itself.
    ...["builtins.bytes", "__builtin__.bytes"].map((name) => [name, () => new TextBytes("")] as const),
    ...["builtins.tuple", "__builtin__.tuple"].map((name) => [name, ([items]: PickleList) => items] as const),
  ]),
  build(target, state, failure) {
    if (target instanceof NumpyDtype) return setDtypeState(target, state, failure);
    if (target instanceof NumpyArray) return setArrayState(target, state, failure);
    return target === null;
  },
};

function reconstruct([type]: PickleList, failure: PickleFailure): NumpyArray {
  if (type instanceof PickleGlobal && type.name === "numpy.ndarray") return new NumpyArray();
  throw failure("numpy.ndarray to be made", formatValue(type));
}

function makeDtype([code]: PickleList, failure: PickleFailure): NumpyDtype {
  if (typeof code === "string") return new NumpyDtype(code);
  throw failure("a dtype by its code", formatValue(code));
}

function encode([text, encoding]: PickleList, failure: PickleFailure): TextBytes {
  const isText = typeof text === "string" || text instanceof PickleText;
  if (isText && (encoding === "latin1" || encoding === "latin-1")) return new TextBytes(text);
  throw failure('a text and "latin1"', `${formatValue(text)} and ${formatValue(encoding)}`);
}

/** (version, byte order, subtype, names, fields, size, alignment, flags). */
function setDtypeState(dtype: NumpyDtype, state: unknown, failure: PickleFailure): true {
  const order = Array.isArray(state) ? state[1] : undefined;
  if (typeof order !== "string") throw failure("the state of a dtype, with its byte order", formatValue(state));
  dtype.order = order;
  return true;
}

/** (version, shape, dtype, Fortran order, bytes). */
function setArrayState(array: NumpyArray, state: unknown, failure: PickleFailure): true {
  const [, shape, dtype, isFortran, data] = Array.isArray(state) ? (state as PickleList) : [];
  const isShape =
    Array.isArray(shape) &&
    shape.length <= MAX_AXES &&
    shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0) &&
    Number.isSafeInteger(elementCount(shape as number[]));
  if (!isShape) throw failure(`a shape of at most ${MAX_AXES} sizes of 0 or more`, formatValue(shape));
  if (!(dtype instanceof NumpyDtype)) throw failure("the dtype of an array", formatValue(dtype));
  // Python 2 has bytes as texts.
  const bytes = typeof data === "string" ? new TextBytes(data) : data;
  if (!(bytes instanceof PickleBytes) && !(bytes instanceof TextBytes))
    throw failure("the bytes of an array", formatValue(data));
  array.shape = [...shape];
  array.dtype = dtype;
  array.isFortran = isFortran === true;
  array.data = bytes;
  array.failure = failure;
  return true;
}

/**
 * An array as a tensor that is read when it is asked for.
 * @throws {CheckpointError} when its dtype is unknown or its bytes do not fit its shape.
 */
export function numpyLazyTensor(name: string, array: NumpyArray, file: string): LazyTensor {
  const { shape, data, isFortran } = array;
  const failure = array.failure ?? ((expected, got) => damaged(file, 0, expected, got));
  const { code, order } = array.dtype;
  const dtype = Object.hasOwn(dtypes, code) ? dtypes[code] : undefined;
  if (dtype === undefined)
    throw failure(`array "${name}" of a dtype among ${Object.keys(dtypes).join(", ")}`, code, CONVERT);
  if (order === ">") throw failure(`array "${name}" of little-endian numbers`, "big-endian ones", CONVERT);
  const sizeBytes = elementCount(shape) * bytesPerElement(dtype);
  const [least, most] = lengthOf(data);
  if (sizeBytes < least || sizeBytes > most) {
    throw failure(`${sizeBytes} bytes of array "${name}"`, least === most ? `${least}` : `${least} to ${most}`);
  }
  const strides = isFortran ? rowMajorStrides([...shape].reverse()).reverse() : rowMajorStrides(shape);
  const read = () => readLayout(sourceOf(data, sizeBytes, file), { dtype, shape, strides, offset: 0 });
  return { dtype, shape, read };
}

/** The bytes there can be: a character of a text takes one or two. */
function lengthOf(data: PickleBytes | TextBytes): [least: number, most: number] {
  const range = data instanceof TextBytes ? data.text : data;
  if (typeof range === "string") return [range.length, range.length];
  const length = range.end - range.begin;
  return data instanceof TextBytes ? [Math.ceil(length / 2), length] : [length, length];
}

function sourceOf(data: PickleBytes | TextBytes, sizeBytes: number, file: string): ByteSource {
  if (data instanceof PickleBytes) return partOfSource(data.source, file, data.begin, data.end);
  const { text } = data;
  if (text instanceof PickleText) return bytesSource(file, decodeLatin1(text, sizeBytes));
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  if (text.split("").some((letter) => letter > "\u00ff"))
    throw damaged(file, 0, "characters up to 255 as bytes", "others");
  return bytesSource(file, bytes);
}

/** The characters of a text in UTF-8 as bytes of the same numbers; without branches, since weights look random to a CPU. */
function decodeLatin1({ source, begin, end }: PickleText, sizeBytes: number): Uint8Array {
  const text = source.slice(begin, end);
  const bytes = new Uint8Array(sizeBytes);
  let length = 0;
  let high = 0; // the upper two bits of a character, from the first of its two bytes
  let wasFirst = 0;
  let isBad = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    const isTwo = byte >> 7;
    const isFirst = isTwo & (byte >> 6);
    // What is written for a first byte is overwritten by its second.
    bytes[length] = high | (byte & 0x7f);
    length += 1 - isFirst;
    isBad |= (isTwo & ~isFirst) ^ wasFirst;
    isBad |= isFirst & Number((byte & 0xfe) !== 0xc2);
    high = ((byte & 3) << 6) & -isFirst;
    wasFirst = isFirst;
  }
  if (isBad === 0 && wasFirst === 0 && length === sizeBytes) return bytes;
  throw damaged(source.name, begin, `${sizeBytes} characters up to 255, as bytes of an array`, "others");
}
