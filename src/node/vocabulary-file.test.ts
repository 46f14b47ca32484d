import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FileError, VocabularyError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { loadTokenizer, loadVocabulary } from "./vocabulary-file.ts";

test("loadVocabulary takes a file, a folder, or the package's own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zhbert-vocabulary-"));
  try {
    writeFileSync(join(folder, "vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n茶\n");
    expect((await loadVocabulary(folder)).id("茶")).toBe(5);
    expect((await loadVocabulary(join(folder, "vocab.txt"))).size).toBe(6);
    expect((await loadVocabulary()).id("的")).toBeGreaterThan(0);
    await expect(loadVocabulary(join(folder, "none.txt"))).rejects.toThrow(FileError);
    writeFileSync(join(folder, "other.txt"), "一\n二\n");
    await expect(loadVocabulary(join(folder, "other.txt"))).rejects.toThrow(VocabularyError);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("loadTokenizer takes all that stands beside a vocabulary, and what is said overrides it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zhbert-vocabulary-"));
  try {
    const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "茶", '"', "Tea"]);
    const tokenizer = new BertTokenizer(vocabulary, { lowercase: false, curlyQuotes: "map" });
    writeFileSync(join(folder, "vocab.txt"), vocabulary.toText());
    expect((await loadTokenizer(folder)).tokenize("“Tea")).toEqual(["[UNK]", "[UNK]"]);
    expect((await loadTokenizer(folder, { cased: true, curlyQuotes: "map" })).tokenize("“Tea")).toEqual(['"', "Tea"]);
    const json = join(folder, "tokenizer.json");
    writeFileSync(json, JSON.stringify(tokenizer.toTokenizerJson()));
    for (const path of [folder, json]) expect((await loadTokenizer(path)).tokenize("“Tea")).toEqual(['"', "Tea"]);
    expect((await loadTokenizer(folder, { curlyQuotes: "keep" })).tokenize("“Tea")).toEqual(["[UNK]", "Tea"]);
    expect((await loadTokenizer(json, { rules: "google" })).tokenize("“[MASK]")).toEqual([
      '"',
      ...Array(3).fill("[UNK]"),
    ]);
    writeFileSync(json, "{");
    await expect(loadTokenizer(json)).rejects.toThrow(VocabularyError);
    mkdirSync(join(folder, "empty"));
    await expect(loadTokenizer(join(folder, "empty"))).rejects.toThrow(FileError);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
