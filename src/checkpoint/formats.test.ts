/** Which of several checkpoints is taken, and what a file without a telling name is. */
import { expect, test } from "vitest";
import { CheckpointError } from "../errors.ts";
import { checkpointFormats, findCheckpoints, formatOfFile } from "./formats.ts";
import { memoryFiles } from "./source.ts";

const found = (...paths: string[]) => findCheckpoints(paths).map(({ format, path }) => `${format.name} ${path}`);

test("the least deep comes first, then usual names, then what loads fastest", () => {
  expect(
    found("checkpoint-9/model.safetensors", "moments.safetensors", "pytorch_model.bin", "model.safetensors"),
  ).toEqual([
    "safetensors model.safetensors",
    "pytorch pytorch_model.bin",
    "safetensors moments.safetensors",
    "safetensors checkpoint-9/model.safetensors",
  ]);
  expect(found("model.bin", "model_state.pdparams")[0]).toBe("paddle model_state.pdparams");
  expect(found("config.json", "vocab.txt", "readme.md", "bert_model.ckpt.data-00000-of-00001")).toEqual([]);
});

test("of several steps the last is taken, by number", () => {
  expect(found("model.ckpt-900.index", "model.ckpt-10000.index", "model.ckpt-2000.index")[0]).toBe(
    "tensorflow model.ckpt-10000.index",
  );
  expect(found("model.ckpt-900.index", "bert_model.ckpt.index")[0]).toBe("tensorflow bert_model.ckpt.index");
});

test("every format has names of its own, and no two the same one", () => {
  const usual = [
    "model.safetensors",
    "pytorch_model.bin",
    "model_state.pdparams",
    "bert_model.ckpt.index",
    "tf_model.h5",
  ];
  expect(usual.map((name) => findCheckpoints([name]).length)).toEqual(usual.map(() => 1));
  expect(new Set(checkpointFormats.map(({ name }) => name)).size).toBe(checkpointFormats.length);
});

test("a file with another name is known by its beginning, or refused", async () => {
  const numpy = new TextEncoder().encode("NUMPY");
  const files = memoryFiles(
    "m",
    new Map([
      ["weights", Uint8Array.of(0x93, ...numpy, 1, 0, 0, 0)],
      ["text", numpy],
    ]),
  );
  expect((await formatOfFile(files, "weights")).name).toBe("numpy");
  await expect(formatOfFile(files, "text")).rejects.toThrow(CheckpointError);
});
