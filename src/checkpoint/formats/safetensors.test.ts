/** Round trips, truncated and malformed files made here, and the reference files where they are. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { CheckpointError } from "../../errors.ts";
import { toFloat32 } from "../../util/half.ts";
import { type DType, type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../../util/tensor.ts";
import { lazyTensors } from "../format.ts";
import format, { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";

const join = (chunks: Uint8Array[]) => new Uint8Array(Buffer.concat(chunks));

function sample(): NamedTensors {
  return new Map<string, HostTensor>([
    ["b.weight", hostTensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))],
    ["a.\u540d", hostTensor("int64", [2], BigInt64Array.of(1n, -2n))],
    ["flag", hostTensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["half", hostTensor("bfloat16", [1], Uint16Array.of(0x3f80))],
    ["scalar", hostTensor("float64", [], Float64Array.of(0.5))],
    ["empty", hostTensor("int32", [0, 4], new Int32Array(0))],
  ]);
}

/** A file with this header text and so many bytes of data. */
function fileWith(header: string, dataBytes = 0, claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const one = (fields: string) => `{"w":{${fields}}}`;

test("what is written reads back equal, whatever the alignment of the buffer", () => {
  const bytes = join(writeSafetensors(sample(), { format: "pt", note: "\u4e2d\u6587" }));
  for (const shift of [0, 1, 4]) {
    const moved = new Uint8Array(bytes.length + shift);
    moved.set(bytes, shift);
    const tensors = readSafetensors(moved.subarray(shift));
    expect([...tensors.keys()].sort()).toEqual([...sample().keys()].sort());
    for (const [name, tensor] of sample()) {
      const read = tensors.get(name)!;
      expect([read.dtype, read.shape, read.data]).toEqual([tensor.dtype, tensor.shape, tensor.data]);
    }
  }
  expect(readSafetensorsHeader(bytes, bytes.length).metadata).toEqual({ format: "pt", note: "\u4e2d\u6587" });
});

test("tensors are aligned views of the file, not copies", () => {
  const bytes = join(writeSafetensors(sample()));
  for (const entry of readSafetensorsHeader(bytes, bytes.length).entries) {
    const width = { float64: 8, int64: 8, float32: 4, int32: 4, bfloat16: 2 }[entry.dtype as string] ?? 1;
    expect(entry.begin % width).toBe(0);
  }
  expect(readSafetensors(bytes).get("b.weight")!.data.buffer).toBe(bytes.buffer);
});

test("the same tensors give the same bytes, in whatever order they come", () => {
  const reversed = new Map([...sample()].reverse());
  expect(join(writeSafetensors(reversed))).toEqual(join(writeSafetensors(sample())));
});

test("a file cut at any byte is refused", () => {
  const [file] = format.write?.(lazyTensors(sample())) ?? [];
  const bytes = join([...(file?.chunks ?? [])]);
  expect(bytes).toEqual(join(writeSafetensors(sample())));
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readSafetensors(bytes.subarray(0, length), "model.safetensors")).toThrow(CheckpointError);
  }
  expect(() => readSafetensors(join([bytes, Uint8Array.of(0)]), "f")).toThrow(
    "expected the file to end after its last tensor",
  );
});

test("a file with any one byte of its header changed never crashes the reader", () => {
  const bytes = join(writeSafetensors(sample()));
  const headerBytes = bytes.length - 75;
  for (let i = 0; i < headerBytes; i++) {
    for (const flip of [1, 0x80, 0x0f]) {
      const damaged = bytes.slice();
      damaged[i]! ^= flip;
      try {
        for (const tensor of readSafetensors(damaged).values()) tensorBytes(tensor);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    }
  }
});

const f32 = '"dtype":"F32","shape":[1],"data_offsets":[0,4]';
test.each<[string, Uint8Array, string]>([
  [
    "a header longer than the file",
    fileWith("{}", 0, 99n),
    "f: byte 0: expected a header length from 2 to 2 (the file has 10 bytes), got 99",
  ],
  ["a header of 2^63 bytes", fileWith("{}", 0, 1n << 63n), "got 9223372036854775808"],
  ["a header that is no JSON", fileWith("{nonsense}"), "expected a JSON object in UTF-8 as header"],
  ["a list as header", fileWith("[]"), "it does not begin with {"],
  [
    "a header that is no UTF-8",
    fileWith("{}").map((byte, i) => (i === 9 ? 0xff : byte)),
    "expected a JSON object in UTF-8",
  ],
  ["a name twice", fileWith(`{"w":{${f32}},"\\u0077":{${f32}}}`, 4), 'the key "\\u0077" twice'],
  ["a field twice", fileWith(one(`${f32},"shape"          :[1]`), 4), 'the key "shape" twice'],
  ["nested beyond measure", fileWith(`{"w":${"[".repeat(200_000)}${"]".repeat(200_000)}}`), "expected a dtype among"],
  [
    "an unknown dtype",
    fileWith(one('"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]'), 1),
    'for tensor "w", got "F8_E4M3"',
  ],
  [
    "a dtype that is a property of objects",
    fileWith(one('"dtype":"constructor","shape":[1],"data_offsets":[0,1]'), 1),
    'got "constructor"',
  ],
  ["a dtype in a list", fileWith(one('"dtype":["F32"],"shape":[1],"data_offsets":[0,4]'), 4), 'got ["F32"]'],
  [
    "a negative size",
    fileWith(one('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), 4),
    "expected a shape (list of sizes)",
  ],
  ["a fractional size", fileWith(one('"dtype":"F32","shape":[0.5],"data_offsets":[0,4]'), 4), "got [0.5]"],
  [
    "sizes whose product overflows",
    fileWith(one('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]'), 4),
    "got 4",
  ],
  [
    "offsets in the wrong order",
    fileWith(one('"dtype":"F32","shape":[1],"data_offsets":[4,0]'), 4),
    "expected data_offsets [begin, end]",
  ],
  ["three offsets", fileWith(one('"dtype":"F32","shape":[1],"data_offsets":[0,4,8]'), 8), "got [0,4,8]"],
  [
    "offsets beyond the file",
    fileWith(one('"dtype":"F32","shape":[3],"data_offsets":[0,12]'), 4),
    "expected the file to end after its last tensor",
  ],
  [
    "bytes that do not fit the shape",
    fileWith(one('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), 4),
    'expected 8 bytes for tensor "w", F32[2], got 4',
  ],
  [
    "overlapping tensors",
    fileWith(`{"v":{${f32}},"w":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6),
    'expected tensor "w" to begin at',
  ],
  [
    "a hole between tensors",
    fileWith(`{"v":{${f32}},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12),
    'expected tensor "w" to begin at',
  ],
  ["an entry that is no object", fileWith('{"w":null}'), "got nothing"],
  ["metadata that is no texts", fileWith('{"__metadata__":{"a":1}}'), "expected __metadata__ to map names to texts"],
])("refuses %s", (_, bytes, message) => {
  expect(() => readSafetensors(bytes, "f")).toThrow(CheckpointError);
  expect(() => readSafetensors(bytes, "f")).toThrow(message);
});

test("a tensor named __proto__ is a tensor like others", () => {
  const tensors = readSafetensors(fileWith(`{"__proto__":{${f32}}}`, 4));
  expect([...tensors.keys()]).toEqual(["__proto__"]);
});

test("a header beyond 8 MiB is refused before it becomes objects of many times its length", () => {
  const json = `{"a":[${"{},".repeat(2_800_000)}{}]}`;
  expect(() => readSafetensors(fileWith(json), "f")).toThrow("expected a header length from 2 to 8388608");
});

test("the metadata name cannot be a tensor's", () => {
  expect(() => writeSafetensors(new Map([["__metadata__", sample().get("flag")!]]))).toThrow("it is reserved");
});

describeShared("reference/bert-tiny", "safetensors: the reference model", (folder) => {
  const read = (name: string) => readSafetensors(new Uint8Array(readFileSync(`${folder}/${name}`)), name);

  test("all 94 tensors, and half precision within its rounding of them", () => {
    const truth = read("model.safetensors");
    expect(truth.size).toBe(94);
    for (const [name, dtype, error] of [
      ["float16", "float16", 2 ** -11],
      ["bfloat16", "bfloat16", 2 ** -8],
    ] as [string, DType, number][]) {
      const rounded = read(`${name}.safetensors`);
      expect([...rounded.keys()].sort()).toEqual([...truth.keys()].sort());
      for (const [key, tensor] of rounded) {
        expect(tensor.dtype).toBe(dtype);
        const { data } = toFloat32(tensor);
        const exact = truth.get(key)!.data as Float32Array;
        const worst = data.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - exact[i]!) - error * Math.abs(exact[i]!)),
          0,
        );
        expect(worst).toBeLessThan(2 ** -25);
      }
    }
  });
});
