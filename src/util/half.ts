/** float16 and bfloat16, kept as 16 bits each, to float32, which is exact, and from it, rounded to the nearest. */
import { ShapeError, verbatim } from "../errors.ts";
import { formatType, type HostTensor } from "./tensor.ts";

/**
 * A tensor as float32; a float32 tensor is returned as it is.
 * @param tensor - float32, float16, bfloat16 or float64 (rounded), any shape.
 * @returns float32, the same shape.
 * @throws {ShapeError} when the tensor holds integers.
 */
export function toFloat32(tensor: HostTensor): HostTensor<"float32"> {
  const { dtype, shape, data } = tensor;
  if (dtype === "float32") return tensor as HostTensor<"float32">;
  if (dtype === "float64") return { dtype: "float32", shape, data: Float32Array.from(data as Float64Array) };
  if (dtype === "bfloat16") return { dtype: "float32", shape, data: fromBfloat16(data as Uint16Array) };
  if (dtype === "float16") return { dtype: "float32", shape, data: fromFloat16(data as Uint16Array) };
  throw new ShapeError({
    where: "conversion to float32",
    expected: "a tensor of floating-point numbers",
    got: verbatim(formatType(dtype, shape)),
  });
}

/** bfloat16 is the upper half of a float32. */
function fromBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return new Float32Array(words.buffer);
}

/** float16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. Source: IEEE 754 binary16. */
function fromFloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  const values = new Float32Array(words.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) values[i] = (sign === 0 ? fraction : -fraction) * 2 ** -24;
    else words[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return values;
}

/** Half-precision bits of a tensor, and what did not survive the rounding. */
export interface Rounded<T extends "float16" | "bfloat16"> {
  readonly tensor: HostTensor<T>;
  /** Finite values beyond the largest of the new type, which became infinite. */
  readonly overflows: number;
}

/**
 * A tensor rounded to the nearest half-precision values, ties to even; infinities and NaN stay what they are.
 * @param tensor - float32, float64, float16 or bfloat16, any shape; one of the wanted dtype is returned as it is.
 * @throws {ShapeError} when the tensor holds integers.
 * Source: IEEE 754-2019, section 4.3.1 (roundTiesToEven).
 */
export function toHalf<T extends "float16" | "bfloat16">(tensor: HostTensor, dtype: T): Rounded<T> {
  if (tensor.dtype === dtype) return { tensor: tensor as HostTensor<T>, overflows: 0 };
  const { data } = tensor.dtype === "float64" ? roundToOdd(tensor as HostTensor<"float64">) : toFloat32(tensor);
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const bits = new Uint16Array(words.length);
  const overflows = dtype === "float16" ? roundToFloat16(words, data, bits) : roundToBfloat16(words, bits);
  return { tensor: { dtype, shape: tensor.shape, data: bits } as HostTensor<T>, overflows };
}

const FLOAT32_INFINITY = 0x7f800000;
/** The smallest normal float16, 2^-14, as float32. */
const SMALLEST_NORMAL = 0x38800000;
/** The largest finite float16, 65504, and half a step: what is not below rounds to infinity. */
const FLOAT16_LIMIT = 0x477ff000;
/** How much larger an exponent's bias is in float32 than in float16. */
const BIAS_DIFFERENCE = 0x38000000;
/** Doubles from here on have steps of 1, so that adding it rounds to whole numbers. */
const WHOLE_NUMBERS = 2 ** 52;

function roundToFloat16(words: Uint32Array, values: Float32Array, bits: Uint16Array): number {
  let overflows = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const sign = (word >>> 16) & 0x8000;
    const size = word & 0x7fffffff;
    if (size > FLOAT32_INFINITY) bits[i] = sign | 0x7e00 | ((size >>> 13) & 0x1ff);
    else if (size >= FLOAT16_LIMIT) {
      bits[i] = sign | 0x7c00;
      if (size < FLOAT32_INFINITY) overflows += 1;
    } else if (size >= SMALLEST_NORMAL) {
      bits[i] = sign | ((size - BIAS_DIFFERENCE + 0xfff + ((size >>> 13) & 1)) >>> 13);
    } else {
      bits[i] = sign | (Math.abs(values[i] as number) * 2 ** 24 + WHOLE_NUMBERS - WHOLE_NUMBERS);
    }
  }
  return overflows;
}

function roundToBfloat16(words: Uint32Array, bits: Uint16Array): number {
  let overflows = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const size = word & 0x7fffffff;
    if (size >= FLOAT32_INFINITY) bits[i] = (word >>> 16) | (size > FLOAT32_INFINITY ? 0x40 : 0);
    else {
      const rounded = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
      bits[i] = rounded;
      if ((rounded & 0x7fff) === 0x7f80) overflows += 1;
    }
  }
  return overflows;
}

/** float64 to float32 so that a second rounding errs no more than one would: cut, and the last bit set where bits were lost. */
function roundToOdd({ shape, data }: HostTensor<"float64">): HostTensor<"float32"> {
  const values = Float32Array.from(data);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < values.length; i++) {
    const [exact, near] = [data[i] as number, values[i] as number];
    if (exact === near || Number.isNaN(exact)) continue;
    // The float32 next to zero from here holds the bits that were cut.
    if (Math.abs(near) > Math.abs(exact)) words[i] = (words[i] as number) - 1;
    words[i] = (words[i] as number) | 1;
  }
  return { dtype: "float32", shape, data: values };
}
