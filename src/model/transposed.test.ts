import { expect, test } from "vitest";
import { lazyTensor } from "../checkpoint/format.ts";
import { Random } from "../util/random.ts";
import {
  bytesPerElement,
  type DType,
  elementCount,
  type HostTensor,
  tensorBytes,
  tensorFromBytes,
} from "../util/tensor.ts";
import { transposed } from "./transposed.ts";

const dtypes: DType[] = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool"];
/** Sizes below, at and beyond a tile. */
const shapes = [
  [1, 1],
  [1, 70],
  [70, 1],
  [32, 32],
  [33, 65],
  [100, 31],
  [0, 5],
  [2 ** 52, 0],
] as const;

/** Every bit at random: among the floats are infinities and NaNs with payloads. */
function randomBits(dtype: DType, shape: readonly number[]): HostTensor {
  const random = new Random(shape[0] as number);
  const bytes = Uint8Array.from({ length: elementCount(shape) * bytesPerElement(dtype) }, () => random.integer(256));
  return tensorFromBytes(dtype, shape, bytes);
}

function expectTransposed(from: HostTensor, to: HostTensor): void {
  const [rows, columns] = from.shape as [number, number];
  expect(to.shape).toEqual([columns, rows]);
  const size = bytesPerElement(from.dtype);
  const [a, b] = [tensorBytes(from), tensorBytes(to)];
  const expected = new Uint8Array(a.length);
  for (let i = 0; i < a.length; i++) {
    const [element, byte] = [Math.floor(i / size), i % size];
    const [row, column] = [Math.floor(element / columns), element % columns];
    expected[(column * rows + row) * size + byte] = a[i] as number;
  }
  expect(b).toEqual(expected);
}

test.each(dtypes)("the transpose of %s moves every bit", (dtype) => {
  for (const shape of shapes) {
    const matrix = randomBits(dtype, shape);
    const lazy = transposed(lazyTensor(matrix));
    expect(lazy.dtype).toBe(dtype);
    expect(lazy.shape).toEqual([shape[1], shape[0]]);
    expectTransposed(matrix, lazy.read());
  }
});

test("the transpose of a transpose is the matrix itself, and nothing is read before it is asked for", () => {
  const matrix = { dtype: "float32" as const, shape: [2, 3], read: () => expect.unreachable() };
  expect(transposed(transposed(matrix))).toBe(matrix);
});

test("what is no matrix has no transpose here", () => {
  const vector = lazyTensor(randomBits("float32", [3]));
  expect(() => transposed(vector)).toThrow("transpose: expected a matrix (two axes), got float32[3]");
});
