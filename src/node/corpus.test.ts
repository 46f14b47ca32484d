import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CorpusError, FileError } from "../errors.ts";
import { type Corpus, corpusOfLines, openCorpus, type ReadCorpusOptions } from "./corpus.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-corpus-"));
  writeFileSync(join(folder, "b.txt"), "乙一\n乙二");
  writeFileSync(join(folder, "a.txt"), "甲一\n\n甲二\n");
  writeFileSync(join(folder, "c.md"), "丙\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function lines(corpus: Corpus, options?: ReadCorpusOptions): Promise<string[]> {
  const read: string[] = [];
  for await (const group of corpus.read(options)) read.push(...group);
  return read;
}

describe("openCorpus", () => {
  test("reads files in the order given, more than once", async () => {
    const corpus = await openCorpus([join(folder, "b.txt"), join(folder, "a.txt")]);
    expect(await lines(corpus)).toEqual(["乙一", "乙二", "甲一", "", "甲二"]);
    expect(await lines(corpus, { partsFiles: true })).toEqual(["乙一", "乙二", "", "甲一", "", "甲二", ""]);
    expect(corpus).toMatchObject({ bytes: 28, isRepeatable: true });
    let bytes = 0;
    await lines(corpus, { onBytes: (done) => (bytes = done) });
    expect(bytes).toBe(28);
  });

  test("expands patterns in name order, and takes a name with a star as it stands", async () => {
    expect(await lines(await openCorpus([join(folder, "*.txt")]))).toEqual(["甲一", "", "甲二", "乙一", "乙二"]);
    expect(await lines(await openCorpus([join(folder, "?.md")]))).toEqual(["丙"]);
    writeFileSync(join(folder, "x*.txt"), "星\n");
    expect(await lines(await openCorpus([join(folder, "x*.txt")]))).toEqual(["星"]);
    await expect(openCorpus([join(folder, "*.csv")])).rejects.toThrow("expected files of this pattern, got none");
  });

  test("names what is wrong before reading: missing, a folder, nothing", async () => {
    const missing = join(folder, "no.txt");
    await expect(openCorpus([join(folder, "a.txt"), missing])).rejects.toThrow(
      `${missing}: expected a text file, got no such file or folder`,
    );
    mkdirSync(join(folder, "d"));
    await expect(openCorpus([join(folder, "d")])).rejects.toMatchObject({
      hint: `name the files in it: ${folder}/d/*.txt`,
    });
    await expect(openCorpus([])).rejects.toThrow("at least one file");
    await expect(openCorpus([join(folder, "nowhere", "*.txt")])).rejects.toThrow(FileError);
  });

  test("names the file of a bad byte, and stops when aborted", async () => {
    writeFileSync(join(folder, "bad.txt"), Uint8Array.of(0x41, 0x0a, 0xc4, 0xe3));
    const corpus = await openCorpus([join(folder, "a.txt"), join(folder, "bad.txt")]);
    const error = await lines(corpus).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CorpusError);
    expect((error as Error).message).toContain("bad.txt line 2, byte 2: expected text in UTF-8, got byte 0xc4");
    const reason = new Error("stop");
    await expect(lines(corpus, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test("corpusOfLines gives all lines in groups", async () => {
  async function* many() {
    for (let i = 0; i < 600; i++) yield `第${i}行`;
  }
  const corpus = corpusOfLines(many(), "standard input");
  expect(await lines(corpus)).toHaveLength(600);
  expect(corpus).toMatchObject({ bytes: undefined, isRepeatable: false });
});
