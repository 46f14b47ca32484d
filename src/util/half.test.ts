/** Bit patterns of half precision and the values they stand for. */
import { expect, test } from "vitest";
import { toFloat32 } from "./half.ts";
import { hostTensor } from "./tensor.ts";

test("float16: normal, subnormal, zeros, infinities and NaN", () => {
  const bits = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x3555];
  const { data } = toFloat32(hostTensor("float16", [bits.length], Uint16Array.from(bits)));
  expect([...data]).toEqual([
    1,
    -2,
    65504,
    2 ** -14,
    2 ** -24,
    -(1023 * 2 ** -24),
    0,
    -0,
    Infinity,
    -Infinity,
    NaN,
    0.333251953125,
  ]);
});

test("bfloat16 is the upper half of a float32", () => {
  const { data, shape } = toFloat32(hostTensor("bfloat16", [2, 2], Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x0001)));
  expect([...data]).toEqual([1, -3, Infinity, 2 ** -133]);
  expect(shape).toEqual([2, 2]);
});

test("float32 is passed through, float64 rounded, integers refused", () => {
  const tensor = hostTensor("float32", [1], Float32Array.of(0.5));
  expect(toFloat32(tensor)).toBe(tensor);
  expect(toFloat32(hostTensor("float64", [1], Float64Array.of(0.1))).data[0]).toBe(Math.fround(0.1));
  expect(() => toFloat32(hostTensor("int64", [3], new BigInt64Array(3)))).toThrow("got int64[3]");
});
