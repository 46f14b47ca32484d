/** Sharded checkpoints are written as they are read, and as Transformers names them. */
import { expect, test } from "vitest";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { lazyTensors, readTensors } from "./format.ts";
import safetensors from "./formats/safetensors.ts";
import { shardedFiles } from "./shards.ts";
import { memoryFiles } from "./source.ts";

const write = safetensors.write as NonNullable<typeof safetensors.write>;
const numbers = (count: number): HostTensor => hostTensor("float32", [count], Float32Array.from(Array(count).keys()));
const tensors = new Map([
  ["b", numbers(3)],
  ["a", numbers(2)],
  ["large", numbers(50)],
  ["c", numbers(1)],
]);

function written(maxBytes: number) {
  return new Map(
    [...shardedFiles(write, lazyTensors(tensors), maxBytes)].map(({ path, chunks }) => [
      path,
      new Uint8Array(Buffer.concat([...chunks])),
    ]),
  );
}

test("shards are filled in order; what is larger than the limit has a file of its own; the index says where all are", () => {
  const files = written(20);
  expect([...files.keys()]).toEqual([
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
    "model.safetensors.index.json",
  ]);
  expect(JSON.parse(new TextDecoder().decode(files.get("model.safetensors.index.json")))).toEqual({
    metadata: { total_size: 224 },
    weight_map: {
      a: "model-00001-of-00003.safetensors",
      b: "model-00001-of-00003.safetensors",
      c: "model-00003-of-00003.safetensors",
      large: "model-00002-of-00003.safetensors",
    },
  });
});

test("they read back to the same tensors", async () => {
  const { tensors: read } = await safetensors.open(memoryFiles("shards", written(20)), "model.safetensors.index.json");
  expect(readTensors(read)).toEqual(tensors);
});

test("what fits into one file is written as one, without an index", () => {
  expect([...written(224).keys()]).toEqual(["model.safetensors"]);
});
