/** Round trips, damaged tables, partitioned variables, and the reference checkpoints where they are. */
import { readdirSync, readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { describeShared, shared } from "../../../test/shared.ts";
import { CheckpointError, FileError } from "../../errors.ts";
import { crc32c, maskCrc32c } from "../../util/crc32.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../../util/tensor.ts";
import { type LazyTensors, lazyTensors, readTensors } from "../format.ts";
import { memoryFiles } from "../source.ts";
import {
  BundleEntryProtoSchema,
  BundleHeaderProto_Endianness,
  BundleHeaderProtoSchema,
} from "../tensorflow/_tensor-bundle_pb.ts";
import { type Extent, sliceKey } from "../tensorflow/slice-keys.ts";
import { writeTable } from "../tensorflow/table-writer.ts";
import { readSafetensors } from "./safetensors.ts";
import format from "./tensorflow.ts";

const INDEX = "bert_model.ckpt.index";
const DATA = "bert_model.ckpt.data-00000-of-00001";
const encode = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const float32 = (shape: number[], ...values: number[]) => hostTensor("float32", shape, Float32Array.from(values));

function write(tensors: LazyTensors): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { path, chunks } of format.write?.(tensors) ?? []) {
    files.set(path, new Uint8Array(Buffer.concat([...chunks])));
  }
  return files;
}

const open = (files: ReadonlyMap<string, Uint8Array>, path = INDEX) => format.open(memoryFiles("model", files), path);

function filesOf(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder).filter((name) => /\.(index|data-.*)$/.test(name));
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(`${folder}/${name}`))]));
}

function sample(): NamedTensors {
  return new Map<string, HostTensor>([
    ["bert/b", float32([2, 3], 1, 2, 3, 4, 5, 6)],
    ["\u540d", hostTensor("int64", [2], BigInt64Array.of(1n, -2n))],
    ["flag", hostTensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["half", hostTensor("float16", [1], Uint16Array.of(0x3c00))],
    ["brain", hostTensor("bfloat16", [1], Uint16Array.of(0x3f80))],
    ["double", hostTensor("float64", [], Float64Array.of(0.5))],
    ["byte", hostTensor("int8", [2], Int8Array.of(-1, 1))],
    ["bert/a", hostTensor("uint8", [1], Uint8Array.of(7))],
    ["empty", hostTensor("int32", [0, 4], new Int32Array(0))],
  ]);
}

test("what is written reads back equal, by name, with a step of 0", async () => {
  const { tensors, notes } = await open(write(lazyTensors(sample())));
  expect([...tensors.keys()]).toEqual([
    "bert/a",
    "bert/b",
    "brain",
    "byte",
    "double",
    "empty",
    "flag",
    "global_step",
    "half",
    "\u540d",
  ]);
  for (const [name, tensor] of sample()) expect(tensors.get(name)!.read()).toEqual(tensor);
  expect(tensors.get("global_step")!.read()).toEqual(hostTensor("int64", [], BigInt64Array.of(0n)));
  expect(notes).toEqual([]);
});

test("a step that is given is kept", async () => {
  const step = hostTensor("int64", [], BigInt64Array.of(123_456_789_012n));
  const { tensors } = await open(write(lazyTensors(new Map([["global_step", step]]))));
  expect(tensors.get("global_step")!.read().data[0]).toBe(123_456_789_012n);
});

test("a table of several blocks", async () => {
  const many = new Map(
    Array.from({ length: 9000 }, (_, i) => [`layer_${i}/${"kernel".repeat(i % 5)}`, float32([1], i)]),
  );
  const files = write(lazyTensors(many));
  expect(files.get(INDEX)!.length).toBeGreaterThan(262_144);
  const { tensors } = await open(files);
  expect(tensors.size).toBe(9001);
  for (const [name, tensor] of many) expect(tensors.get(name)!.read().data).toEqual(tensor.data);
});

test("tensors are made as their bytes are taken, and views of the data when read", async () => {
  let reads = 0;
  const lazy = new Map([["a", { dtype: "float32" as const, shape: [1], read: () => float32([1], ++reads) }]]);
  const written = [...(format.write?.(lazy) ?? [])];
  expect([written.map(({ path }) => path), reads]).toEqual([[DATA, INDEX, "checkpoint"], 0]);
  const files = write(lazyTensors(sample()));
  const data = files.get(DATA)!;
  const { tensors } = await open(files);
  expect(tensors.get("bert/a")!.read().data.buffer).toBe(data.buffer);
});

test("names that TensorFlow cannot have are refused", () => {
  for (const name of ["", "\0a", "\ud800"]) {
    expect(() => write(lazyTensors(new Map([[name, float32([1], 1)]])))).toThrow("a name that variables can have");
  }
});

test("an index cut at any byte, and one with any byte changed, is refused", async () => {
  const files = write(lazyTensors(sample()));
  const index = files.get(INDEX)!;
  let unused = 0;
  for (let i = 0; i < index.length; i++) {
    await expect(open(new Map([...files, [INDEX, index.subarray(0, i)]]))).rejects.toThrow(CheckpointError);
    const changed = index.slice();
    changed[i]! ^= 0x41;
    const outcome = await open(new Map([...files, [INDEX, changed]])).then(
      ({ tensors }) => readTensors(tensors),
      (error) => error,
    );
    if (outcome instanceof Map) unused++;
    else expect(outcome).toBeInstanceOf(CheckpointError);
  }
  // The block of statistics, its handle and the padding of the footer may hold anything.
  expect(unused).toBeLessThan(13 + 40);
});

test("data with a byte changed is refused when its tensor is read, others are not", async () => {
  const files = write(lazyTensors(sample()));
  files.get(DATA)![2]! ^= 1;
  const { tensors } = await open(files);
  expect(tensors.get("bert/a")!.read().data[0]).toBe(7);
  expect(() => tensors.get("bert/b")!.read()).toThrow('expected the bytes of "bert/b" with their checksum');
});

test("a data file that is short or missing is refused when the checkpoint is opened", async () => {
  const files = write(lazyTensors(sample()));
  const short = new Map([...files, [DATA, files.get(DATA)!.subarray(0, -1)]]);
  await expect(open(short)).rejects.toThrow(CheckpointError);
  files.delete(DATA);
  await expect(open(files)).rejects.toThrow(FileError);
  await expect(open(files)).rejects.toThrow(`expected a file ${DATA}`);
});

interface Fields {
  dtype?: number;
  dims?: number[];
  offset?: number;
  size?: number;
  shardId?: number;
  slices?: Extent[][];
  data?: Uint8Array;
}

/** An entry for four bytes of float32[1], but for what is given. */
function entry(fields: Fields = {}): Uint8Array {
  const { dtype = 1, dims = [1], offset = 0, size = 4, shardId = 0, slices = [] } = fields;
  const extent = ({ start, length }: Extent) => ({
    start: BigInt(start),
    hasLength:
      length === undefined ? ({ case: undefined } as const) : { case: "length" as const, value: BigInt(length) },
  });
  const message = create(BundleEntryProtoSchema, {
    dtype,
    shardId,
    shape: { dim: dims.map((axis) => ({ size: BigInt(axis) })) },
    offset: BigInt(offset),
    size: BigInt(size),
    crc32c: maskCrc32c(crc32c(fields.data ?? new Uint8Array(4))),
    slices: slices.map((extents) => ({ extent: extents.map(extent) })),
  });
  return toBinary(BundleEntryProtoSchema, message);
}

/** A checkpoint with these entries over eight zeros. */
function checkpointOf(entries: [string, Uint8Array][], header = {}, data: Uint8Array = new Uint8Array(8)) {
  const first = toBinary(BundleHeaderProtoSchema, create(BundleHeaderProtoSchema, { numShards: 1, ...header }));
  const table = [["", first] as const, ...entries].map(([key, value]) => ({ key: latin1(key), value }));
  return new Map([
    [INDEX, new Uint8Array(Buffer.concat([...writeTable(table)]))],
    [DATA, data],
  ]);
}

test.each<[string, ReadonlyMap<string, Uint8Array>, string]>([
  ["a negative axis", checkpointOf([["w", entry({ dims: [-1] })]]), 'an axis from 0 on for "w", got -1'],
  ["bytes that do not fit the shape", checkpointOf([["w", entry({ dims: [2] })]]), "8 bytes for float32[2]"],
  ["sizes whose product overflows", checkpointOf([["w", entry({ dims: [2 ** 40, 2 ** 40] })]]), "bytes for float32"],
  ["an offset beyond the file", checkpointOf([["w", entry({ offset: 6 })]]), "expected 4 bytes, got the end at 8"],
  [
    "tensors that overlap",
    checkpointOf([
      ["v", entry()],
      ["w", entry({ offset: 2 })],
    ]),
    "the next tensor at 4 or later",
  ],
  ["a data file that there is none of", checkpointOf([["w", entry({ shardId: 1 })]]), "a data file from 0 to 0"],
  ["an absurd rank", checkpointOf([["w", entry({ dims: new Array(300).fill(1) })]]), "at most 254 axes"],
  [
    "a name twice",
    checkpointOf([
      ["w", entry()],
      ["w", entry({ offset: 4 })],
    ]),
    "keys in ascending order",
  ],
  [
    "no header",
    new Map([[INDEX, new Uint8Array(Buffer.concat([...writeTable([])]))]]),
    "the header of a TensorFlow V2",
  ],
  ["an entry that is no message", checkpointOf([["w", Uint8Array.of(0xff)]]), 'a BundleEntryProto for "w"'],
  ["a name that is no UTF-8", checkpointOf([["\xff", entry()]]), "names in UTF-8"],
  ["no data files at all", checkpointOf([], { numShards: 0 }), "one data file or more"],
  ["a later format", checkpointOf([], { version: { minConsumer: 2 } }), "readers of version 1"],
  [
    "a big-endian checkpoint",
    checkpointOf([], { endianness: BundleHeaderProto_Endianness.BIG }),
    "expected a little-endian checkpoint",
  ],
  ["a file of another kind", new Map([[INDEX, new Uint8Array(100)]]), "the last bytes of a table"],
])("refuses %s", async (_, files, message) => {
  await expect(open(files)).rejects.toThrow(CheckpointError);
  await expect(open(files)).rejects.toThrow(message);
});

test("variables of text are left out with a note", async () => {
  const { tensors, notes } = await open(
    checkpointOf([
      ["table", entry({ dtype: 7 })],
      ["w", entry()],
    ]),
  );
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(notes).toEqual(["table was left out: string is no dtype of weights"]);
});

test("a V1 checkpoint is named, and how to get a V2 one", async () => {
  const value = new Uint8Array(300);
  value[0] = 0x0a;
  const table = new Uint8Array(Buffer.concat([...writeTable([{ key: new Uint8Array(0), value }])]));
  expect(format.recognizes(table.subarray(0, 64))).toBe(true);
  await expect(open(new Map([["model.ckpt-100", table]]), "model.ckpt-100")).rejects.toThrow(
    "a V1 checkpoint in one file",
  );
});

/** A float32 [2, 4] of 0 to 7 in two parts along an axis. */
function partitioned(axis: number): Map<string, Uint8Array> {
  const values = axis === 0 ? [0, 1, 2, 3, 4, 5, 6, 7] : [0, 4, 1, 2, 3, 5, 6, 7];
  const data = tensorBytes(float32([8], ...values));
  const lengths = axis === 0 ? [1, 1] : [1, 3];
  const slices = lengths.map((length, i) =>
    [0, 1].map((a) => (a === axis ? { start: i * lengths[0]!, length } : { start: 0, length: undefined })),
  );
  const parts = slices.map((extents, i): [string, Uint8Array] => {
    const dims = [2, 4].with(axis, lengths[i]!);
    const size = 4 * dims[0]! * dims[1]!;
    const offset = i === 0 ? 0 : 32 - size;
    const bytes = data.subarray(offset, offset + size);
    return [sliceKey(encode("w"), extents), entry({ dims, offset, size, data: bytes })];
  });
  return checkpointOf([...parts, ["w", entry({ dims: [2, 4], size: 0, slices: [...slices].reverse() })]], {}, data);
}

test.each([0, 1])("parts along axis %i are joined", async (axis) => {
  const { tensors } = await open(partitioned(axis));
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(tensors.get("w")!.read()).toEqual(float32([2, 4], 0, 1, 2, 3, 4, 5, 6, 7));
});

const whole = { start: 0, length: undefined };
test.each<[string, Extent[][], string]>([
  [
    "along two axes",
    [
      [
        { start: 0, length: 1 },
        { start: 0, length: 1 },
      ],
    ],
    "parts along axes 0, 1",
  ],
  ["with a hole", [[{ start: 1, length: 1 }, whole]], "a part from 0 on along axis 0"],
  ["without entries", [[{ start: 0, length: 2 }, whole]], "an entry for each of its parts"],
  ["of another rank", [[{ start: 0, length: 2 }]], "parts with 2 axes"],
])("refuses parts %s", async (_, slices, message) => {
  await expect(open(checkpointOf([["w", entry({ dims: [2, 4], slices })]]))).rejects.toThrow(message);
});

test("keys of parts sort as their numbers do", () => {
  const numbers = [0, 1, 63, 64, 8191, 8192, 1048575, 1048576, 2 ** 31, 2 ** 40, 2 ** 52];
  const keys = numbers.map((length) => sliceKey(encode("w"), [{ start: length, length: undefined }]));
  expect([...keys].sort()).toEqual(keys);
  expect(
    latin1(
      sliceKey(encode("w"), [
        { start: 0, length: undefined },
        { start: 3, length: 70 },
      ]),
    ),
  ).toEqual(
    // zero, "w" and its end, two axes; 0 and -1; 3 and 70
    Uint8Array.of(0, 0x77, 0, 1, 1, 2, 0x80, 0x7f, 0x83, 0xc0, 0x46),
  );
});

describeShared("reference/bert-tiny/tf", "TensorFlow: the reference checkpoints", (folder) => {
  const truth = readSafetensors(new Uint8Array(readFileSync(`${folder}/../model.safetensors`)));

  /** Google's name of a tensor of the reference model; the kernels are transposed. */
  function googleName(name: string): string {
    const table: [RegExp, string][] = [
      [/\.weight$/, /LayerNorm/.test(name) ? ".gamma" : /_embeddings\.weight$/.test(name) ? "" : ".kernel"],
      [/LayerNorm\.bias$/, "LayerNorm.beta"],
      [/layer\.(\d+)\./, "layer_$1/"],
      [/cls\.predictions\.bias/, "cls.predictions.output_bias"],
      [/cls\.seq_relationship\.kernel/, "cls.seq_relationship.output_weights"],
      [/cls\.seq_relationship\.bias/, "cls.seq_relationship.output_bias"],
    ];
    return table.reduce((text, [from, to]) => text.replace(from, to), name).replaceAll(".", "/");
  }

  function transposed({ shape, data }: HostTensor): Float32Array {
    const [rows = 1, columns = 1] = shape;
    return Float32Array.from({ length: data.length }, (_, i) =>
      Number(data[(i % rows) * columns + Math.floor(i / rows)]),
    );
  }

  test.each([
    ["", 283],
    ["two-shards", 95],
    ["snappy-index", undefined],
  ])("all 94 tensors of %s bit by bit, and the step", async (name, count) => {
    const { tensors, notes } = await open(filesOf(`${folder}/${name}`));
    if (count !== undefined) expect(tensors.size).toBe(count);
    expect(notes).toEqual([]);
    for (const [key, tensor] of truth) {
      const read = tensors.get(googleName(key))!.read();
      const isKernel = googleName(key).endsWith("kernel");
      expect(tensorBytes(read)).toEqual(
        isKernel ? tensorBytes({ ...tensor, data: transposed(tensor) }) : tensorBytes(tensor),
      );
    }
    expect(tensors.get("global_step")!.read().data[0]).toBe(123_456_789_012n);
    if (name === "") expect(tensors.get("bert/pooler/dense/kernel/adam_v")!.read().shape).toEqual([32, 32]);
  });

  test("what TensorFlow wrote is written again byte by byte", async () => {
    const files = filesOf(folder);
    const { tensors } = await open(files);
    const written = write(tensors);
    expect(Buffer.compare(written.get(INDEX)!, files.get(INDEX)!)).toBe(0);
    expect(Buffer.compare(written.get(DATA)!, files.get(DATA)!)).toBe(0);
    expect(new TextDecoder().decode(written.get("checkpoint"))).toBe(
      readFileSync(`${shared("reference/bert-tiny/tf")}/checkpoint`, "utf8"),
    );
  });
});
