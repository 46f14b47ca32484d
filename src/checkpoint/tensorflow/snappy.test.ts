/** Blocks written by hand after the description of the format. (A table of Snappy blocks: formats/tensorflow.test.ts.) */
import { expect, test } from "vitest";
import { unpackSnappy } from "./snappy.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const letters = (word: string) => [...new TextEncoder().encode(word)];

test("literals and all three kinds of copies", () => {
  // "abcd", 4 bytes from 4 back, 5 from 2 back (which repeats what it writes), 2 from 13 back
  const block = Uint8Array.from([15, 3 << 2, ...letters("abcd"), 1, 4, (4 << 2) | 2, 2, 0, (1 << 2) | 3, 13, 0, 0, 0]);
  expect(text(unpackSnappy(block, 100))).toBe("abcdabcdcdcdcab");
});

test("a long literal has its length in bytes of its own", () => {
  const long = new Uint8Array(300).fill(0x78);
  expect(unpackSnappy(Uint8Array.from([0xac, 0x02, 61 << 2, 43, 1, ...long]), 300)).toEqual(long);
});

test.each<[string, number[], string]>([
  ["nothing", [], "no length"],
  ["a length without end", [0xff, 0xff, 0xff, 0xff, 0xff], "no length"],
  ["a content far beyond the block", [0xff, 0xff, 0xff, 0x7f], "a content of 268435455 bytes"],
  ["a literal beyond the block", [4, 3 << 2, 0x61], "a literal of 4 bytes"],
  ["a literal of 2^32 - 4 bytes", [4, 63 << 2, 0xfb, 0xff, 0xff, 0xff, 0x61], "a literal of 4294967292 bytes"],
  ["a copy from before the beginning", [5, 0, 0x61, 1, 2], "a copy from 2 bytes back"],
  ["a copy from nowhere", [5, 0, 0x61, 1, 0], "a copy from 0 bytes back"],
  ["a copy cut short", [5, 0, 0x61, 3, 1, 0], "the end"],
  ["more than announced", [2, 0, 0x61, 1, 1], "more content than announced"],
  ["less than announced", [5, 0, 0x61], "1 bytes instead of 5"],
])("refuses %s", (_, block, message) => {
  expect(() => unpackSnappy(Uint8Array.from(block), 1e9)).toThrow(message);
});

test("refuses a content beyond the limit", () => {
  expect(() => unpackSnappy(Uint8Array.from([2, 1 << 2, 0x61, 0x61]), 1)).toThrow("a content of 2 bytes");
});
