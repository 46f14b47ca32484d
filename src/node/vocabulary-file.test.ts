import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FileError, VocabularyError } from "../errors.ts";
import { loadVocabulary } from "./vocabulary-file.ts";

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
