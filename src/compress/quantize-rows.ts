/** Matrices as integers: one scale for each row, which is an output of a linear layer or a token of the embeddings. */
import { type HostTensor, hostTensor } from "../util/tensor.ts";

/** A matrix as integers times a scale for each row. */
export interface QuantizedRows {
  /** int8 [rows, columns]. */
  readonly values: HostTensor<"int8">;
  /** float32 [rows, 1]; positive. */
  readonly scale: HostTensor<"float32">;
}

/** The largest integer of 8 bits, and of 7: sums of two products with uint8 then stay within 16 bits. */
export const LARGEST_LEVEL = 127;
export const REDUCED_LEVEL = 63;

/**
 * The integers nearest to a matrix, around 0.
 * @param matrix - float32 [rows, columns].
 * @param options.largest - the integer that the largest value of a row becomes; 127.
 * @param options.leastScale - no row's scale is smaller; the value for each row.
 */
export function quantizeRows(
  { shape, data }: HostTensor<"float32">,
  options: { readonly largest?: number; readonly leastScale?: (row: number) => number } = {},
): QuantizedRows {
  const { largest = LARGEST_LEVEL, leastScale = () => 0 } = options;
  const [rows, columns] = shape as readonly [number, number];
  const values = new Int8Array(data.length);
  const scale = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * columns, (row + 1) * columns];
    let reach = 0;
    for (let at = start; at < end; at++) reach = Math.max(reach, Math.abs(data[at] as number));
    // A row of zeros has any scale. Rounded to float32 before it is divided by, as it is stored.
    const step = Math.fround(Math.max(reach / largest, leastScale(row))) || 1;
    scale[row] = step;
    for (let at = start; at < end; at++) {
      const level = Math.round((data[at] as number) / step);
      values[at] = Math.max(-largest, Math.min(largest, level));
    }
  }
  return { values: hostTensor("int8", shape, values), scale: hostTensor("float32", [rows, 1], scale) };
}
