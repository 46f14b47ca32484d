import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { FileError, VocabularyError } from "../../errors.ts";
import { loadVocabulary } from "../../node/vocabulary-file.ts";
import { BertTokenizer } from "../../text/tokenizer.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-text-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("tokenize", () => {
  test("one JSON object a line, with offsets and words", async () => {
    const [result] = parseLines(await runCommand(["tokenize", "--json", "--no-special-tokens", "用GPS，"]));
    expect(Object.keys(result)).toEqual(["tokens", "ids", "offsets", "wordIds"]);
    expect(result.tokens[0]).toBe("用");
    expect(result.offsets[0]).toEqual([0, 1]);
    expect(result.offsets.at(-1)).toEqual([4, 5]);
    expect(result.wordIds.at(-1)).toBe(2);
    expect(result.ids).toHaveLength(result.tokens.length);
  });

  test("lines of standard input where no text is given", async () => {
    const results = parseLines(await runCommand(["tokenize", "--json"], ["早", "", "晚安"]));
    expect(results.map((result) => result.tokens)).toEqual([
      ["[CLS]", "早", "[SEP]"],
      ["[CLS]", "[SEP]"],
      ["[CLS]", "晚", "安", "[SEP]"],
    ]);
  });

  test("standard input in another encoding", async () => {
    const tsx = createRequire(import.meta.url).resolve("tsx");
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const args = ["--import", pathToFileURL(tsx).href, main, "tokenize", "--json", "--encoding", "gb18030"];
    // 今天 in GB18030.
    const { stdout, stderr } = spawnSync(process.execPath, args, { input: Buffer.of(0xbd, 0xf1, 0xcc, 0xec, 0x0a) });
    expect(String(stderr)).toBe("");
    expect(JSON.parse(String(stdout)).tokens).toEqual(["[CLS]", "今", "天", "[SEP]"]);
  });

  test("a table for people", async () => {
    const rows = (await runCommand(["tokenize", "晚安"])).split("\n").map((line) => line.trim().split(/\s+/));
    expect(rows[1]).toEqual(["token", "id", "start", "end", "word", "text"]);
    expect(rows[4]?.filter((cell) => !/^\d{2,}$/.test(cell))).toEqual(["晚", "0", "1", "0", "晚"]);
  });

  test("curly quotes are read as straight ones on demand, and as the folder of a data set says", async () => {
    const tokensOf = async (...options: readonly string[]) =>
      parseLines(await runCommand(["tokenize", "--json", "--no-special-tokens", ...options, "“好’"]))[0].tokens;
    expect(await tokensOf()).toEqual(["“", "好", "’"]);
    expect(await tokensOf("--curly-quotes", "map")).toEqual(['"', "好", "'"]);
    const corpus = join(folder, "corpus.txt");
    writeFileSync(corpus, "今天天气很好，我们去公园散步。\n");
    const data = join(folder, "data");
    await runCommand(["data", corpus, "-o", data, "--no-nsp", "--curly-quotes", "map"]);
    expect(await tokensOf("--vocab", data)).toEqual(['"', "好", "'"]);
    expect(await tokensOf("--vocab", data, "--curly-quotes", "keep")).toEqual(["“", "好", "’"]);
  });

  test("rules, casing and other vocabularies", async () => {
    const vocab = join(folder, "vocab.txt");
    writeFileSync(vocab, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[\n]\nmask\nAB\nab\n");
    const tokens = async (...args: string[]) =>
      parseLines(await runCommand(["tokenize", "--json", "--no-special-tokens", "--vocab", vocab, ...args]))[0].tokens;
    expect(await tokens("[MASK]AB")).toEqual(["[MASK]", "ab"]);
    expect(await tokens("[MASK]AB", "--cased")).toEqual(["[MASK]", "AB"]);
    expect(await tokens("[MASK]", "--rules", "google")).toEqual(["[", "mask", "]"]);

    const json = BertTokenizer.fromVocabText(readFileSync(vocab, "utf8"), { lowercase: false }).toTokenizerJson();
    const file = join(folder, "tokenizer.json");
    writeFileSync(file, JSON.stringify(json));
    expect(await tokens("--vocab", file, "AB ab")).toEqual(["AB", "ab"]);
    expect(await tokens("--vocab", file, "--rules", "google", "[MASK]")).toEqual(["[", "[UNK]", "]"]);
  });

  test("a missing or foreign vocabulary is a clear error", async () => {
    await expect(runCommand(["tokenize", "--vocab", join(folder, "none.txt"), "早"])).rejects.toThrow(FileError);
    const file = join(folder, "notes.txt");
    writeFileSync(file, "今天天气很好\n");
    await expect(runCommand(["tokenize", "--vocab", file, "早"])).rejects.toThrow(VocabularyError);
    writeFileSync(join(folder, "broken.json"), "{");
    await expect(runCommand(["tokenize", "--vocab", join(folder, "broken.json"), "早"])).rejects.toThrow(
      VocabularyError,
    );
  });
});

describe("vocab", () => {
  test("makes a vocabulary that the tokeniser loads", async () => {
    const corpus = join(folder, "corpus.txt");
    writeFileSync(corpus, "小船 sailing sailing sailed sails\n小岛 sailing 船\n".repeat(3));
    const out = join(folder, "own.txt");
    const args = ["--size", "60", "--require", "none", "--min-character-frequency", "1", "--unused", "2"];
    const [summary] = parseLines(await runCommand(["vocab", corpus, "-o", out, "--json", ...args]));
    const vocabulary = await loadVocabulary(out);
    expect(summary).toMatchObject({ output: out, size: vocabulary.size, specialTokens: 7, chineseCharacters: 3 });
    expect(new BertTokenizer(vocabulary).tokenize("小岛Sailing")).toEqual(["小", "岛", "sailing"]);
  });

  test("reads standard input, and takes required characters from a file", async () => {
    const required = join(folder, "required.txt");
    writeFileSync(required, "甲乙\n丙");
    const out = join(folder, "own.txt");
    await runCommand(["vocab", "-o", out, "--require", required, "--size", "20", "--json"], ["丁丁丁丁丁", "戊"]);
    expect((await loadVocabulary(out)).tokens).toEqual([
      ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
      ...["丁", "丙", "乙", "甲"],
    ]);
  });
});

describe("the package's own vocabulary", () => {
  test("has both scripts, Chinese punctuation, single letters and digits, and no useless pieces", async () => {
    const vocabulary = await loadVocabulary();
    const has = (token: string) => vocabulary.id(token) !== undefined;
    expect(vocabulary.ids.pad).toBe(0);
    expect(vocabulary.size).toBe(12000);
    expect(new Set(vocabulary.tokens).size).toBe(vocabulary.size);
    for (const token of [..."龙龍臺湾“”‘’…—《》「」，。？！；：、～％０ａ・あア", "##あ", "##a", "##z", "##0", "##9"]) {
      expect(has(token), token).toBe(true);
    }
    expect(vocabulary.tokens.filter((token) => /^##[\u3400-\u9fff]/.test(token))).toEqual([]);
    // Each is what the tokeniser makes of it: nothing is there that no text can reach.
    const tokenizer = new BertTokenizer(vocabulary);
    const whole = vocabulary.tokens.filter((token) => !/^(?:##.+|\[unused\d+\])$/su.test(token));
    expect(whole.filter((token) => tokenizer.tokenize(token).join(" ") !== token)).toEqual([]);
  });
});
