import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";

test("crc32c gives the published check values", () => {
  // RFC 3720, appendix B.4, and the usual check value of the nine digits.
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test("crc32c of parts, one after the other, is that of the whole", () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, i) => (i * 37 + 11) & 0xff);
  for (const cut of [0, 1, 2, 3, 4, 50, 99, 101]) {
    expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
  }
});
