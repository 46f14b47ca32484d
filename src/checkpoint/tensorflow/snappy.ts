/**
 * Unpacks Snappy blocks, which tables of checkpoints may be packed in.
 *
 * Every length and distance is checked before it is used; each element makes progress, so no input holds the reader up.
 * Source: format_description.txt of google/snappy.
 */

/** An element of three bytes copies 64 at most, so nothing sound unpacks to more than this times its size. */
const MAX_RATIO = 22;

/** Why a block cannot be unpacked, and where. */
class SnappyError extends Error {
  constructor(what: string, at: number) {
    super(`${what} at byte ${at} of a Snappy block`);
  }
}

/**
 * The content of a Snappy block.
 * @param maxBytes - content beyond this is refused before memory is set aside.
 * @throws {Error} saying what is wrong with the block.
 */
export function unpackSnappy(block: Uint8Array, maxBytes: number): Uint8Array {
  const [length, start] = contentLength(block);
  if (length > Math.min(maxBytes, block.length * MAX_RATIO)) throw new SnappyError(`a content of ${length} bytes`, 0);
  const content = new Uint8Array(length);
  let at = start;
  let filled = 0;
  while (at < block.length) {
    const tag = block[at] as number;
    const isLiteral = (tag & 3) === 0;
    const { size, distance, next } = isLiteral ? literal(block, at, tag) : copy(block, at, tag);
    if (filled + size > length) throw new SnappyError("more content than announced", at);
    if (isLiteral) {
      content.set(block.subarray(next - size, next), filled);
    } else {
      if (distance === 0 || distance > filled) throw new SnappyError(`a copy from ${distance} bytes back`, at);
      // A copy may reach into what it writes itself, to repeat it, so byte by byte.
      for (let i = filled; i < filled + size; i++) content[i] = content[i - distance] as number;
    }
    filled += size;
    at = next;
  }
  if (filled !== length) throw new SnappyError(`${filled} bytes instead of ${length}`, at);
  return content;
}

function contentLength(block: Uint8Array): [length: number, next: number] {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [length, i + 1];
  }
  throw new SnappyError("no length", 0);
}

interface Element {
  readonly size: number;
  /** How far back a copy begins; 0 for a literal. */
  readonly distance: number;
  /** Where the next element begins. */
  readonly next: number;
}

function literal(block: Uint8Array, at: number, tag: number): Element {
  const code = tag >>> 2;
  const sizeBytes = Math.max(0, code - 59);
  const size = 1 + (sizeBytes === 0 ? code : littleEndian(block, at + 1, sizeBytes));
  const next = at + 1 + sizeBytes + size;
  if (next > block.length) throw new SnappyError(`a literal of ${size} bytes`, at);
  return { size, distance: 0, next };
}

function copy(block: Uint8Array, at: number, tag: number): Element {
  const kind = tag & 3;
  if (kind === 1) {
    const distance = ((tag >>> 5) << 8) + littleEndian(block, at + 1, 1);
    return { size: ((tag >>> 2) & 7) + 4, distance, next: at + 2 };
  }
  const distanceBytes = kind === 2 ? 2 : 4;
  return { size: (tag >>> 2) + 1, distance: littleEndian(block, at + 1, distanceBytes), next: at + 1 + distanceBytes };
}

function littleEndian(block: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > block.length) throw new SnappyError("the end", at);
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (block[at + i] as number);
  return value;
}
