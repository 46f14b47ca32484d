import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { writeSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { ArgumentError, CorpusError, UsageError } from "../../errors.ts";
import { parseConfig } from "../../model/config.ts";
import { initializeWeights } from "../../model/initialize.ts";
import { modelFiles } from "../../node/model-files.ts";
import { Vocabulary } from "../../text/vocabulary.ts";
import { Random } from "../../util/random.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [UNK] [CLS] [SEP] [MASK]".split(" "),
  ...`我们今天在公园散步很高兴。"`,
]);
let root: string;
let model: string;
let corpus: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "zhbert-mlm-head-"));
  model = mkdtempSync(join(root, "model-"));
  const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
  const config = parseConfig({ vocab_size: vocabulary.size, ...sizes, max_position_embeddings: 32 }, "config.json");
  const tokenizer = { rules: "huggingface", lowercase: true, curlyQuotes: "map" } as const;
  for (const [name, text] of modelFiles(config, vocabulary, { tokenizer, nextSentence: false })) {
    writeFileSync(join(model, name), text);
  }
  const weights = initializeWeights(config, new Random(1), { nextSentence: false });
  const encoder = new Map([...weights].filter(([name]) => name.startsWith("bert.")));
  writeFileSync(join(model, "model.safetensors"), Buffer.concat(writeSafetensors(encoder)));
  corpus = join(root, "corpus.txt");
  writeFileSync(corpus, "我们今天在公园散步。“很高兴。”\n\n".repeat(40));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const train = async (output: string, ...options: readonly string[]) => {
  let stderr = "";
  const size = ["--steps", "4", "--batch-size", "4", "--threads", "1", "--logging-steps", "2"];
  const args = ["mlm-head", model, corpus, "-o", join(root, output), ...size, ...options];
  const stdout = await runCommand(args, [], (text) => {
    stderr = text;
  });
  return { stdout, stderr };
};

describe("mlm-head", () => {
  test("says what it begins with, measures, and leaves a model whose tokenizer is as before", async () => {
    const { stdout, stderr } = await train("out", "--json");
    expect(stderr).toMatch(/has no MLM head .*a new one is trained/);
    expect(stderr).toMatch(/step 4: held-out loss .*MLM accuracy/);
    expect(stderr).toMatch(/ 1\.1 K parameters, 0\.1 K of them trained/);
    expect(parseLines(stdout).map(({ step }) => step)).toEqual([2, 4]);
    const files = ["config.json", "vocab.txt", "tokenizer.json", "model.safetensors", "loss-curve.svg"];
    for (const file of files) expect([file, existsSync(join(root, "out", file))]).toEqual([file, true]);
    const json = (folder: string) => readFileSync(join(folder, "tokenizer.json"), "utf8");
    expect(json(join(root, "out"))).toBe(json(model));
    const filled = parseLines(await runCommand(["fill-mask", join(root, "out"), "我们[MASK]天", "--json"]));
    expect(filled[0].masks[0]).toHaveLength(5);
  });

  test("refuses what does not go together, and text that is none", async () => {
    await expect(runCommand(["mlm-head", join(root, "out"), "--resume", "--steps", "9"])).rejects.toThrow(UsageError);
    await expect(runCommand(["mlm-head", join(root, "out"), corpus, "--resume"])).rejects.toThrow(UsageError);
    writeFileSync(join(root, "empty.txt"), "\n");
    const empty = runCommand(["mlm-head", model, join(root, "empty.txt"), "-o", join(root, "none")]);
    await expect(empty).rejects.toThrow(CorpusError);
    await expect(train("none", "--warmup-steps", "9")).rejects.toThrow(ArgumentError);
    expect(existsSync(join(root, "none"))).toBe(false);
  });
});
