/** PyTorch's files of the reference model, bit for bit against safetensors. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { type NamedTensors, tensorBytes } from "../../util/tensor.ts";
import type { Checkpoint } from "../format.ts";
import format from "../formats/pytorch.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { memoryFiles } from "../source.ts";

const join = (chunks: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...chunks]));
const open = (bytes: Uint8Array) => format.open(memoryFiles("m", new Map([["f.bin", bytes]])), "f.bin");
const dangers = (bytes: Uint8Array) => format.findDangers!(memoryFiles("m", new Map([["f.bin", bytes]])), "f.bin");

describeShared("reference/bert-tiny", "PyTorch: the reference model", (folder) => {
  const load = (name: string) => readSafetensors(new Uint8Array(readFileSync(`${folder}/${name}`)), name);
  const openFile = (name: string) => open(new Uint8Array(readFileSync(`${folder}/${name}`)));
  const expectSame = (checkpoint: Checkpoint, truth: NamedTensors, rename = (name: string) => name) => {
    for (const [name, tensor] of truth) {
      const read = checkpoint.tensors.get(rename(name))!.read();
      expect([name, read.dtype, read.shape]).toEqual([name, tensor.dtype, tensor.shape]);
      expect(Buffer.compare(tensorBytes(read), tensorBytes(tensor))).toBe(0);
    }
  };

  test.each([
    ["pytorch_model.bin", 97],
    ["pytorch_model.legacy.bin", 97],
  ])("%s has all weights, the tied ones too", async (name, count) => {
    const checkpoint = await openFile(name);
    expect(checkpoint.tensors.size).toBe(count);
    expectSame(checkpoint, load("model.safetensors"));
    const { tensors } = checkpoint;
    expect(tensors.get("cls.predictions.decoder.weight")).toBe(tensors.get("bert.embeddings.word_embeddings.weight"));
    expect(tensors.get("bert.embeddings.position_ids")!.read().data).toEqual(
      BigInt64Array.from({ length: 64 }, (_, i) => BigInt(i)),
    );
    expect(await dangers(new Uint8Array(readFileSync(`${folder}/${name}`)))).toEqual([]);
  });

  test("the names of 2019 with transposed strides", async () => {
    const checkpoint = await openFile("pytorch_model.gamma-beta.bin");
    expect(checkpoint.tensors.size).toBe(95);
    const rename = (name: string) =>
      name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    expectSame(checkpoint, load("model.safetensors"), rename);
  });

  test.each(["float16", "bfloat16", "no-mlm-head"])("%s as in safetensors", async (name) => {
    expectSame(await openFile(`${name}.bin`), load(`${name}.safetensors`));
  });

  test("the shards", async () => {
    const paths = readdirSync(`${folder}/sharded`).filter((path) => path.includes("pytorch"));
    const read = (path: string) => new Uint8Array(readFileSync(`${folder}/sharded/${path}`));
    const files = memoryFiles("sharded", new Map(paths.map((path) => [path, read(path)])));
    const checkpoint = await format.open(files, "pytorch_model.bin.index.json");
    expectSame(checkpoint, load("model.safetensors"));
  });

  test("written again, every bit is the same", async () => {
    const { tensors } = await openFile("pytorch_model.gamma-beta.bin");
    const again = await open(join([...format.write!(tensors)][0]!.chunks));
    expect([...again.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) expect(again.tensors.get(name)!.read()).toEqual(tensor.read());
  });
});
