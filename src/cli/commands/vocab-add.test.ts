import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { readSafetensors, writeSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { FileError, UsageError } from "../../errors.ts";
import { parseConfig } from "../../model/config.ts";
import { initializeWeights } from "../../model/initialize.ts";
import { BertModel } from "../../node/bert-model.ts";
import { modelFiles } from "../../node/model-files.ts";
import { createOnnxRuntime } from "../../node/onnxruntime.ts";
import { Vocabulary } from "../../text/vocabulary.ts";
import { Random } from "../../util/random.ts";
import { tensorBytes } from "../../util/tensor.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [unused1] [UNK] [CLS] [SEP] [MASK]".split(" "),
  ...`我爱北京好。" '`.split(" ").flatMap((group) => [...group]),
]);
const MODEL = "model.safetensors";
let root: string;
let model: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "zhbert-vocab-add-"));
  model = mkdtempSync(join(root, "model-"));
  const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
  const config = parseConfig({ vocab_size: vocabulary.size, ...sizes }, "config.json");
  const tokenizer = { rules: "huggingface", lowercase: true, curlyQuotes: "keep" } as const;
  for (const [name, text] of modelFiles(config, vocabulary, { tokenizer, nextSentence: true })) {
    writeFileSync(join(model, name), text);
  }
  const written = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
  writeFileSync(join(model, "config.json"), JSON.stringify({ ...written, of_another_program: 7 }));
  const weights = initializeWeights(config, new Random(1), { nextSentence: true });
  writeFileSync(join(model, MODEL), Buffer.concat(writeSafetensors(weights)));
  writeFileSync(join(root, "tokens.txt"), "北京\n“\n\n好\n");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const add = async (output: string, ...options: readonly string[]) =>
  parseLines(await runCommand(["vocab-add", model, ...options, "-o", join(root, output), "--json"]))[0];
const weightsOf = (folder: string) => readSafetensors(new Uint8Array(readFileSync(join(folder, MODEL))), MODEL);

describe("vocab-add", () => {
  test("writes a model with more tokens, whose other weights and settings are as before", async () => {
    const result = await add("grown", join(root, "tokens.txt"), "--tokens", "” 爱好");
    expect(result.added.map(({ token, id }: { token: string; id: number }) => [token, id])).toEqual([
      ["北京", 14],
      ["“", 15],
      ["”", 16],
      ["爱好", 17],
    ]);
    expect(result).toMatchObject({ present: ["好"], sizeBefore: 14, size: 18 });
    const config = JSON.parse(readFileSync(join(root, "grown/config.json"), "utf8"));
    expect(config).toMatchObject({ vocab_size: 18, of_another_program: 7, architectures: ["BertForPreTraining"] });
    const [before, after] = [weightsOf(model), weightsOf(join(root, "grown"))];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, tensor] of before) {
      const bytes = tensorBytes(after.get(name) as typeof tensor).subarray(0, tensorBytes(tensor).length);
      expect([name, Buffer.from(bytes).equals(tensorBytes(tensor))]).toEqual([name, true]);
    }
    const runtime = createOnnxRuntime({ threads: 1 });
    const grown = await BertModel.fromPretrained(join(root, "grown"), { runtime });
    expect(grown.tokenizer.tokenize("我爱好“北京”")).toEqual(["我", "爱好", "“", "北京", "”"]);
    const [filled] = await grown.fillMask(["我[MASK]北京。"], { topK: 18 });
    expect(filled?.masks[0]?.find(({ token }) => token === "爱好")?.text).toBe("我爱好北京。");
    await runtime.dispose();
  });

  test("--use-unused keeps the size where there is room", async () => {
    const result = await add("unused", "--tokens", "“", "--use-unused");
    expect(result).toMatchObject({ sizeBefore: 14, size: 14 });
    expect(readFileSync(join(root, "unused/vocab.txt"), "utf8").split("\n")[1]).toBe("“");
  });

  test("--curly-quotes alone changes how the model reads text, everywhere", async () => {
    await add("mapped", "--curly-quotes", "map");
    const mapped = join(root, "mapped");
    const [result] = parseLines(
      await runCommand(["tokenize", "--vocab", mapped, "“好’", "--json", "--no-special-tokens"]),
    );
    expect(result.tokens).toEqual(['"', "好", "'"]);
    const again = parseLines(
      await runCommand(["vocab-add", mapped, "-o", join(root, "kept"), "--curly-quotes", "keep", "--json"]),
    );
    expect(again[0].curlyQuotes).toBe("keep");
  });

  test("refuses nothing to do, its own folder, and files that are in the way", async () => {
    await expect(add("nothing")).rejects.toThrow(UsageError);
    await expect(runCommand(["vocab-add", model, "--tokens", "“", "-o", model])).rejects.toThrow(FileError);
    await expect(add("mapped", "--tokens", "“")).rejects.toThrow(FileError);
    await add("mapped", "--tokens", "“", "--overwrite");
    expect(readdirSync(join(root, "mapped")).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
