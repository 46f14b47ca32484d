/** One model in the names of every library: each file gives the same weights bit for bit, and is given back as it was. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LazyTensors } from "../src/checkpoint/format.ts";
import { formatOfFile } from "../src/checkpoint/formats.ts";
import { type Dialect, fromHuggingFaceNames, toHuggingFaceNames } from "../src/model/weight-names.ts";
import { openModelSource } from "../src/node/model-source.ts";
import { tensorBytes } from "../src/util/tensor.ts";
import { describeShared } from "./shared.ts";

async function open(path: string): Promise<LazyTensors> {
  const { files, checkpoint } = await openModelSource(path);
  const inside = checkpoint ?? (files.paths.find((one) => one.endsWith(".index")) as string);
  return (await (await formatOfFile(files, inside)).open(files, inside)).tensors;
}

/** Names, types and bytes, in the order of the names. */
function bits(tensors: LazyTensors): Record<string, string> {
  const lines = [...tensors].map(([name, tensor]): [string, string] => {
    const { dtype, shape } = tensor;
    return [name, `${dtype}[${shape}] ${Buffer.from(tensorBytes(tensor.read())).toString("base64")}`];
  });
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Paths, dialects, and how many names are left out as what. */
const files: readonly (readonly [path: string, dialect: Dialect, ignored: Record<string, number>])[] = [
  ["model.safetensors", "huggingface", {}],
  ["pytorch_model.bin", "huggingface", { buffer: 1, "tied copy": 2 }],
  ["pytorch_model.legacy.bin", "huggingface", { buffer: 1, "tied copy": 2 }],
  ["pytorch_model.gamma-beta.bin", "pytorch-2019", { "tied copy": 1 }],
  ["sharded/model.safetensors.index.json", "huggingface", {}],
  ["sharded/pytorch_model.bin.index.json", "huggingface", {}],
  ["tf/bert_model.ckpt", "tensorflow", { "optimiser slot": 188, "state of training": 1 }],
  ["tf/two-shards/bert_model.ckpt", "tensorflow", { "state of training": 1 }],
  ["tf/snappy-index/bert_model.ckpt", "tensorflow", { "state of training": 1 }],
  ["tf/chinese_wwm_L-5_H-32_A-4.zip", "tensorflow", { "state of training": 1 }],
  ["tf2/tf_model.h5", "keras", { "tied copy": 5 }],
  ["paddle/model_state.pdparams", "paddle", { "tied copy": 1 }],
  ["paddle/model_state.protocol2.pdparams", "paddle", { "tied copy": 1 }],
  ["paddle/model_state.numpy2.pdparams", "paddle", { "tied copy": 1 }],
];

describeShared("reference/bert-tiny", "one model in the names of every library", (folder) => {
  test.each(files)("%s has %s's names", async (path, dialect, ignored) => {
    const truth = await open(join(folder, "model.safetensors"));
    const raw = await open(join(folder, path));
    const named = toHuggingFaceNames(raw, path);
    expect(named.dialect).toBe(dialect);
    expect(named.notes).toEqual([]);
    expect(named.tensors.size).toBe(94);
    expect(bits(named.tensors)).toEqual(bits(truth));
    const counts: Record<string, number> = {};
    for (const entry of named.ignored) {
      const reason = entry.slice(entry.lastIndexOf(": ") + 2).replace(/ of .*_?(weight|bias)$/, "");
      counts[reason] = (counts[reason] ?? 0) + 1;
    }
    expect(counts).toEqual(ignored);
  });

  test.each([
    ["pytorch_model.bin", "huggingface", ["bert.embeddings.position_ids"]],
    ["pytorch_model.gamma-beta.bin", "pytorch-2019", []],
    ["tf/two-shards/bert_model.ckpt", "tensorflow", ["global_step"]],
    ["tf2/tf_model.h5", "keras", []],
    ["paddle/model_state.pdparams", "paddle", []],
  ] as const)("the weights under the names of %s are those of the file", async (path, dialect, added) => {
    const truth = await open(join(folder, "model.safetensors"));
    const raw = new Map(await open(join(folder, path)));
    for (const name of added) raw.delete(name);
    expect(bits(fromHuggingFaceNames(truth, dialect))).toEqual(bits(raw));
  });

  test("an encoder without prefix and a model without its MLM head have the names of the whole model", async () => {
    const whole = [...(await open(join(folder, "model.safetensors"))).keys()];
    const names = async (path: string) => {
      const named = toHuggingFaceNames(await open(join(folder, path)), path);
      return [...named.tensors.keys()].sort();
    };
    const encoder = whole.filter((name) => name.startsWith("bert."));
    expect(await names("encoder-only/model.safetensors")).toEqual(encoder.sort());
    const headless = whole.filter((name) => !name.startsWith("cls.predictions."));
    expect(await names("no-mlm-head.bin")).toEqual(headless.sort());
    expect(await names("no-mlm-head.safetensors")).toEqual(headless.sort());
  });
});

describeShared("reference/families/ernie", "ERNIE 1.0", (folder) => {
  test("has BERT's names under Transformers' and PaddleNLP's prefix", async () => {
    const raw = await open(join(folder, "model.safetensors"));
    const named = toHuggingFaceNames(raw, "ernie");
    expect([...named.tensors.keys()]).toEqual([...raw.keys()].map((name) => name.replace(/^ernie\./, "bert.")));
    const paddle = [...fromHuggingFaceNames(named.tensors, "paddle")].map(
      ([name, tensor]) => [name.replace(/^bert\./, "ernie."), tensor] as const,
    );
    const back = toHuggingFaceNames(new Map(paddle), "ernie");
    expect(back.dialect).toBe("paddle");
    expect(bits(back.tensors)).toEqual(bits(named.tensors));
  });
});
