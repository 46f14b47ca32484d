/**
 * Two checksums of 32 bits: CRC-32 (zip, torch's files) and CRC-32C (TFRecord, TensorFlow's checkpoints, zhbert's shards).
 * Sources: ISO 3309 and PKWARE's APPNOTE 4.4.7; RFC 3720, appendix B.4.
 */

// The generators 0x04c11db7 and 0x1edc6f41 with their bits reversed, as both checksums take the lowest bit first.
const ieee = makeTables(0xedb88320);
const castagnoli = makeTables(0x82f63b78);

/**
 * The CRC-32 of bytes.
 * @param previous - the checksum of the bytes before these, to go on from; 0 at the beginning.
 * @returns an unsigned 32-bit integer.
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return checksum(ieee, bytes, previous);
}

/**
 * The CRC-32C (Castagnoli) of bytes.
 * @param previous - the checksum of the bytes before these, to go on from; 0 at the beginning.
 * @returns an unsigned 32-bit integer.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return checksum(castagnoli, bytes, previous);
}

/**
 * A CRC-32C as TensorFlow's files store it: a checksum of data that itself holds checksums is weak, so it is turned and shifted.
 * Source: crc32c.h of TensorFlow.
 */
export function maskCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Sixteen tables of 256, one after the other: table k is the effect of a byte that k zero bytes follow. */
function makeTables(polynomial: number): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    tables[byte] = value;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

/** Takes 16 bytes at a time ("slicing by 16"). */
function checksum(t: Int32Array, bytes: Uint8Array, previous: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let crc = ~previous;
  let i = 0;
  for (const end = bytes.length - 15; i < end; i += 16) {
    const a = view.getInt32(i, true) ^ crc;
    const b = view.getInt32(i + 4, true);
    const c = view.getInt32(i + 8, true);
    const d = view.getInt32(i + 12, true);
    crc =
      t[0xf00 + (a & 0xff)]! ^
      t[0xe00 + ((a >>> 8) & 0xff)]! ^
      t[0xd00 + ((a >>> 16) & 0xff)]! ^
      t[0xc00 + (a >>> 24)]! ^
      t[0xb00 + (b & 0xff)]! ^
      t[0xa00 + ((b >>> 8) & 0xff)]! ^
      t[0x900 + ((b >>> 16) & 0xff)]! ^
      t[0x800 + (b >>> 24)]! ^
      t[0x700 + (c & 0xff)]! ^
      t[0x600 + ((c >>> 8) & 0xff)]! ^
      t[0x500 + ((c >>> 16) & 0xff)]! ^
      t[0x400 + (c >>> 24)]! ^
      t[0x300 + (d & 0xff)]! ^
      t[0x200 + ((d >>> 8) & 0xff)]! ^
      t[0x100 + ((d >>> 16) & 0xff)]! ^
      t[d >>> 24]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
