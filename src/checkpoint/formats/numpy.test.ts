/** The .npy header that is written. */
import { expect, test } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { npyHeader } from "./numpy.ts";

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

test("a header is NumPy's, and as long whatever the number of rows", () => {
  for (const rows of [0, 7, 123_456_789_012]) {
    const header = npyHeader("float32", [rows, 768]);
    expect(header.length).toBe(128);
    expect([...header.subarray(0, 10)]).toEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
    expect(text(header.subarray(10)).trimEnd()).toBe(
      `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, 768), }`,
    );
    expect(header.at(-1)).toBe(0x0a);
  }
});

test("a shape that needs it gets a longer header, aligned to 64 bytes", () => {
  const header = npyHeader("bool", new Array(32).fill(1));
  expect(header.length).toBe(192);
  expect(header[8]! + 256 * header[9]!).toBe(182);
  expect(text(npyHeader("int64", [5]))).toContain("'shape': (5,)");
  expect(text(npyHeader("float16", []))).toContain("'descr': '<f2', 'fortran_order': False, 'shape': ()");
});

test("NumPy has no bfloat16", () => {
  expect(() => npyHeader("bfloat16", [1])).toThrow(CheckpointError);
});
