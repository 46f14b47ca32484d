/** Round trips, arrays as NumPy pickles them in protocols 2 and 4, hostile files, and the reference files where they are. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { CheckpointError } from "../../errors.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../../util/tensor.ts";
import { type Checkpoint, type LazyTensor, lazyTensor, lazyTensors } from "../format.ts";
import { PickleWriter } from "../pickle-writer.ts";
import { memoryFiles } from "../source.ts";
import format from "./paddle.ts";
import { readSafetensors } from "./safetensors.ts";

const join = (chunks: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...chunks]));
const open = (bytes: Uint8Array) => format.open(memoryFiles("m", new Map([["f.pdparams", bytes]])), "f.pdparams");
const dangers = (bytes: Uint8Array) => format.findDangers!(memoryFiles("m", new Map([["f", bytes]])), "f");
const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const written = (tensors: NamedTensors) => join([...format.write!(lazyTensors(tensors))][0]!.chunks);

function sample(): NamedTensors {
  return new Map<string, HostTensor>([
    ["b.weight", hostTensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))],
    ["a.\u540d", hostTensor("int64", [2], BigInt64Array.of(1n, -2n))],
    ["double", hostTensor("float64", [], Float64Array.of(0.5))],
    ["half", hostTensor("float16", [2], Uint16Array.of(0x3c00, 0x7c00))],
    ["int", hostTensor("int32", [3], Int32Array.of(-1, 0, 2 ** 31 - 1))],
    ["bytes", hostTensor("uint8", [2], Uint8Array.of(1, 255))],
    ["small", hostTensor("int8", [2], Int8Array.of(-128, 127))],
    ["flag", hostTensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["empty", hostTensor("float32", [0, 4], new Float32Array(0))],
    [
      "large",
      hostTensor(
        "float32",
        [100],
        Float32Array.from({ length: 100 }, (_, i) => i / 7),
      ),
    ],
  ]);
}

test("what is written reads back equal, in its order", async () => {
  const bytes = written(sample());
  const { tensors, notes } = await open(bytes);
  expect([...tensors.keys()]).toEqual([...sample().keys()]);
  for (const [name, tensor] of sample()) {
    const lazy = tensors.get(name)!;
    expect([lazy.dtype, lazy.shape]).toEqual([tensor.dtype, tensor.shape]);
    expect(lazy.read()).toEqual(tensor);
  }
  expect(notes).toEqual([]);
  expect(format.recognizes(bytes.subarray(0, 64))).toBe(true);
  expect(await dangers(bytes)).toEqual([]);
});

test("a tensor is read when its chunk is taken", () => {
  const log: string[] = [];
  const lazy = (name: string): LazyTensor => ({
    ...lazyTensor(hostTensor("float32", [1000], new Float32Array(1000))),
    read() {
      log.push(name);
      return hostTensor("float32", [1000], new Float32Array(1000));
    },
  });
  const files = [...format.write!(new Map([...["a", "b"].map((name) => [name, lazy(name)] as const)]))];
  for (const chunk of files[0]!.chunks) if (chunk.length === 4000) log.push("taken");
  expect([files[0]!.path, ...log]).toEqual(["model_state.pdparams", "a", "taken", "b", "taken"]);
});

test("refuses to write what NumPy or the format does not have, before anything is written", () => {
  const one = lazyTensor(hostTensor("bfloat16", [1], Uint16Array.of(0)));
  expect(() => format.write!(new Map([["w", one]]))).toThrow(
    'expected tensor "w" of a dtype that NumPy has, got bfloat16',
  );
  try {
    format.write!(new Map([["w", one]]));
  } catch (error) {
    expect((error as CheckpointError).hint).toContain("--dtype float32");
  }
  const name = "StructuredToParameterName@@";
  expect(() => format.write!(new Map([[name, lazyTensor(hostTensor("bool", [0], new Uint8Array(0)))]]))).toThrow(
    "reserved",
  );
});

interface Made {
  readonly shape?: readonly number[];
  readonly code?: string;
  readonly order?: string;
  readonly isFortran?: boolean;
  readonly data?: Uint8Array;
  readonly module?: string;
}

const numbers = (count: number) => new Uint8Array(Float32Array.from({ length: count }, (_, i) => i - 2).buffer);

function array(pickle: PickleWriter, made: Made): PickleWriter {
  const { shape = [2, 3], code = "f4", order = "<", isFortran = false, data = numbers(6), module = "numpy" } = made;
  const bytes = (value: Uint8Array) => {
    if (pickle.protocol === 4) return pickle.bytes(value);
    pickle
      .global("_codecs", "encode")
      .op("MARK")
      .text(String.fromCharCode(...value))
      .text("latin1");
    return pickle.op("TUPLE").op("REDUCE");
  };
  pickle.global(`${module}.multiarray`, "_reconstruct").op("MARK").global("numpy", "ndarray").tuple([0]);
  bytes(latin1("b")).op("TUPLE").op("REDUCE").op("MARK").integer(1).tuple(shape);
  pickle.global("numpy", "dtype").op("MARK").text(code).op("NEWFALSE").op("NEWTRUE").op("TUPLE").op("REDUCE");
  pickle.op("MARK").integer(3).text(order).op("NONE").op("NONE").op("NONE").integer(-1).integer(-1).integer(0);
  pickle
    .op("TUPLE")
    .op("BUILD")
    .op(isFortran ? "NEWTRUE" : "NEWFALSE");
  return bytes(data).op("TUPLE").op("BUILD");
}

function file(arrays: Readonly<Record<string, Made>>, protocol: 2 | 4 = 4): Uint8Array {
  const pickle = new PickleWriter(protocol).op("EMPTY_DICT").op("MARK");
  for (const [name, made] of Object.entries(arrays)) array(pickle.text(name), { module: "numpy.core", ...made });
  return pickle.op("SETITEMS").finish();
}

const valuesOf = ({ tensors }: Checkpoint) => {
  return Object.fromEntries([...tensors].map(([name, lazy]) => [name, [...(lazy.read().data as Float32Array)]]));
};

test.each([2, 4] as const)(
  "arrays of protocol %s, short and long, of both NumPys, row by row and in Fortran's order",
  async (protocol) => {
    const long = new Uint8Array(6000).map((_, i) => i * 31);
    const checkpoint = await open(
      file(
        {
          old: { module: "numpy.core" },
          new: { module: "numpy._core", order: "=" },
          fortran: { isFortran: true },
          long: { shape: [6000], code: "u1", order: "|", data: long },
          scalar: { shape: [], data: numbers(1) },
        },
        protocol,
      ),
    );
    expect(valuesOf(checkpoint)).toEqual({
      old: [-2, -1, 0, 1, 2, 3],
      new: [-2, -1, 0, 1, 2, 3],
      fortran: [-2, 0, 2, -1, 1, 3],
      long: [...long],
      scalar: [-2],
    });
  },
);

test("long bytes are views of the file, nothing is copied", async () => {
  const bytes = file({ w: { shape: [5000], code: "u1", data: new Uint8Array(5000).fill(3) } });
  const { tensors } = await open(bytes);
  expect(tensors.get("w")!.read().data.buffer).toBe(bytes.buffer);
});

test("uint16 is Paddle's bfloat16, and a note says so", async () => {
  const checkpoint = await open(
    file({ w: { code: "u2", shape: [2], data: new Uint8Array(Uint16Array.of(0x3f80, 0).buffer) } }),
  );
  expect(checkpoint.tensors.get("w")!.read()).toEqual(hostTensor("bfloat16", [2], Uint16Array.of(0x3f80, 0)));
  expect(checkpoint.notes).toEqual(["1 tensors of uint16 were read as bfloat16, which Paddle stores so"]);
});

/** The table of parts as paddle.save writes it. */
function parts(slices: readonly string[], shape = [3, 2]): Uint8Array {
  const pickle = new PickleWriter(2).op("EMPTY_DICT").op("MARK");
  const piece = (name: string, count: number) =>
    array(pickle.text(name), { shape: [count], data: numbers(count), module: "numpy.core" });
  piece("w@@.0", 4);
  piece("w@@.1", 2);
  pickle.text("UnpackBigParamInfor@@").op("EMPTY_DICT").op("MARK").text("w").op("EMPTY_DICT").op("MARK");
  pickle.text("OriginShape").tuple(shape).text("slices").op("MARK");
  for (const slice of slices) pickle.text(slice);
  return pickle.op("TUPLE").op("SETITEMS").op("SETITEMS").op("SETITEMS").finish();
}

test("arrays in parts are put together", async () => {
  const checkpoint = await open(parts(["w@@.0", "w@@.1"]));
  expect(valuesOf(checkpoint)).toEqual({ w: [-2, -1, 0, 1, -2, -1] });
  expect(checkpoint.tensors.get("w")!.shape).toEqual([3, 2]);
});

test("tensors that were saved by themselves, under a key, beside other values", async () => {
  const pickle = new PickleWriter(4).op("EMPTY_DICT").op("MARK").text("epoch").integer(3);
  pickle.text("model").op("EMPTY_DICT").op("MARK").text("w");
  pickle.global("builtins", "tuple").op("MARK").op("MARK").text("linear_0.w_0");
  array(pickle, { module: "numpy.core" }).op("TUPLE").op("TUPLE").op("REDUCE").text("step").integer(9);
  const { tensors, notes } = await open(pickle.op("SETITEMS").op("SETITEMS").finish());
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(notes).toEqual(['the weights were saved under "model"', "left out, not tensors: step"]);
});

test.each<[string, Uint8Array, string]>([
  ["an empty file", new Uint8Array(0), "expected 1 bytes at byte 0"],
  ["bytes at the end", join([file({ w: {} }), new Uint8Array(2)]), "expected the end of the file, got 2 bytes more"],
  ["no dict", latin1("\x80\x04]."), "expected a dict of tensors"],
  ["code", latin1("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."), "got posix.system"],
  ["Paddle's own call of eval", latin1("\x80\x02}U\x01wc__builtin__\neval\nU\x04data}\x86Rs."), "got __builtin__.eval"],
  [
    "another type for _reconstruct",
    latin1("cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R."),
    "expected numpy.ndarray to be made, got numpy.dtype",
  ],
  ["an unknown dtype", file({ w: { code: "c8", shape: [3] } }), "got c8"],
  ["a dtype that is a property of objects", file({ w: { code: "constructor" } }), "got constructor"],
  ["objects in an array", file({ w: { code: "O8" } }), "got O8"],
  ["big-endian numbers", file({ w: { order: ">" } }), "little-endian"],
  ["fewer bytes than the shape", file({ w: { shape: [7] } }), 'expected 28 bytes of array "w", got 24'],
  ["more bytes than the shape", file({ w: { shape: [5] } }), "expected 20 bytes"],
  ["fewer characters than the shape", file({ w: { shape: [99, 99] } }, 2), "expected 39204 bytes"],
  ["a negative size", file({ w: { shape: [-2, -3] } }), "expected a shape of at most 64 sizes"],
  [
    "too many axes",
    file({ w: { shape: new Array(65).fill(1), data: numbers(1) } }),
    "expected a shape of at most 64 sizes",
  ],
  ["sizes whose product overflows", file({ w: { shape: [2 ** 52, 2 ** 52] } }), "expected a shape"],
  ["a part that is missing", parts(["w@@.0", "w@@.2"]), "expected parts of"],
  ["a part twice", parts(["w@@.0", "w@@.0"]), "expected parts of"],
  ["parts of another shape", parts(["w@@.0", "w@@.1"], [3, 3]), "with 9 elements, each once, got 6"],
])("refuses %s", async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(CheckpointError);
  await expect(open(bytes)).rejects.toThrow(message);
});

test("characters beyond 255 are no bytes", async () => {
  const text = `X\x70\x17\x00\x00${"\xc2\x80".repeat(2998)}\xe4\xb8\xad\x61`;
  const bytes = latin1(
    `\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85NtR(K\x01M\xb8\x0b\x85cnumpy\ndtype\nU\x02u1\x85R` +
      `\x89c_codecs\nencode\n${text}U\x06latin1\x86Rtbs.`,
  );
  const { tensors } = await open(bytes);
  expect(() => tensors.get("w")!.read()).toThrow(CheckpointError);
  expect(() => tensors.get("w")!.read()).toThrow("expected 3000 characters up to 255");
});

test("dangers are listed with their byte", async () => {
  const bytes = latin1("\x80\x04}\x8c\x01w\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85Rs.");
  expect(await dangers(bytes)).toEqual(["byte 22: names builtins.eval", "byte 27: calls builtins.eval"]);
});

test.each([2, 4] as const)("refuses a file of protocol %s cut at any byte", async (protocol) => {
  const bytes = file({ w: {}, v: { isFortran: true } }, protocol);
  for (let length = 0; length < bytes.length; length++) {
    await expect(open(bytes.subarray(0, length))).rejects.toThrow(CheckpointError);
  }
});

describeShared("reference/bert-tiny", "Paddle: the reference model", (folder) => {
  const truth = readSafetensors(new Uint8Array(readFileSync(`${folder}/model.safetensors`)));
  /** The names of PaddleNLP 2.2 to those of Transformers, as the README of the reference tells them. */
  const rename = (name: string) =>
    name
      .replace("encoder.layers.", "encoder.layer.")
      .replace(
        /self_attn\.([qkv])_proj/,
        (_, letter) => `attention.self.${{ q: "query", k: "key", v: "value" }[letter as "q"]}`,
      )
      .replace("self_attn.out_proj", "attention.output.dense")
      .replace("linear1", "intermediate.dense")
      .replace("linear2", "output.dense")
      .replace("norm1", "attention.output.LayerNorm")
      .replace("norm2", "output.LayerNorm")
      .replace(/predictions\.transform\.(weight|bias)/, "predictions.transform.dense.$1")
      .replace("predictions.layer_norm", "predictions.transform.LayerNorm")
      .replace("layer_norm", "LayerNorm")
      .replace("decoder_bias", "bias");

  test.each(["", ".protocol2", ".numpy2"])("model_state%s.pdparams has all weights, bit for bit", async (variant) => {
    const bytes = new Uint8Array(readFileSync(`${folder}/paddle/model_state${variant}.pdparams`));
    const { tensors, notes } = await open(bytes);
    expect([tensors.size, notes, await dangers(bytes)]).toEqual([95, [], []]);
    for (const [name, lazy] of tensors) {
      if (name === "cls.predictions.decoder_weight") continue;
      const { data, shape } = truth.get(rename(name)) as HostTensor<"float32">;
      const tensor = lazy.read();
      const isLinear = shape.length === 2 && !name.includes("embeddings");
      const [rows, columns] = shape as [number, number];
      const expected = isLinear ? data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!) : data;
      expect([name, tensor.shape]).toEqual([name, isLinear ? [columns, rows] : shape]);
      expect(Buffer.compare(tensorBytes(tensor), new Uint8Array(expected.slice().buffer))).toBe(0);
    }
    const again = await open(join([...format.write!(tensors)][0]!.chunks));
    for (const [name, lazy] of tensors) expect(again.tensors.get(name)!.read()).toEqual(lazy.read());
  });
});
