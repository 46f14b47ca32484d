/** Bit patterns of half precision and the values they stand for. */
import { describe, expect, test } from "vitest";
import { toFloat32, toHalf } from "./half.ts";
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

/** Non-negative finite values and where they end. */
const kinds = [
  ["float16", 0x7c00, 65504],
  ["bfloat16", 0x7f80, 2 ** 127 * (2 - 2 ** -7)],
] as const;

describe.each(kinds)("rounding to %s", (dtype, infinity, largest) => {
  const bits = Uint16Array.from({ length: infinity }, (_, i) => i);
  const values = toFloat32(hostTensor(dtype, [infinity], bits)).data;
  const rounded = (list: ArrayLike<number>, from: "float32" | "float64" = "float64") => {
    const data = from === "float32" ? Float32Array.from(list) : Float64Array.from(list);
    return toHalf(hostTensor(from, [list.length], data as never), dtype).tensor.data;
  };
  /** The middle between each value and the next one. */
  const middles = Float64Array.from(values.subarray(1), (next, i) => ((values[i] as number) + next) / 2);

  test.each(["float32", "float64"] as const)("every value keeps its bits, with either sign, from %s", (from) => {
    expect(rounded(values, from)).toEqual(bits);
    const negative = rounded(
      values.map((value) => -value),
      from,
    );
    expect(negative).toEqual(bits.map((one) => one | 0x8000));
  });

  test("what lies in the middle goes to the even neighbour, what is beside it to the nearer one", () => {
    const even = Uint16Array.from(middles, (_, i) => i + (i % 2));
    expect(rounded(middles)).toEqual(even);
    // Closer to the middle than any float32: a first rounding to float32 would make a tie of them.
    const off = 2 ** -40;
    expect(rounded(middles.map((middle) => middle * (1 - off)))).toEqual(bits.slice(0, -1));
    expect(rounded(middles.map((middle) => middle * (1 + off)))).toEqual(bits.slice(1));
  });

  test("infinities and NaN stay; finite values beyond the largest are counted", () => {
    const step = largest - (values.at(-2) as number);
    const data = Float64Array.of(largest + step * 0.499, largest + step * 0.5, -1e300, Infinity, -Infinity, NaN);
    const { tensor, overflows } = toHalf(hostTensor("float64", [6], data), dtype);
    expect([...toFloat32(tensor).data]).toEqual([largest, Infinity, -Infinity, Infinity, -Infinity, NaN]);
    expect(overflows).toBe(2);
  });
});

test("a NaN whose fraction lies in the cut bits stays a NaN", () => {
  const words = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer);
  for (const dtype of ["float16", "bfloat16"] as const) {
    const { tensor } = toHalf(hostTensor("float32", [2], words), dtype);
    expect([...toFloat32(tensor).data]).toEqual([NaN, NaN]);
  }
});

test("a tensor of the wanted dtype is passed through; the other half precision goes by float32; integers are refused", () => {
  const tensor = hostTensor("float16", [1], Uint16Array.of(0x3c00));
  expect(toHalf(tensor, "float16").tensor).toBe(tensor);
  expect(toHalf(tensor, "bfloat16").tensor.data[0]).toBe(0x3f80);
  expect(() => toHalf(hostTensor("int64", [3], new BigInt64Array(3)), "float16")).toThrow("got int64[3]");
});
