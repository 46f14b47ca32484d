/**
 * The keys under which the parts of a partitioned variable lie: a zero, the name, and the start and length along each
 * axis, in a code whose bytes sort as the numbers do.
 * Source: EncodeTensorNameSlice of saved_tensor_slice_util.cc; tensorflow/core/lib/strings/ordered_code.cc.
 */

/** A part of a tensor along one axis; no length where it takes the whole axis. */
export interface Extent {
  readonly start: number;
  readonly length: number | undefined;
}

/** The key of a part, as latin-1 text: one character for each byte. */
export function sliceKey(name: Uint8Array, extents: readonly Extent[]): string {
  const text = [...name].map((byte) => (byte === 0 ? "\0\xff" : byte === 0xff ? "\xff\0" : String.fromCharCode(byte)));
  const numbers = extents.map(({ start, length }) => signed(start) + signed(length ?? -1));
  return `\0${text.join("")}\0\x01${unsigned(extents.length)}${numbers.join("")}`;
}

/** How many bytes follow, then these, the highest first. */
function unsigned(value: number): string {
  return String.fromCharCode(...(value === 0 ? [0] : [1, value]));
}

/** As many ones at the front as bytes, then a zero and the number in two's complement. */
function signed(value: number): string {
  if (value < 0) return "\x7f"; // only -1 occurs: the whole axis
  let bytes = 1;
  while (value >= 2 ** (7 * bytes - 1)) bytes++;
  // From eight bytes on the ones reach the second byte; a length in the file is below 2^53 and never needs them.
  const header = (0xff00 >> bytes) & 0xff;
  const digits = Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) % 256);
  digits[0] = (digits[0] as number) ^ header;
  return String.fromCharCode(...digits);
}
