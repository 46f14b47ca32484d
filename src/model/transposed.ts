/** The transpose of a matrix that is read when it is asked for: Linear weights are [in, out] in some dialects. */

import type { LazyTensor } from "../checkpoint/format.ts";
import { ShapeError, verbatim } from "../errors.ts";
import {
  bytesPerElement,
  type DType,
  formatType,
  type HostTensor,
  tensorBytes,
  tensorFromBytes,
} from "../util/tensor.ts";

/** Rows and columns of a tile: 32 rows of 32 float32 take 4 KiB, so that reads and writes stay in the fastest cache. */
const TILE = 32;

class TransposedTensor implements LazyTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly source: LazyTensor;

  constructor(source: LazyTensor) {
    this.dtype = source.dtype;
    this.shape = [...source.shape].reverse();
    this.source = source;
  }

  read(): HostTensor {
    return transpose(this.source.read());
  }
}

/**
 * The transpose of a matrix as a lazy tensor; that of a transpose is the matrix itself.
 * @param matrix - any dtype [rows, columns].
 * @returns the same dtype [columns, rows].
 * @throws {ShapeError} when it has not two axes.
 */
export function transposed(matrix: LazyTensor): LazyTensor {
  if (matrix instanceof TransposedTensor) return matrix.source;
  expectMatrix(matrix);
  return new TransposedTensor(matrix);
}

function expectMatrix({ dtype, shape }: { dtype: DType; shape: readonly number[] }): void {
  if (shape.length === 2) return;
  throw new ShapeError({
    where: "transpose",
    expected: "a matrix (two axes)",
    got: verbatim(formatType(dtype, shape)),
  });
}

/** Moves raw elements, so that every bit (payloads of NaN too) stays as it is. */
function transpose(matrix: HostTensor): HostTensor {
  const { dtype, shape } = matrix;
  const [rows, columns] = shape as [number, number];
  const bytes = tensorBytes(matrix);
  const target = new Uint8Array(bytes.length);
  // A matrix without elements may have rows without end.
  if (bytes.length === 0) return tensorFromBytes(dtype, [columns, rows], target);
  const size = bytesPerElement(dtype);
  if (size === 1) moveElements(bytes, target, rows, columns);
  else if (size === 2) moveElements(words(Uint16Array, bytes), words(Uint16Array, target), rows, columns);
  else if (size === 4) moveElements(words(Uint32Array, bytes), words(Uint32Array, target), rows, columns);
  else movePairs(words(Uint32Array, bytes), words(Uint32Array, target), rows, columns);
  return tensorFromBytes(dtype, [columns, rows], target);
}

type Words = Uint8Array | Uint16Array | Uint32Array;

function words<T extends Words>(
  ArrayType: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
  bytes: Uint8Array,
): T {
  const { BYTES_PER_ELEMENT: size } = ArrayType as unknown as { BYTES_PER_ELEMENT: number };
  return new ArrayType(bytes.buffer, bytes.byteOffset, bytes.length / size);
}

function moveElements<T extends Words>(from: T, to: T, rows: number, columns: number): void {
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(left + TILE, columns);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) {
          to[column * rows + row] = from[row * columns + column] as number;
        }
      }
    }
  }
}

/** Elements of 8 bytes as two words each: 64-bit integers would be allocated one by one. */
function movePairs(from: Uint32Array, to: Uint32Array, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [source, target] = [2 * (row * columns + column), 2 * (column * rows + row)];
      to[target] = from[source] as number;
      to[target + 1] = from[source + 1] as number;
    }
  }
}
