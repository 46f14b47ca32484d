import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { referencePositions } from "../data/reference-lines.ts";
import { ArgumentError, FileError, InterruptedError } from "../errors.ts";
import intlSegmenter from "../text/segmenters/intl.ts";
import noSegmenter from "../text/segmenters/none.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { openCorpus } from "./corpus.ts";
import { type MakeDataOptions, makeData } from "./make-data.ts";
import { createSegmenter } from "./segmenters.ts";

const sentence = "山里的小路一直通到水边。";
const tokenizer = new BertTokenizer(
  Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...new Set(sentence)]),
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-make-data-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Data of `lines` equal lines, two to a document. */
async function make(options: Partial<MakeDataOptions>, lines = 8) {
  const path = join(folder, "corpus.txt");
  writeFileSync(path, Array.from({ length: lines }, (_, i) => `${sentence}\n${i % 2 === 1 ? "\n" : ""}`).join(""));
  const corpus = await openCorpus([path]);
  const report = await makeData({
    corpus,
    outputs: [join(folder, "out.jsonl")],
    format: "jsonl",
    tokenizer,
    segmenter: noSegmenter(),
    masking: "whole-word",
    maxSeqLength: 32,
    maxPredictionsPerSeq: 5,
    maskedLmProb: 0.15,
    shortSeqProb: 0.1,
    dupeFactor: 2,
    randomSeed: 1,
    nextSentence: true,
    googleCompatible: false,
    splitsSentences: true,
    heldOut: 0,
    ...options,
  });
  return { corpus, report };
}

test("progress grows with the instances, and is complete when they are", async () => {
  const seen: [bytes: number, instances: number][] = [];
  const { corpus, report } = await make(
    { dupeFactor: 10, blockBytes: 20_000, onProgress: (...now) => seen.push(now) },
    3000,
  );
  const bytes = seen.map(([done]) => done);
  expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
  expect(seen.at(-1)).toEqual([corpus.bytes, report.instances]);
  expect(new Set(bytes).size).toBeGreaterThan(3);
});

test("a reference file and its corpus agree on what a blank line is", async () => {
  const lines = ["山里的小路", "\x1c", "\x85", "\ufeff", "一直通到水边"];
  const path = join(folder, "odd.txt");
  writeFileSync(path, `好\n${lines.join("\n")}\n`);
  const referenceFile = join(folder, "references.txt");
  const references = [...referencePositions(["好", ...lines], { tokenizer, segmenter: intlSegmenter() })];
  writeFileSync(referenceFile, references.map((positions) => `${JSON.stringify(positions)}\n`).join(""));
  const corpus = await openCorpus([path]);
  const direct = await make({ corpus, segmenter: intlSegmenter(), splitsSentences: false });
  const segmenter = await createSegmenter("reference", { referenceFile, tokenizer });
  const { report } = await make({ corpus, segmenter, splitsSentences: false });
  expect(report.words).toBeLessThan(report.tokens);
  expect(report).toEqual(direct.report);
});

describe("makeData refuses", () => {
  test("to cut or part text whose words are counted by line", async () => {
    const referenceFile = join(folder, "references.txt");
    writeFileSync(referenceFile, "[]\n".repeat(8));
    const options = async () => ({ segmenter: await createSegmenter("reference", { referenceFile, tokenizer }) });
    await make({ ...(await options()), splitsSentences: false });
    await expect(make(await options())).rejects.toThrow("splitsSentences: expected a segmenter that does not count");
    const parted = { ...(await options()), splitsSentences: false, heldOut: 0.5, format: "shards" } as const;
    await expect(make({ ...parted, outputs: [join(folder, "data")] })).rejects.toThrow("heldOut: expected a segmenter");
  });

  test("a reference file that is a folder", async () => {
    mkdirSync(join(folder, "references"));
    const segmenter = await createSegmenter("reference", { referenceFile: join(folder, "references"), tokenizer });
    await expect(make({ segmenter, splitsSentences: false })).rejects.toThrow(FileError);
  });

  test("two outputs of one name: one would take the other's place", async () => {
    const outputs = [join(folder, "a.tfrecord"), join(folder, ".", "x", "..", "a.tfrecord")];
    await expect(make({ format: "tfrecord", outputs })).rejects.toThrow(ArgumentError);
    expect(readdirSync(folder)).toEqual(["corpus.txt"]);
  });

  test("to replace the corpus", async () => {
    const path = join(folder, "corpus.txt");
    await expect(make({ outputs: [path] })).rejects.toThrow("output: expected another file than those of the corpus");
    expect(readFileSync(path, "utf8")).toContain(sentence);
  });

  test("to go on when aborted, whatever the reason given", async () => {
    await expect(make({ signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
    expect(readdirSync(folder)).toEqual(["corpus.txt"]);
  });
});

test("corpora of other formats, packed or not, give the data of the same text", async () => {
  const documents = Array.from({ length: 6 }, (_, i) => [sentence.repeat(1 + (i % 2)), sentence]);
  const jsonl = documents.map((lines) => JSON.stringify({ id: 1, content: lines.join("\n") })).join("\n\n");
  const files = {
    "plain.txt": documents.map((lines) => lines.join("\n")).join("\n\n"),
    "lines.jsonl.gz": gzipSync(jsonl),
    "wiki.txt": documents.map((lines) => `<doc id="1" title="路">\n路\n\n${lines.join("\n")}\n</doc>\n`).join(""),
  };
  const made = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    writeFileSync(path, content);
    const format = name.startsWith("lines") ? "jsonl" : name.startsWith("wiki") ? "wikiextractor" : "text";
    await make({ corpus: await openCorpus([path]), reading: { format, textField: "content" } });
    made.push(readFileSync(join(folder, "out.jsonl"), "utf8"));
  }
  expect(made[0]).not.toBe("");
  expect(made[1]).toBe(made[0]);
  expect(made[2]).toBe(made[0]);
});

test("sentence pairs stay pairs: half of them are next sentences, and none is cut at its own punctuation", async () => {
  const path = join(folder, "pairs.tsv");
  const sides = Array.from({ length: 200 }, (_, i) => [
    `${"山里。".repeat(1 + (i % 3))}`,
    `${"水边！".repeat(1 + (i % 4))}`,
  ]);
  writeFileSync(path, sides.map((pair) => `${pair.join("\t")}\n`).join(""));
  const { report } = await make({ corpus: await openCorpus([path]), reading: { format: "pairs" }, dupeFactor: 1 });
  expect(report).toMatchObject({ documents: 200, sentences: 400 });
  expect(report.randomNext / report.instances).toBeGreaterThan(0.3);
  expect(report.randomNext / report.instances).toBeLessThan(0.7);
});

test("a JSON line has the fields of an instance and no others", async () => {
  await make({});
  const [line = ""] = readFileSync(join(folder, "out.jsonl"), "utf8").split("\n");
  expect(Object.keys(JSON.parse(line))).toEqual([
    "tokens",
    "inputIds",
    "tokenTypeIds",
    "maskedLmPositions",
    "maskedLmIds",
    "nextSentenceLabel",
  ]);
});
