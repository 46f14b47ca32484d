/** Files made with h5wasm in its own memory, and the reference file where it is. */
import { readFileSync } from "node:fs";
import * as h5wasm from "h5wasm";
import { beforeAll, expect, test, vi } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { CheckpointError, FileError } from "../../errors.ts";
import { type HostTensor, hostTensor, tensorBytes } from "../../util/tensor.ts";
import { type ByteSource, memoryFiles } from "../source.ts";
import format from "./keras-h5.ts";
import { readSafetensors } from "./safetensors.ts";

const open = (bytes: Uint8Array) => format.open(memoryFiles("m", new Map([["tf_model.h5", bytes]])), "tf_model.h5");

/** The bytes of a file with what `fill` puts into it. */
function makeFile(fill: (file: h5wasm.File) => void): Uint8Array {
  const file = new h5wasm.File("/made.h5", "w");
  fill(file);
  file.close();
  const fs = h5wasm.FS as NonNullable<typeof h5wasm.FS>;
  const bytes = fs.readFile("/made.h5").slice();
  fs.unlink("/made.h5");
  return bytes;
}

beforeAll(() => h5wasm.ready);

test("datasets of all dtypes, by their paths", async () => {
  const bytes = makeFile((file) => {
    const group = file.create_group("bert").create_group("encoder");
    group.create_dataset({ name: "kernel:0", data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
    group.create_dataset({ name: "step", data: BigInt64Array.of(-5n), shape: [] });
    file.create_dataset({ name: "bytes", data: Uint8Array.of(1, 255) });
    file.create_dataset({ name: "texts", data: ["a", "b"] });
    file.create_dataset({ name: "empty", data: new Int32Array(0), shape: [0, 4] });
    file.create_group("nothing");
  });
  const { tensors, notes } = await open(bytes);
  expect([...tensors.keys()].sort()).toEqual(["bert/encoder/kernel:0", "bert/encoder/step", "bytes", "empty"]);
  expect(tensors.get("bert/encoder/kernel:0")!.read()).toEqual(
    hostTensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
  );
  expect(tensors.get("bert/encoder/step")!.read()).toEqual(hostTensor("int64", [], BigInt64Array.of(-5n)));
  expect(tensors.get("bytes")!.read().data).toEqual(Uint8Array.of(1, 255));
  expect(tensors.get("empty")!.read()).toEqual(hostTensor("int32", [0, 4], new Int32Array(0)));
  expect(notes).toEqual(["texts was left out: its elements are no little-endian numbers in this file"]);
});

test("datasets of more than one buffer, in one piece and in packed chunks", async () => {
  const values = Float32Array.from({ length: 1_100_000 }, (_, i) => i % 1000);
  const bytes = makeFile((file) => {
    file.create_dataset({ name: "plain", data: values, shape: [2200, 500] });
    file.create_dataset({ name: "packed", data: values, shape: [2200, 500], chunks: [100, 500], compression: 1 });
  });
  const { tensors } = await open(bytes);
  for (const name of ["plain", "packed"]) {
    expect(Buffer.compare(tensorBytes(tensors.get(name)!.read()), new Uint8Array(values.buffer))).toBe(0);
  }
});

test("links are not followed, and no other file is opened", async () => {
  const secret = makeFile((file) => file.create_dataset({ name: "w", data: Float32Array.of(1) }));
  const fs = h5wasm.FS as NonNullable<typeof h5wasm.FS>;
  fs.writeFile("/secret.h5", secret);
  const bytes = makeFile((file) => {
    file.create_dataset({ name: "w", data: Float32Array.of(1) });
    file.create_soft_link("/w", "soft");
    file.create_soft_link("/", "up");
    file.create_external_link("/secret.h5", "/w", "external");
  });
  const opened = vi.spyOn(fs, "open");
  const { tensors, notes } = await open(bytes);
  tensors.get("w")!.read();
  expect(new Set(opened.mock.calls.map(([path]) => path))).toEqual(new Set(["/zhbert.h5"]));
  opened.mockRestore();
  fs.unlink("/secret.h5");
  expect([...tensors.keys()]).toEqual(["w"]);
  expect(notes).toEqual([
    "external was left out: it is a link to another file, which is not opened",
    "soft was left out: it is a link",
    "up was left out: it is a link",
  ]);
});

test("groups within each other without end, and too many of them, are refused", async () => {
  const cycle = makeFile((file) => {
    file.create_group("a");
    (file.get("a") as h5wasm.Group).create_hard_link("/a", "b");
  });
  await expect(open(cycle)).rejects.toThrow("expected groups within 32 others at most");
});

test("claims beyond the file are refused before memory is set aside", async () => {
  const chunks = makeFile((file) =>
    file.create_dataset({
      name: "bomb",
      data: new Float32Array(4e6),
      shape: [4000, 1000],
      chunks: [1000, 1000],
      compression: 9,
    }),
  );
  await expect(open(chunks)).rejects.toThrow(CheckpointError);
  await expect(open(chunks)).rejects.toThrow('bytes for "bomb"');
  // The same file, but for the size of its first axis: 2 becomes 2^30.
  const plain = makeFile((file) => file.create_dataset({ name: "w", data: Float32Array.of(1, 2), shape: [2, 1] }));
  const at = plain.findIndex(
    (_, i) => plain[i] === 2 && plain[i + 8] === 1 && plain[i + 16] === 2 && plain[i + 24] === 1,
  );
  expect(at).toBeGreaterThan(0);
  plain[at] = 0;
  plain[at + 3] = 0x40;
  plain[at + 19] = 0x40;
  plain[at + 16] = 0;
  await expect(open(plain)).rejects.toThrow(CheckpointError);
});

test("what is no HDF5 file, or cut short, is refused without a word on the console", async () => {
  const said = (["log", "error", "warn", "debug"] as const).map((level) => vi.spyOn(console, level));
  const bytes = makeFile((file) => file.create_dataset({ name: "w", data: new Float32Array(1000) }));
  await expect(open(new Uint8Array(2000))).rejects.toThrow("a file that the HDF5 library cannot open");
  for (let length = 0; length < bytes.length; length += 97) {
    await expect(open(bytes.subarray(0, length))).rejects.toThrow(CheckpointError);
  }
  for (const spy of said) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});

test("an error of the source comes through as it is", async () => {
  const bytes = makeFile((file) => file.create_dataset({ name: "w", data: new Float32Array(1000) }));
  const source: ByteSource = {
    name: "remote",
    size: bytes.length,
    slice() {
      throw new FileError({ where: "remote", expected: "the file", got: "a closed connection" });
    },
  };
  const files = { name: "m", paths: ["tf_model.h5"], open: async () => source };
  await expect(format.open(files, "tf_model.h5")).rejects.toThrow(FileError);
});

describeShared("reference/bert-tiny/tf2", "Keras: the reference file", (folder) => {
  /** Transformers' PyTorch name of a dataset: without what Keras puts before it, and with PyTorch's words. */
  function pytorchName(path: string): string {
    const table: [RegExp, string][] = [
      [/^.*tf_bert_for_pre_training\//, ""],
      [/^(mlm|nsp)___cls/, "cls"],
      [/layer_\._/, "layer."],
      [/\/(gamma|kernel|embeddings|weight):0$/, ".weight"],
      [/\/(beta|bias):0$/, ".bias"],
    ];
    return table.reduce((name, [from, to]) => name.replace(from, to), path).replaceAll("/", ".");
  }

  function transposed({ shape, data }: HostTensor): HostTensor {
    const [rows = 1, columns = 1] = shape;
    const values = Float32Array.from(
      { length: data.length },
      (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number,
    );
    return hostTensor("float32", [columns, rows], values);
  }

  test("all 94 tensors bit by bit, kernels transposed; the embeddings once more beside the head", async () => {
    const { tensors, notes } = await open(new Uint8Array(readFileSync(`${folder}/tf_model.h5`)));
    expect(notes).toEqual([]);
    expect(tensors.size).toBe(99);
    const truth = readSafetensors(new Uint8Array(readFileSync(`${folder}/../model.safetensors`)));
    const seen = new Set<string>();
    for (const [path, tensor] of tensors) {
      const name = pytorchName(path);
      const { dtype, shape, data } = truth.get(name) as HostTensor;
      expect(tensor.read()).toEqual(
        path.endsWith("kernel:0") ? transposed({ dtype, shape, data }) : { dtype, shape, data },
      );
      seen.add(name);
    }
    expect([...seen].sort()).toEqual([...truth.keys()].sort());
  });
});
