/** float16 and bfloat16, kept as 16 bits each, to float32: exact, since every half-precision value is a float32 too. */
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
