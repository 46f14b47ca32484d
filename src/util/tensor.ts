/** Tensors that hold numbers: dtype, shape and a typed array. (Symbolic tensors live in graph/.) */
import { ShapeError, verbatim } from "../errors.ts";

/** Element types that checkpoints and engines exchange. float16 and bfloat16 are kept as their 16 bits. */
export type DType = "float32" | "float64" | "float16" | "bfloat16" | "int64" | "int32" | "int8" | "uint8" | "bool";

/** The typed array that holds elements of a dtype. */
export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** A dense, row-major tensor in memory. */
export interface HostTensor<T extends DType = DType> {
  readonly dtype: T;
  readonly shape: readonly number[];
  readonly data: TypedArrays[T];
}

/** Weights and other named tensors, under Hugging Face's names. */
export type NamedTensors = Map<string, HostTensor>;

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Bytes that one element of `dtype` takes. */
export function bytesPerElement(dtype: DType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

/** The number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** A dtype and shape as messages show them: `float32[13, 7, 32]`. */
export function formatType(dtype: string, shape: readonly (number | string)[]): string {
  return `${dtype}[${shape.join(", ")}]`;
}

/** A tensor of zeros. */
export function zeros<T extends DType>(dtype: T, shape: readonly number[]): HostTensor<T> {
  return { dtype, shape, data: new constructors[dtype](elementCount(shape)) as TypedArrays[T] };
}

/**
 * A tensor over a typed array, which is not copied.
 * @throws {ShapeError} when the array's length is not the product of the shape.
 */
export function hostTensor<T extends DType>(dtype: T, shape: readonly number[], data: TypedArrays[T]): HostTensor<T> {
  if (data.length !== elementCount(shape)) {
    throw new ShapeError({
      where: "tensor",
      expected: `${elementCount(shape)} elements for ${formatType(dtype, shape)}`,
      got: verbatim(`${data.length}`),
    });
  }
  return { dtype, shape, data };
}

/**
 * A view of bytes as a tensor's typed array; copies only when the bytes are not aligned to the element size.
 * @throws {ShapeError} when the number of bytes does not fit.
 */
export function tensorFromBytes<T extends DType>(dtype: T, shape: readonly number[], bytes: Uint8Array): HostTensor<T> {
  const ArrayType = constructors[dtype];
  const aligned = bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  if (bytes.length !== elementCount(shape) * ArrayType.BYTES_PER_ELEMENT) {
    throw new ShapeError({
      where: "tensor",
      expected: `${elementCount(shape) * ArrayType.BYTES_PER_ELEMENT} bytes for ${formatType(dtype, shape)}`,
      got: verbatim(`${bytes.length}`),
    });
  }
  const data = new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, elementCount(shape));
  return { dtype, shape, data: data as TypedArrays[T] };
}

/** The bytes under a tensor, not copied. */
export function tensorBytes(tensor: HostTensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}
