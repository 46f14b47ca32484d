/** Square pictures in shades of grey as data addresses, for maps of many numbers: BMP, which needs no compression. */

const HEADER_BYTES = 54;
const PALETTE_BYTES = 256 * 4;

/**
 * A picture of a square of shares, dark where they are large.
 * @param shares - float32 [size, size], flat, in [0, 1]; the first row stands at the top.
 * @returns a `data:` address. Source: BITMAPINFOHEADER, 8 bits a pixel.
 */
export function grayImage(shares: Float32Array, size: number): string {
  // Rows are filled up to multiples of 4 bytes, and the last one comes first.
  const stride = (size + 3) & ~3;
  const bytes = new Uint8Array(HEADER_BYTES + PALETTE_BYTES + stride * size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, HEADER_BYTES + PALETTE_BYTES, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, size, true);
  view.setInt32(22, size, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 8, true);
  view.setUint32(34, stride * size, true);
  for (let shade = 0; shade < 256; shade++) bytes.fill(shade, HEADER_BYTES + 4 * shade, HEADER_BYTES + 4 * shade + 3);
  for (let row = 0; row < size; row++) {
    const start = HEADER_BYTES + PALETTE_BYTES + (size - 1 - row) * stride;
    for (let column = 0; column < size; column++) {
      // Square roots: most shares are small, and would all be white.
      const share = Math.sqrt(Math.min(1, Math.max(0, shares[row * size + column] as number)));
      bytes[start + column] = 255 - Math.round(255 * share);
    }
  }
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `data:image/bmp;base64,${btoa(binary)}`;
}
