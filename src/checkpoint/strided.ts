/** Tensors whose elements do not lie row by row: transposed weights of old PyTorch files, Fortran's order of NumPy. */
import { bytesPerElement, type DType, elementCount, type HostTensor, tensorFromBytes, zeros } from "../util/tensor.ts";
import type { ByteSource } from "./source.ts";

/** Where the elements of a tensor lie in a source. */
export interface Layout {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of each axis, in elements; not negative. */
  readonly strides: readonly number[];
  /** Of the first element, in elements. */
  readonly offset: number;
}

/** The strides of a shape whose last axis lies closest. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(1, shape[axis] as number);
  }
  return strides;
}

/** Elements from the first to beyond the last; 0 for an empty tensor. */
export function spanOf({ shape, strides }: Layout): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((span, size, axis) => span + (size - 1) * (strides[axis] as number), 1);
}

/**
 * Reads a tensor row-major: a view of the source where it lies so, else a copy.
 * @throws {CheckpointError} when its elements are not all in the source.
 */
export function readLayout(source: ByteSource, layout: Layout): HostTensor {
  const { dtype, shape, strides, offset } = layout;
  const width = bytesPerElement(dtype);
  const span = spanOf(layout);
  const bytes = source.slice(offset * width, (offset + span) * width);
  const expected = rowMajorStrides(shape);
  const isRowMajor = shape.every((size, axis) => size <= 1 || strides[axis] === expected[axis]);
  if (isRowMajor || span === 0) return tensorFromBytes(dtype, shape, bytes);
  const from = tensorFromBytes(dtype, [span], bytes).data as Float32Array;
  const tensor = zeros(dtype, shape);
  gather(from, tensor.data as Float32Array, shape, strides);
  return tensor;
}

/** Rows that are gathered together: a cache line holds as many float32. */
const BLOCK = 16;

/** Copies element by element; the typed arrays are of one type, whichever it is. */
function gather(from: Float32Array, to: Float32Array, shape: readonly number[], strides: readonly number[]): void {
  const columns = shape.at(-1) as number;
  const columnStride = strides.at(-1) as number;
  const starts = rowStarts(shape.slice(0, -1), strides);
  // In blocks of rows: where a column lies together, the lines of memory that one row touches serve the next ones too.
  for (let row = 0; row < starts.length; row += BLOCK) {
    const end = Math.min(starts.length, row + BLOCK);
    for (let column = 0; column < columns; column++) {
      const at = column * columnStride;
      for (let r = row; r < end; r++) to[r * columns + column] = from[(starts[r] as number) + at] as number;
    }
  }
}

/** Where each row begins, in the order of the rows. */
function rowStarts(outer: readonly number[], strides: readonly number[]): Float64Array {
  const starts = new Float64Array(elementCount(outer));
  let filled = 1;
  for (const [axis, size] of outer.entries()) {
    // From the end, so that a start is read before it is overwritten.
    for (let i = filled - 1; i >= 0; i--) {
      const start = starts[i] as number;
      for (let k = size - 1; k >= 0; k--) starts[i * size + k] = start + k * (strides[axis] as number);
    }
    filled *= size;
  }
  return starts;
}
