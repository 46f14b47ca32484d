import { expect, test } from "vitest";
import { crc32, crc32c } from "./crc32.ts";

const digits = new TextEncoder().encode("123456789");

test("crc32 gives the published check values", () => {
  expect(crc32(digits)).toBe(0xcbf43926);
  // A small text that is longer than one step of 16 bytes.
  expect(crc32(new TextEncoder().encode("The quick brown fox jumps over the lazy dog"))).toBe(0x414fa339);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test("crc32c gives the published check values", () => {
  // RFC 3720, appendix B.4, and the usual check value of the nine digits.
  expect(crc32c(digits)).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test.each([
  ["crc32", crc32],
  ["crc32c", crc32c],
])("%s of parts, one after the other, is that of the whole, wherever they lie in a buffer", (_, checksum) => {
  const bytes = Uint8Array.from({ length: 101 }, (_, i) => (i * 37 + 11) & 0xff);
  for (const cut of [0, 1, 2, 3, 4, 15, 16, 17, 50, 99, 101]) {
    expect(checksum(bytes.subarray(cut), checksum(bytes.subarray(0, cut)))).toBe(checksum(bytes));
  }
});
