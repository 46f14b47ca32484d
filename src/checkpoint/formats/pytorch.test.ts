/** Round trips, files made opcode for opcode in both containers, and hostile ones. */
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { crc32 } from "../../util/crc32.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../../util/tensor.ts";
import { type Checkpoint, lazyTensor, lazyTensors } from "../format.ts";
import { PickleWriter } from "../pickle-writer.ts";
import { bytesSource, memoryFiles } from "../source.ts";
import { readZip } from "../zip.ts";
import { type ZipInput, zipChunks } from "../zip-writer.ts";
import format from "./pytorch.ts";

const join = (chunks: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...chunks]));
const open = (bytes: Uint8Array) => format.open(memoryFiles("m", new Map([["f.bin", bytes]])), "f.bin");
const dangers = (bytes: Uint8Array) => format.findDangers!(memoryFiles("m", new Map([["f.bin", bytes]])), "f.bin");
const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function sample(): NamedTensors {
  return new Map<string, HostTensor>([
    ["b.weight", hostTensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))],
    ["a.\u540d", hostTensor("int64", [2], BigInt64Array.of(1n, -2n))],
    ["double", hostTensor("float64", [], Float64Array.of(0.5))],
    ["half", hostTensor("float16", [2], Uint16Array.of(0x3c00, 0x7c00))],
    ["brain", hostTensor("bfloat16", [1, 1], Uint16Array.of(0x3f80))],
    ["int", hostTensor("int32", [3], Int32Array.of(-1, 0, 2 ** 31 - 1))],
    ["bytes", hostTensor("uint8", [2], Uint8Array.of(1, 255))],
    ["small", hostTensor("int8", [2], Int8Array.of(-128, 127))],
    ["flag", hostTensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["empty", hostTensor("float32", [0, 4], new Float32Array(0))],
  ]);
}

const written = (tensors: NamedTensors) => join([...format.write!(lazyTensors(tensors))][0]!.chunks);

test("what is written reads back equal, in its order", async () => {
  const { tensors, notes } = await open(written(sample()));
  expect([...tensors.keys()]).toEqual([...sample().keys()]);
  for (const [name, tensor] of sample()) {
    const lazy = tensors.get(name)!;
    expect([lazy.dtype, lazy.shape]).toEqual([tensor.dtype, tensor.shape]);
    expect(lazy.read()).toEqual(tensor);
  }
  expect(notes).toEqual([]);
});

test("the file is the usual one, recognised by its beginning, and holds nothing dangerous", async () => {
  const bytes = written(sample());
  expect([...format.write!(new Map())].map(({ path }) => path)).toEqual(["pytorch_model.bin"]);
  expect(format.recognizes(bytes.subarray(0, 64))).toBe(true);
  expect(format.recognizes(join(zipChunks([{ path: "vocab.txt", read: () => new Uint8Array(9) }])))).toBe(false);
  expect(await dangers(bytes)).toEqual([]);
});

test("a tensor is read when its chunk is taken, and a tied one once", () => {
  const log: string[] = [];
  const lazy = (name: string, size: number) => ({
    ...lazyTensor(hostTensor("float32", [size], new Float32Array(size))),
    read() {
      log.push(name);
      return hostTensor("float32", [size], new Float32Array(size));
    },
  });
  const tied = lazy("tied", 1000);
  const other = lazy("other", 500);
  const tensors = new Map([
    ["embedding", tied],
    ["other", other],
    ["decoder", tied],
  ]);
  for (const chunk of [...format.write!(tensors)][0]!.chunks) if (chunk.length >= 2000) log.push(`${chunk.length}`);
  expect(log).toEqual(["tied", "4000", "other", "2000"]);
});

test("tied tensors read as one, so that they are written once again", async () => {
  const { tensors } = await open(archive({ w: {}, tied: {} }));
  expect(tensors.get("tied")).toBe(tensors.get("w"));
  expect(tensors.get("w")!.read().data).toEqual(Float32Array.from({ length: 6 }, (_, i) => i));
});

test("contiguous tensors are views of the file", async () => {
  const bytes = written(sample());
  const { tensors } = await open(bytes);
  expect(tensors.get("b.weight")!.read().data.buffer).toBe(bytes.buffer);
});

/** What is told of one tensor; by default it is float32 [2, 3] over the whole storage 0 of six elements. */
interface Made {
  readonly type?: string;
  readonly key?: string;
  readonly elements?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  readonly dtype?: string;
  readonly part?: readonly [key: string, offset: number, size: number];
}

function tensorPickle(pickle: PickleWriter, made: Made, legacy: boolean): void {
  const { type = "FloatStorage", key = "0", elements = 6, offset = 0, shape = [2, 3], strides = [3, 1], dtype } = made;
  pickle.global("torch._utils", dtype === undefined ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3").op("MARK");
  pickle
    .op("MARK")
    .text("storage")
    .global(type.includes("Untyped") ? "torch.storage" : "torch", type);
  pickle.text(key).text("cpu").integer(elements);
  if (made.part !== undefined) {
    const [partKey, begin, size] = made.part;
    pickle.op("MARK").text(partKey).integer(begin).integer(size).op("TUPLE");
  } else if (legacy) pickle.op("NONE");
  pickle.op("TUPLE").op("BINPERSID").integer(offset).tuple(shape).tuple(strides).op("NEWFALSE");
  pickle.global("collections", "OrderedDict").tuple([]).op("REDUCE");
  if (dtype !== undefined) pickle.global("torch", dtype).op("NONE");
  pickle.op("TUPLE").op("REDUCE");
}

function dictPickle(tensors: Readonly<Record<string, Made>>, legacy = false, before = ""): Uint8Array {
  const pickle = new PickleWriter(2).op("EMPTY_DICT").op("MARK");
  for (const [name, made] of Object.entries(tensors)) tensorPickle(pickle.text(name), made, legacy);
  return join([pickle.take(), latin1(before), pickle.op("SETITEMS").finish()]);
}

const numbers = (count: number) => new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer);

/** A torch archive with these tensors and one storage. */
function archive(tensors: Readonly<Record<string, Made>>, more: readonly ZipInput[] = [], storage = numbers(6)) {
  return packed(dictPickle(tensors), more, storage);
}

function packed(pickle: Uint8Array, more: readonly ZipInput[] = [], storage = numbers(6)): Uint8Array {
  const inputs = [
    { path: "archive/data.pkl", read: () => pickle },
    { path: "archive/byteorder", read: () => latin1("little") },
    { path: "archive/data/0", read: () => storage },
    ...more,
  ];
  const replaced = new Map(inputs.map((input) => [input.path, input]));
  return join(zipChunks(replaced.values()));
}

/** The same in the legacy format. */
function legacy(
  tensors: Readonly<Record<string, Made>>,
  keys = ["0"],
  storages: readonly [number, Uint8Array][] = [[6, numbers(6)]],
) {
  const magic = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
  const system = new PickleWriter(2).op("EMPTY_DICT").op("MARK").text("little_endian").op("NEWTRUE").op("SETITEMS");
  const list = new PickleWriter(2).op("MARK");
  for (const key of keys) list.text(key);
  const parts = [latin1(magic), system.finish(), dictPickle(tensors, true), list.op("TUPLE").finish()];
  for (const [count, data] of storages) parts.push(new Uint8Array(BigInt64Array.of(BigInt(count)).buffer), data);
  return join(parts);
}

const valuesOf = ({ tensors }: Checkpoint) => {
  return Object.fromEntries([...tensors].map(([name, lazy]) => [name, [...(lazy.read().data as Float32Array)]]));
};

test.each([
  ["zip", archive],
  ["legacy", legacy],
])("views with offsets, strides, axes of one and expanded axes (%s)", async (_, make) => {
  const checkpoint = await open(
    make({
      transposed: { shape: [3, 2], strides: [1, 3] },
      row: { offset: 3, shape: [3], strides: [1] },
      column: { offset: 1, shape: [2], strides: [3] },
      one: { shape: [1, 6], strides: [77, 1] },
      expanded: { shape: [2, 2], strides: [0, 1] },
      scalar: { offset: 5, shape: [], strides: [] },
      empty: { offset: 6, shape: [0, 9], strides: [9, 1] },
      deep: { shape: [2, 1, 3], strides: [1, 6, 2] },
    }),
  );
  expect(valuesOf(checkpoint)).toEqual({
    transposed: [0, 3, 1, 4, 2, 5],
    row: [3, 4, 5],
    column: [1, 4],
    one: [0, 1, 2, 3, 4, 5],
    expanded: [0, 1, 0, 1],
    scalar: [5],
    empty: [],
    deep: [0, 2, 4, 1, 3, 5],
  });
});

test("strided tensors of every element size, larger than a block", async () => {
  const data = BigInt64Array.from({ length: 40 * 50 }, (_, i) => BigInt(i));
  const made = { type: "LongStorage", elements: 2000, shape: [50, 40], strides: [1, 50] };
  const checkpoint = await open(archive({ w: made }, [], new Uint8Array(data.buffer)));
  const read = checkpoint.tensors.get("w")!.read().data as BigInt64Array;
  expect(read.every((value, i) => value === BigInt((i % 40) * 50 + Math.floor(i / 40)))).toBe(true);
});

test("storages without a type get that of the tensor", async () => {
  const untyped = { type: "UntypedStorage", elements: 24, dtype: "float32" };
  expect(valuesOf(await open(archive({ w: { ...untyped, shape: [2], strides: [1], offset: 4 } })))).toEqual({
    w: [4, 5],
  });
});

test("parts of storages in the legacy format", async () => {
  const part = { shape: [2], strides: [1], part: ["1", 2, 3] as const };
  expect(valuesOf(await open(legacy({ w: part, v: { ...part, offset: 1 } })))).toEqual({ w: [2, 3], v: [3, 4] });
});

test("parameters, attributes of an OrderedDict, and what is no tensor", async () => {
  const pickle = new PickleWriter(2).global("collections", "OrderedDict").tuple([]).op("REDUCE").op("MARK");
  pickle.text("w").global("torch._utils", "_rebuild_parameter").op("MARK");
  tensorPickle(pickle, {}, false);
  pickle.op("NEWTRUE").global("collections", "OrderedDict").tuple([]).op("REDUCE").op("TUPLE").op("REDUCE");
  pickle.text("epoch").integer(3).op("SETITEMS");
  pickle.op("EMPTY_DICT").op("MARK").text("_metadata").op("EMPTY_DICT").op("SETITEMS").op("BUILD");
  const { tensors, notes } = await open(packed(pickle.finish()));
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(notes).toEqual(["left out, not tensors: epoch"]);
});

test.each(["state_dict", "model", "model_state_dict"])("weights that were saved under %s", async (key) => {
  const pickle = new PickleWriter(2).op("EMPTY_DICT").op("MARK").text("epoch").integer(3);
  pickle.text(key).op("EMPTY_DICT").op("MARK").text("w");
  tensorPickle(pickle, {}, false);
  const { tensors, notes } = await open(packed(pickle.op("SETITEMS").op("SETITEMS").finish()));
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(notes).toEqual([`the weights were saved under "${key}"`]);
});

test("shards by their index", async () => {
  const second = dictPickle({ v: { shape: [1], strides: [1], offset: 2 } });
  const index = { weight_map: { w: "a.bin", v: "b.bin" } };
  const files = memoryFiles(
    "m",
    new Map([
      ["pytorch_model.bin.index.json", new TextEncoder().encode(JSON.stringify(index))],
      ["a.bin", archive({ w: {} })],
      ["b.bin", packed(second)],
    ]),
  );
  expect(valuesOf(await format.open(files, "pytorch_model.bin.index.json"))).toEqual({ w: [0, 1, 2, 3, 4, 5], v: [2] });
  expect(await format.findDangers!(files, "pytorch_model.bin.index.json")).toEqual([]);
});

test.each<[string, Uint8Array, string]>([
  ["an empty file", new Uint8Array(0), "got an empty file"],
  ["another file", latin1("{ not weights }"), "expected a zip archive or the magic number of torch.save"],
  ["an archive without data.pkl", join(zipChunks([{ path: "a/b", read: () => new Uint8Array(1) }])), "with data.pkl"],
  ["two pickles", archive({ w: {} }, [{ path: "b/data.pkl", read: () => latin1("N.") }]), "expected one data.pkl"],
  [
    "a TorchScript program",
    archive({ w: {} }, [{ path: "archive/constants.pkl", read: () => latin1("N.") }]),
    "TorchScript",
  ],
  ["big-endian numbers", archive({ w: {} }, [{ path: "archive/byteorder", read: () => latin1("big") }]), 'got "big"'],
  ["a storage that is missing", archive({ w: { key: "7" } }), "expected the storage archive/data/7, got nothing"],
  ["a storage out of the archive", archive({ w: { key: "../../x" } }), "expected the storage"],
  ["a storage of another size", archive({ w: { elements: 7 } }), "expected 28 bytes of a storage, got 24"],
  [
    "a storage of two types",
    archive({ w: {}, v: { type: "LongStorage", elements: 3 } }),
    "expected storage 0 as before",
  ],
  ["an unknown type", archive({ w: { type: "ShortStorage", elements: 12 } }), "got int16"],
  [
    "an unknown dtype",
    archive({ w: { type: "UntypedStorage", elements: 24, dtype: "float8_e5m2" } }),
    "got float8_e5m2",
  ],
  ["an end beyond the storage", archive({ w: { offset: 1 } }), 'expected tensor "w" within the 24 bytes'],
  ["strides beyond the storage", archive({ w: { strides: [4, 1] } }), "got an end at 28"],
  ["an offset beyond all integers", archive({ w: { offset: 2 ** 53 - 1 } }), 'expected tensor "w" within'],
  ["a negative offset", archive({ w: { offset: -1 } }), "expected an offset of 0 or more elements, got -1"],
  ["negative strides", archive({ w: { strides: [-3, 1] } }), "expected 2 strides of 0 or more elements, got [-3, 1]"],
  ["a negative size", archive({ w: { shape: [2, -3] } }), "got [2, -3]"],
  ["fewer strides than axes", archive({ w: { strides: [1] } }), "expected 2 strides"],
  ["a shape out of all proportion", archive({ w: { shape: [2 ** 20, 2 ** 20], strides: [0, 0] } }), "elements of"],
  [
    "sizes whose product overflows",
    archive({ w: { shape: [...new Array(40).fill(2 ** 52), 0], strides: new Array(41).fill(0) } }),
    "expected a shape",
  ],
  [
    "too many axes",
    archive({ w: { shape: new Array(65).fill(1), strides: new Array(65).fill(1) } }),
    "at most 64 sizes",
  ],
  [
    "a name twice",
    packed(join([dictPickle({ w: {} }).subarray(0, -2), latin1("X\x01\x00\x00\x00wNu.")])),
    "each key once",
  ],
  ["no tensors", packed(latin1("}U\x05epochK\x03s.")), "expected a dict of tensors, or one under state_dict"],
  ["a list", packed(latin1("].")), "got another object"],
  ["a dict that holds itself", packed(latin1("}q\x00U\x05modelh\x00s.")), "expected a dict of tensors"],
  [
    "a shape that holds itself",
    packed(latin1("(ctorch._utils\n_rebuild_tensor_v2\n(NK\x00]q\x00h\x00ah\x00tR.")),
    "expected a storage",
  ],
  ["a whole module", packed(latin1("ctorch.nn.modules.linear\nLinear\n)\x81.")), "got torch.nn.modules.linear.Linear"],
  ["code", packed(latin1("cos\nsystem\nU\x02id\x85R.")), "got os.system"],
  ["keys that are no list", legacy({ w: {} }, [], []), "expected storage 0 of tensor"],
  ["a storage listed twice", legacy({ w: {} }, ["0", "0"], [[6, numbers(6)]]), "expected the key of each storage once"],
  ["another count of elements", legacy({ w: {} }, ["0"], [[7, numbers(7)]]), "expected 6 elements of storage 0, got 7"],
  ["fewer bytes than elements", legacy({ w: {} }, ["0"], [[6, numbers(5)]]), "expected 24 bytes, got 20"],
  ["bytes at the end", join([legacy({ w: {} }), new Uint8Array(3)]), "expected the end of the file, got 3 bytes more"],
  [
    "a part beyond its storage",
    legacy({ w: { part: ["1", 4, 3] } }),
    "expected a part (key, offset, elements) of storage 0",
  ],
])("refuses %s", async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(CheckpointError);
  await expect(open(bytes)).rejects.toThrow(message);
});

test("quantised and sparse tensors are told by their kind", async () => {
  const pickle = (name: string) => latin1(`}U\x01wctorch._utils\n${name}\n)Rs.`);
  await expect(open(packed(pickle("_rebuild_qtensor")))).rejects.toThrow('a dense tensor "w", got a quantised tensor');
  await expect(open(packed(pickle("_rebuild_sparse_tensor")))).rejects.toThrow("got a sparse tensor");
});

test("a view with the sign of a conjugated tensor is told, not read with the other sign", async () => {
  const tensor = "(NK\x00))NN}U\x03neg\x88stR";
  const pickle = latin1(`}U\x01wctorch._utils\n_rebuild_tensor_v2\n${tensor}s.`);
  await expect(open(packed(pickle))).rejects.toThrow('a dense tensor "w", got a view that negates its storage');
});

test("damaged bytes of a storage are found when a tensor is read", async () => {
  const bytes = archive({ w: {} });
  const entry = readZip(bytesSource("f", bytes)).find(({ path }) => path.endsWith("data/0"))!;
  bytes[entry.dataOffset + 9]! ^= 4;
  const { tensors } = await open(bytes);
  expect(() => tensors.get("w")!.read()).toThrow(CheckpointError);
  expect(() => tensors.get("w")!.read()).toThrow("archive/data/0: byte 0: expected bytes with the CRC-32");
});

test("dangers are listed with their file and byte, in both containers, and nothing is loaded", async () => {
  const code = "cposix\nsystem\n(U\x02idtR";
  expect(await dangers(packed(latin1(`${code}.`)))).toEqual([
    "archive/data.pkl: byte 0: names posix.system",
    "archive/data.pkl: byte 20: calls posix.system",
  ]);
  const file = legacy({ w: {} });
  const at = Buffer.from(file).indexOf("}(X\x01\x00\x00\x00w", 0, "latin1");
  const changed = join([file.subarray(0, at), latin1(`${code}0`), file.subarray(at)]);
  expect((await dangers(changed)).join("\n")).toContain("calls posix.system");
  const program = archive({ w: {} }, [{ path: "archive/code/__torch__.py", read: () => latin1("def f(): pass") }]);
  expect(await dangers(program)).toEqual(["archive/code/__torch__.py: a TorchScript program (1 files)"]);
});

/** An archive with one entry, as other zip programs make it. */
function deflated(path: string, data: Uint8Array): Uint8Array {
  const body = deflateRawSync(data);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(8, 4);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(body.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(path.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(path), body]);
  const directory = Buffer.concat([Buffer.from("PK\x01\x02\0\0"), fields, Buffer.alloc(14), Buffer.from(path)]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(local.length, 16);
  return join([local, directory, end]);
}

test("a compressed pickle is no torch.save's, but its dangers are listed", async () => {
  const bytes = deflated("archive/data.pkl", latin1("cposix\nsystem\n(U\x02idtR."));
  expect((await dangers(bytes)).join("\n")).toContain("archive/data.pkl: byte 20: calls posix.system");
  await expect(open(bytes)).rejects.toThrow('"archive/data.pkl" stored, as torch.save does, got a compressed one');
});

test.each([
  ["zip", archive({ w: {}, v: { shape: [6], strides: [1] } })],
  ["legacy", legacy({ w: {}, v: { shape: [6], strides: [1] } })],
])("refuses a file cut at any byte, and lists the dangers of what is left (%s)", async (container, bytes) => {
  for (let length = 0; length < bytes.length; length++) {
    await expect(open(bytes.subarray(0, length))).rejects.toThrow(CheckpointError);
    if (container === "legacy") await dangers(bytes.subarray(0, length));
  }
});
