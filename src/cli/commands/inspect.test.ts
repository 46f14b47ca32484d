/** What `inspect` says of a sound model, of parts, and of a file that would run code. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { describeShared } from "../../../test/shared.ts";
import { writeSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { CheckpointError, FileError } from "../../errors.ts";
import { configToJson, parseConfig } from "../../model/config.ts";
import { initializeWeights } from "../../model/initialize.ts";
import { Random } from "../../util/random.ts";
import { hostTensor } from "../../util/tensor.ts";

let folder: string;
const path = (name: string) => join(folder, name);
const config = parseConfig(
  { vocab_size: 20, hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 16 },
  "config.json",
);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-inspect-"));
  const weights = initializeWeights(config, new Random(1), { nextSentence: true });
  const save = (name: string) => writeFileSync(path(name), Buffer.concat(writeSafetensors(weights)));
  save("model.safetensors");
  writeFileSync(path("config.json"), JSON.stringify(configToJson(config)));
  for (const name of weights.keys()) if (name.startsWith("cls.")) weights.delete(name);
  save("headless.safetensors");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inspect = async (name: string) => parseLines(await runCommand(["inspect", path(name), "--json"]))[0];

test("a model: format, names, config, tensors, and that its head was never trained", async () => {
  const found = await inspect("");
  expect(found).toMatchObject({ format: "safetensors", dialect: "huggingface", dangers: [], notes: [], ignored: [] });
  expect(found.config).toEqual(configToJson(config));
  expect(found.report.missing).toEqual([]);
  expect(found.tensors).toHaveLength(found.report.loaded.length);
  expect(found.parameters * 4).toBe(found.bytes);
  expect(found.mlmHead.state).toBe("untrained");
});

test("what is missing is in the report and in the table", async () => {
  const found = await inspect("headless.safetensors");
  expect(found.mlmHead.state).toBe("missing");
  expect(found.report.missing).toHaveLength(7);
  const table = await runCommand(["inspect", path("headless.safetensors"), "--tensors"]);
  expect(table).toMatch(/missing: MLM head +5/);
  expect(table).toContain("float32[20, 8]");
});

test("a file that holds nothing of a BERT is noted; a text by a name of PyTorch's is no danger", async () => {
  const other = path("other-model");
  mkdirSync(other);
  const image = new Map([["conv1.weight", hostTensor("float32", [2, 2], new Float32Array(4))]]);
  writeFileSync(join(other, "image.safetensors"), Buffer.concat(writeSafetensors(image)));
  expect((await inspect("other-model/image.safetensors")).notes).toEqual([
    `${other}/image.safetensors holds nothing of a BERT: its tensors are of another model (conv1.weight)`,
  ]);
  for (const [name, content] of Object.entries({
    "a.bin": "just some words",
    "b.bin": "hello\nworld\n",
    "c.bin": "\x89PNG\r\n",
  })) {
    writeFileSync(join(other, name), content, "latin1");
    await expect(inspect(`other-model/${name}`), name).rejects.toThrow("got no PyTorch file (it begins with");
  }
  for (const [code, danger] of [
    ["cposix\nsystem\nbroken", "got byte 0: names posix.system"],
    ["(iposix\nsystem\nbroken", "got byte 1: makes an object of posix.system"],
    ["\x82\x01broken", "got byte 0: makes an object of the extension 1"],
  ] as const) {
    writeFileSync(join(other, "d.bin"), code, "latin1");
    await expect(inspect("other-model/d.bin")).rejects.toThrow(danger);
  }
});

test("a vocabulary that the embeddings have no room for is noted", async () => {
  const other = path("other-vocabulary");
  mkdirSync(other);
  for (const name of ["model.safetensors", "config.json"]) copyFileSync(path(name), join(other, name));
  const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."一二三四五六七八九十百千万亿年月"];
  writeFileSync(join(other, "vocab.txt"), tokens.join("\n"));
  const [note] = (await inspect("other-vocabulary")).notes;
  expect(note).toContain("21 entries and the embeddings have 20 rows");
  writeFileSync(join(other, "vocab.txt"), tokens.slice(0, 20).join("\n"));
  expect((await inspect("other-vocabulary")).notes).toEqual([]);
});

test("a pointer of Git LFS is no danger, but an error with what to do", async () => {
  mkdirSync(path("clone"));
  writeFileSync(path("clone/pytorch_model.bin"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
  await expect(inspect("clone")).rejects.toThrow("a pointer of Git LFS");
});

test("a file of another kind and a missing one are errors", async () => {
  writeFileSync(path("notes"), "no weights");
  await expect(inspect("notes")).rejects.toThrow(CheckpointError);
  await expect(inspect("none.safetensors")).rejects.toThrow(FileError);
});

test("a pickle that would run code is named, and nothing of it is loaded", async () => {
  // protocol 2: os.system("true") by REDUCE
  const pickle = Buffer.concat([
    Buffer.from([0x80, 2]),
    Buffer.from("cos\nsystem\n"),
    Buffer.from([0x58, 4, 0, 0, 0]),
    Buffer.from("true"),
    Buffer.from([0x85, 0x52, 0x2e]),
  ]);
  writeFileSync(path("model_state.pdparams"), pickle);
  await expect(inspect("model_state.pdparams")).rejects.toThrow(
    /expected a file that holds tensors and nothing to execute, got .*os\.system/,
  );
});

describeShared("reference/bert-tiny", "inspect reads the reference model in every format", (reference) => {
  test.each([
    ["model.safetensors", "safetensors", "huggingface"],
    ["sharded/model.safetensors.index.json", "safetensors", "huggingface"],
    ["sharded/pytorch_model.bin.index.json", "pytorch", "huggingface"],
    ["pytorch_model.bin", "pytorch", "huggingface"],
    ["pytorch_model.gamma-beta.bin", "pytorch", "pytorch-2019"],
    ["tf", "tensorflow", "tensorflow"],
    ["tf/bert_model.ckpt", "tensorflow", "tensorflow"],
    ["tf/snappy-index", "tensorflow", "tensorflow"],
    ["tf/chinese_wwm_L-5_H-32_A-4.zip", "tensorflow", "tensorflow"],
    ["tf2/tf_model.h5", "keras-h5", "keras"],
    ["paddle", "paddle", "paddle"],
  ])("%s", async (name, format, dialect) => {
    const [found] = parseLines(await runCommand(["inspect", join(reference, name), "--json"]));
    expect(found).toMatchObject({ format, dialect, parameters: 41_630 });
    expect(found.report).toMatchObject({ missing: [], unexpected: [], reshaped: [] });
    expect(found.report.loaded).toHaveLength(94);
  });
});
