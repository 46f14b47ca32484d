import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { readSafetensors, writeSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { ArgumentError, CorpusError, UsageError } from "../../errors.ts";
import { parseConfig } from "../../model/config.ts";
import { initializeWeights } from "../../model/initialize.ts";
import { modelFiles } from "../../node/model-files.ts";
import { Vocabulary } from "../../text/vocabulary.ts";
import { Random } from "../../util/random.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [UNK] [CLS] [SEP] [MASK]".split(" "),
  ..."我爱住在北京上海哈尔滨。",
]);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-fill-"));
  const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
  const config = parseConfig({ vocab_size: vocabulary.size, ...sizes, initializer_range: 1 }, "config.json");
  const tokenizer = { rules: "huggingface", lowercase: true, curlyQuotes: "keep" } as const;
  for (const [name, text] of modelFiles(config, vocabulary, { tokenizer, nextSentence: true })) {
    writeFileSync(join(folder, name), text);
  }
  const weights = initializeWeights(config, new Random(1), { nextSentence: true });
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat(writeSafetensors(weights)));
  writeFileSync(join(folder, "words.txt"), "北京 10 ns\n上海\n\n哈尔滨 3\n广州\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fill = async (text: string, ...options: readonly string[]) =>
  parseLines(await runCommand(["fill-mask", folder, text, "--json", ...options]))[0];

describe("fill-mask", () => {
  test("warns of a head that was never trained, and of what to do", async () => {
    const stderr: string[] = [];
    await runCommand(["fill-mask", folder, "我[MASK]"], [], (text) => stderr.push(text));
    expect(stderr.join("")).toMatch(/warning: .* never trained.*`zhbert mlm-head .* corpus.txt`/);
  });

  test("says of a model without a head how one is trained, by the name that was given", async () => {
    const headless = join(folder, "headless");
    mkdirSync(headless);
    for (const name of ["config.json", "vocab.txt"]) copyFileSync(join(folder, name), join(headless, name));
    const weights = new Map(readSafetensors(readFileSync(join(folder, "model.safetensors"))));
    for (const name of weights.keys()) if (name.startsWith("cls.")) weights.delete(name);
    writeFileSync(join(headless, "model.safetensors"), Buffer.concat(writeSafetensors(weights)));
    await expect(runCommand(["fill-mask", `${headless}/`, "我[MASK]"])).rejects.toMatchObject({
      message: `${headless}/model.safetensors: expected an MLM head, got a model without one`,
      hint: `zhbert mlm-head ${headless}/ corpus.txt trains one`,
    });
  });

  test("a lexicon in another encoding, where it is named", async () => {
    // 北京 and 上海 in GB18030.
    writeFileSync(join(folder, "gb.txt"), Buffer.of(0xb1, 0xb1, 0xbe, 0xa9, 0x0a, 0xc9, 0xcf, 0xba, 0xa3, 0x0a));
    const lexicon = ["--lexicon", join(folder, "gb.txt")];
    const { masks } = await fill("我住在[MASK][MASK]。", ...lexicon, "--encoding", "gb18030");
    expect(masks[0].map(({ token }: { token: string }) => token).sort()).toEqual(["上海", "北京"]);
    await expect(fill("我住在[MASK][MASK]。", ...lexicon)).rejects.toThrow(CorpusError);
  });

  test("entries of each mask, and with --joint fillings of all", async () => {
    const plain = await fill("我[MASK]在[MASK]。", "-k", "2");
    expect(Object.keys(plain)).toEqual(["text", "masks"]);
    expect(plain.masks.map((list: unknown[]) => list.length)).toEqual([2, 2]);
    const joint = await fill("我[MASK]在[MASK]。", "-k", "3", "--joint");
    expect(joint.joint.map(({ tokens }: { tokens: string[] }) => tokens.length)).toEqual([2, 2, 2]);
    const shown = await runCommand(["fill-mask", folder, "我[MASK]在[MASK]。", "--joint"]);
    expect(shown).toMatch(/together\n.*tokens +score +text/);
  });

  test("--whole-word from jieba's dictionary, or from the words of a file", async () => {
    const { masks } = await fill("我住在[MASK][MASK]。", "--whole-word");
    expect(masks[0].map(({ token }: { token: string }) => [...token].length)).toEqual([2, 2, 2, 2, 2]);
    const own = await fill("我住在[MASK]。", "--lexicon", join(folder, "words.txt"));
    expect(own.masks[0].map(({ token }: { token: string }) => token).sort()).toEqual(["上海", "北京", "哈尔滨"]);
    const long = await fill("我住在[MASK]。", "--lexicon", join(folder, "words.txt"), "--word-lengths", "3,4");
    expect(long.masks[0].map(({ text }: { text: string }) => text)).toEqual(["我住在哈尔滨。"]);
  });

  test("--candidates compares the words given", async () => {
    const { masks } = await fill("我住在[MASK]。", "--candidates", "北京,哈尔滨", "--beam-size", "1");
    expect(masks[0].map(({ token }: { token: string }) => token).sort()).toEqual(["北京", "哈尔滨"]);
    await expect(fill("我住在[MASK]。", "--candidates", "北京,广州")).rejects.toThrow(ArgumentError);
  });

  test("refuses what does not go together", async () => {
    const words = join(folder, "words.txt");
    await expect(fill("[MASK]", "--candidates", "北京", "--lexicon", words)).rejects.toThrow(UsageError);
    await expect(fill("[MASK]", "--word-lengths", "2")).rejects.toThrow(UsageError);
    await expect(fill("[MASK]", "--whole-word", "--word-lengths", "2,x")).rejects.toThrow(UsageError);
    writeFileSync(join(folder, "empty.txt"), "\n");
    await expect(fill("[MASK]", "--lexicon", join(folder, "empty.txt"))).rejects.toThrow(CorpusError);
  });
});
