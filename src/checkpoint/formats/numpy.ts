/** NumPy's .npy arrays. Source: NEP 1 and numpy/lib/format.py. */
import { CheckpointError, verbatim } from "../../errors.ts";
import type { DType } from "../../util/tensor.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** NumPy pads its headers so that the data begin at a multiple of this. */
const ALIGNMENT = 64;
/** The usual size of a header here; room for a row count of 15 digits beside a second axis. */
const HEADER_BYTES = 128;

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
