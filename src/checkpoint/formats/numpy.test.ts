/** Headers that are written and read, archives made here, damaged files; numbers as NumPy 2.4.6 writes them. */
import { expect, test } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { type DType, hostTensor, tensorBytes } from "../../util/tensor.ts";
import { memoryFiles } from "../source.ts";
import { zipChunks } from "../zip-writer.ts";
import format, { npyHeader } from "./numpy.ts";

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const open = (bytes: Uint8Array, path = "v.npy") => format.open(memoryFiles("m", new Map([[path, bytes]])), path);

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

/** A file of this version with this header text and data. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const length =
    version === 1 ? [header.length & 0xff, header.length >> 8] : [header.length & 0xff, header.length >> 8, 0, 0];
  const head = Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...length]);
  return join(
    head,
    Uint8Array.from(header, (character) => character.charCodeAt(0)),
    data,
  );
}
const dict = (descr: string, order: string, shape: string) =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const floats = tensorBytes(hostTensor("float32", [6], Float32Array.of(1, 2, 3, 4, 5, 6)));

test.each<[DType, number[]]>([
  ["float32", [2, 3]],
  ["float64", [3]],
  ["float16", [2, 1, 2]],
  ["int64", []],
  ["int32", [0, 4]],
  ["int8", [5]],
  ["uint8", [1]],
  ["bool", [2]],
])("%s %j as it is written reads back", async (dtype, shape) => {
  const count = shape.reduce((a, b) => a * b, 1);
  const width = Number(/\d/.exec(text(npyHeader(dtype, shape)).slice(10))![0]);
  const data = Uint8Array.from({ length: count * width }, (_, i) => i % 2);
  const { tensors } = await open(join(npyHeader(dtype, shape), data), "folder/v.npy");
  expect([...tensors.keys()]).toEqual(["v"]);
  const tensor = tensors.get("v")!.read();
  expect([tensor.dtype, tensor.shape, tensorBytes(tensor)]).toEqual([dtype, shape, data]);
});

test("Fortran's order and the other byte order", async () => {
  const columns = npy(dict("'<f4'", "True", "(2, 3)"), floats);
  expect((await open(columns)).tensors.get("v")!.read()).toEqual(
    hostTensor("float32", [2, 3], Float32Array.of(1, 3, 5, 2, 4, 6)),
  );
  const big = npy(
    dict("'>f4'", "False", "(6,)"),
    floats.slice().map((_, i) => floats[(i & ~3) + 3 - (i & 3)]!),
  );
  expect((await open(big)).tensors.get("v")!.read().data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
});

test("versions 2 and 3, other orders of the keys, Python 2's integers", async () => {
  const header = "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f4'}";
  for (const version of [1, 2, 3]) {
    expect((await open(npy(header, floats, version))).tensors.get("v")!.shape).toEqual([2, 3]);
  }
});

test.each<[string, Uint8Array, string]>([
  ["no .npy", new Uint8Array(100), "the beginning of a .npy file"],
  ["a later version", npy(dict("'<f4'", "False", "(6,)"), floats, 4), "of version 1 to 3"],
  ["a header beyond the file", npy("{", floats).subarray(0, 11), "the beginning of a .npy file"],
  ["an endless header", Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 255, 255, 255, 255]), "4294967295"],
  ["fewer bytes than the shape needs", npy(dict("'<f4'", "False", "(7,)"), floats), "expected 28 bytes of elements"],
  ["more bytes than the shape needs", npy(dict("'<f4'", "False", "(5,)"), floats), "expected 20 bytes of elements"],
  [
    "sizes whose product overflows",
    npy(dict("'<f4'", "False", `(${"9007199254740991, ".repeat(40)}0)`), floats),
    "NaN",
  ],
  ["a size beyond all integers", npy(dict("'<f4'", "False", "(99999999999999999999,)"), floats), "a shape"],
  ["a negative size", npy(dict("'<f4'", "False", "(-6,)"), floats), "a dict of descr"],
  ["an absurd rank", npy(dict("'<f4'", "False", `(${"1, ".repeat(65)}6)`), floats), "and a shape"],
  [
    "code",
    npy("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (6,)}", floats),
    "a dict of",
  ],
  ["a key twice", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", floats), "twice"],
  [
    "a key too many",
    npy("{'descr': '<f4', 'x': True, 'fortran_order': False, 'shape': (6,)}", floats),
    "descr, fortran",
  ],
  ["a key too few", npy("{'descr': '<f4', 'shape': (6,)}", floats), "descr, fortran_order"],
  ["more after the dict", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} 1", floats), "a dict of"],
])("refuses %s", async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(CheckpointError);
  await expect(open(bytes)).rejects.toThrow(message);
});

function archive(): Uint8Array {
  const array = join(npyHeader("float32", [2, 3]), floats);
  const objects = npy(dict("'|O'", "False", "(1,)"), Uint8Array.of(0x80, 4, 0x4e, 0x2e));
  const record = npy(dict("[('a', '<f4'), ('b', [('c', '<f8')])]", "False", "(2,)"), floats);
  const inputs = { "bert/kernel.npy": array, "objects.npy": objects, "record.npy": record, "readme.txt": floats };
  return join(...zipChunks(Object.entries(inputs).map(([path, bytes]) => ({ path, read: () => bytes }))));
}

test("an archive's arrays by their names; objects and records are left out with a note", async () => {
  const { tensors, notes } = await open(archive(), "w.npz");
  expect([...tensors.keys()]).toEqual(["bert/kernel"]);
  expect(tensorBytes(tensors.get("bert/kernel")!.read())).toEqual(floats);
  expect(notes).toEqual([
    "objects was left out: |O is no dtype of weights",
    "record was left out: a record is no dtype of weights",
    "readme.txt was left out: it is no array",
  ]);
});

test("an array of an archive with a byte changed is refused when it is read", async () => {
  const bytes = archive();
  const at = bytes.findIndex((_, i) => floats.every((byte, k) => bytes[i + k] === byte));
  bytes[at] = 1;
  const { tensors } = await open(bytes, "w.npz");
  expect(() => tensors.get("bert/kernel")!.read()).toThrow("the checksum that the archive gives");
});

test("an archive whose arrays would fill the memory when inflated is refused by its directory", async () => {
  // 80 entries of 10 KB that each claim 1 MB; none is inflated.
  const packed = new Uint8Array(10_000);
  const zip = join(...zipChunks(Array.from({ length: 80 }, (_, i) => ({ path: `a${i}.npy`, read: () => packed }))));
  const view = new DataView(zip.buffer);
  for (let at = 0; at < zip.length - 4; at++) {
    const shift = { 67324752: 0, 33639248: 2 }[view.getUint32(at, true)];
    if (shift === undefined) continue;
    view.setUint16(at + 8 + shift, 8, true);
    view.setUint32(at + 22 + shift, 1_000_000, true);
  }
  await expect(open(zip, "a.npz")).rejects.toThrow("arrays of at most 67108864 bytes when inflated, got 80000000");
});
