/** Precisions of lazy tensors: what is rounded, what stays, what is told. */
import { expect, test } from "vitest";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { convertDType } from "./convert-dtype.ts";
import { lazyTensors } from "./format.ts";

const tensors = lazyTensors(
  new Map<string, HostTensor>([
    ["single", hostTensor("float32", [2], Float32Array.of(1, 70000))],
    ["half", hostTensor("float16", [1], Uint16Array.of(0x3c00))],
    ["double", hostTensor("float64", [3], Float64Array.of(0.1, 1e300, Infinity))],
    ["whole", hostTensor("int64", [1], BigInt64Array.of(7n))],
  ]),
);

test("fractions are converted when they are read, integers and what is right already are passed on", () => {
  const converted = convertDType(tensors, "float16");
  expect([...converted].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
    ["single", "float16", [2]],
    ["half", "float16", [1]],
    ["double", "float16", [3]],
    ["whole", "int64", [1]],
  ]);
  expect(converted.get("half")).toBe(tensors.get("half"));
  expect(converted.get("single")?.read().data).toEqual(Uint16Array.of(0x3c00, 0x7c00));
});

test.each([
  ["float16", { single: 1, double: 1 }],
  ["bfloat16", { double: 1 }],
  ["float32", { double: 1 }],
] as const)("%s: finite values that became infinite are told by tensor", (dtype, expected) => {
  const told: Record<string, number> = {};
  const converted = convertDType(tensors, dtype, (name, count) => {
    told[name] = count;
  });
  expect(told).toEqual({});
  for (const tensor of converted.values()) expect(tensor.read().dtype).toBe(tensor.dtype);
  expect(told).toEqual(expected);
});
