import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeShared, shared } from "../../../test/shared.ts";
import { readTfrecord } from "../../data/tfrecord.ts";
import { ArgumentError, DataError } from "../../errors.ts";
import { openDataset } from "../../node/dataset.ts";
import { createOutput } from "../output.ts";
import { runProgram } from "../program.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

const sentences = [
  "老桥边的茶馆每天清晨开门。",
  "老板把热茶端给渡船的客人！",
  "雨停以后大家又回到河边。",
  "她写信说play会在周末上演。",
];
const corpus = Array.from({ length: 30 }, (_, i) => [0, 1, 2].map((k) => sentences[(i + k * k) % 4]).join("\n")).join(
  "\n\n",
);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-convert-"));
  const characters = [...new Set(corpus.replaceAll(/[\na-z]/g, ""))];
  const marked = characters.map((character) => `##${character}`);
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", ...characters, ...marked];
  writeFileSync(at("vocab.txt"), words.join("\n"));
  writeFileSync(at("corpus.txt"), `${corpus}\n`);
  const options = ["--vocab", at("vocab.txt"), "--max-seq-length", "32", "--dupe-factor", "2", "--workers", "1"];
  await zhbert(["data", at("corpus.txt"), "-o", at("shards"), ...options]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command line in this process. @returns what it writes to stdout, JSON. */
async function zhbert(args: readonly string[]): Promise<Record<string, unknown>> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({
    json: true,
    streams: streams as unknown as { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  });
  async function* stdinLines() {}
  await runProgram([...args, "--json"], { output, signal: new AbortController().signal, stdinLines });
  await output.flush();
  return JSON.parse(String(streams.stdout.read() ?? "{}"));
}
const convert = (...args: string[]) => zhbert(["data", "convert", ...args, "--vocab", at("vocab.txt")]);

async function instancesOf(path: string) {
  const { train, close } = await openDataset(path);
  const instances = await Promise.all(Array.from({ length: train.count }, (_, i) => train.instance(i)));
  await close();
  return instances;
}

test.each(["jsonl", "parquet"])("shards to %s and back are the same instances, words and all", async (format) => {
  const instances = await instancesOf(at("shards"));
  const report = await convert(at("shards"), "-o", at(`a.${format}`), "--to", format);
  expect(report).toMatchObject({ from: "shards", to: format, instances: instances.length, notes: [] });
  await convert(at(`a.${format}`), "-o", at("back"));
  expect(await instancesOf(at("back"))).toEqual(instances);
});

test("shards to TFRecord and back are the same but for words, which jieba finds again within sentences", async () => {
  const instances = await instancesOf(at("shards"));
  await convert(at("shards"), "-o", `${at("a.tfrecord")},${at("b.tfrecord")}`, "--to", "tfrecord");
  await convert(at("a.tfrecord"), at("b.tfrecord"), "-o", at("back"));
  const back = await instancesOf(at("back"));
  const inTurn = [...instances.filter((_, i) => i % 2 === 0), ...instances.filter((_, i) => i % 2 === 1)];
  expect(back.map((instance) => ({ ...instance, wordStarts: 0 }))).toEqual(
    inTurn.map((instance) => ({ ...instance, wordStarts: 0 })),
  );
  const total = inTurn.reduce((sum, { wordStarts }) => sum + wordStarts.length, 0);
  const equal = inTurn.reduce(
    (sum, { wordStarts }, i) => sum + wordStarts.filter((start, k) => start === back[i]?.wordStarts[k]).length,
    0,
  );
  expect(equal / total).toBeGreaterThan(0.98);
});

test("text to ids of PaddleNLP and back to text keeps tokens, words and documents", async () => {
  const report = await convert(at("corpus.txt"), "-o", at("ids"), "--to", "paddlenlp");
  expect(report).toMatchObject({ documents: 30, sentences: 90, notes: [] });
  await convert(at("ids_ids.npy"), "-o", at("words.txt"), "--to", "text", "--segmenter", "none");
  await convert(at("corpus.txt"), "-o", at("expected.txt"), "--to", "text");
  expect(readFileSync(at("words.txt"), "utf8")).toBe(readFileSync(at("expected.txt"), "utf8"));
  await convert(at("words.txt"), "-o", at("again"), "--to", "paddlenlp", "--segmenter", "spaces");
  expect(readFileSync(at("again_ids.npy"))).toEqual(readFileSync(at("ids_ids.npy")));
  expect(readFileSync(at("again_idx.npz"))).toEqual(readFileSync(at("ids_idx.npz")));
});

test("text to Megatron-LM's ids and back keeps tokens and documents", async () => {
  await convert(at("corpus.txt"), "-o", at("m"), "--to", "megatron");
  await convert(at("m"), "-o", at("words.txt"), "--to", "text", "--segmenter", "none");
  expect(readFileSync(at("words.txt"), "utf8").replaceAll(" ", "")).toBe(`${corpus}\n`);
});

test("text to a reference file: a line for each line, the same positions when read back", async () => {
  await convert(at("corpus.txt"), "-o", at("hf.txt"), "--to", "reference");
  const [text, references] = ["hf.txt", "hf_ref.txt"].map((name) =>
    readFileSync(at(name), "utf8").trimEnd().split("\n"),
  );
  expect(text).toEqual(corpus.split("\n").filter((line) => line !== ""));
  expect(references).toHaveLength(90);
  const read = ["--segmenter", "reference", "--reference-file", at("hf_ref.txt")];
  await convert(at("hf.txt"), "-o", at("again.txt"), "--to", "reference", ...read);
  expect(readFileSync(at("again_ref.txt"), "utf8")).toBe(readFileSync(at("hf_ref.txt"), "utf8"));
});

test("documents do not become instances without masks; the hint has the commands", async () => {
  await convert(at("corpus.txt"), "-o", at("m"), "--to", "megatron");
  const attempt = convert(at("m"), "-o", at("x"));
  await expect(attempt).rejects.toThrow(ArgumentError);
  await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining("--to text -o - | zhbert data") });
});

test("a damaged file leaves nothing behind", async () => {
  await convert(at("shards"), "-o", at("a.tfrecord"), "--to", "tfrecord");
  const bytes = readFileSync(at("a.tfrecord"));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(at("a.tfrecord"), bytes);
  await expect(convert(at("a.tfrecord"), "-o", at("back"))).rejects.toThrow(DataError);
  expect(existsSync(at("back"))).toBe(false);
  writeFileSync(at("short.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  await convert(at("shards"), "-o", at("a.jsonl"), "--to", "jsonl");
  const other = zhbert(["data-convert", at("a.jsonl"), "-o", at("back"), "--vocab", at("short.txt")]);
  await expect(other).rejects.toMatchObject({ hint: expect.stringContaining("--vocab") });
});

test("data stats counts what the folder says, and draws it", async () => {
  const instances = await instancesOf(at("shards"));
  const stats = await zhbert(["data", "stats", at("shards"), "--pictures", at("pictures")]);
  expect(stats).toMatchObject({
    instances: instances.length,
    tokens: instances.reduce((sum, { inputIds }) => sum + inputIds.length, 0),
    predictions: instances.reduce((sum, { maskedLmIds }) => sum + maskedLmIds.length, 0),
  });
  const lengths = stats["lengths"] as [number, number][];
  expect(lengths.reduce((sum, [, count]) => sum + count, 0)).toBe(instances.length);
  for (const name of ["lengths", "word-lengths", "mask-rates"]) {
    expect(readFileSync(at(`pictures/${name}.svg`), "utf8")).toMatch(/^<svg /);
  }
});

test("data sample shows an instance of the folder, the same for the same seed", async () => {
  const instances = await instancesOf(at("shards"));
  const sample = () => zhbert(["data", "sample", at("shards"), "-n", "1", "--seed", "3"]);
  const { index, inputIds } = (await sample()) as { index: number; inputIds: number[] };
  expect(inputIds).toEqual([...(instances[index]?.inputIds ?? [])]);
  expect((await sample())["index"]).toBe(index);
});

describeShared("reference/data/tfrecord", "Google's own TFRecords", (records) => {
  test("are the same instances in shards and as TFRecord again", async () => {
    const vocab = shared("assets/vocab.txt") as string;
    const source = join(records, "c05-0.tfrecord");
    await zhbert(["data", "convert", source, "-o", at("google"), "--vocab", vocab]);
    await zhbert(["data", "convert", at("google"), "-o", at("again.tfrecord"), "--to", "tfrecord"]);
    const read = async (path: string) => {
      const instances = [];
      for await (const instance of readTfrecord([readFileSync(path)] as never, path)) instances.push(instance);
      return instances;
    };
    const instances = await read(at("again.tfrecord"));
    expect(instances.length).toBeGreaterThan(10);
    expect(instances).toEqual(await read(source));
  });
});
