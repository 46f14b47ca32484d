import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeShared, shared } from "../../../test/shared.ts";
import { Batches } from "../../data/batches.ts";
import { dynamicMasking } from "../../data/dynamic-masking.ts";
import { readTfrecord } from "../../data/tfrecord.ts";
import { InterruptedError, UsageError } from "../../errors.ts";
import { openDataset } from "../../node/dataset.ts";
import { createOutput } from "../output.ts";
import { runProgram } from "../program.ts";

let folder: string;
let corpus: string;
let vocab: string;

const topics = ["灯塔", "渔船", "码头", "海风", "潮水", "沙滩"];
const sentences = topics.flatMap((topic, i) => [
  `${topic}在清晨的雾里慢慢显出来。`,
  `老人说，他年轻的时候常常在${topic}旁边等人。`,
  `到了第${i + 1}天，大家终于把${topic}的故事讲完了！`,
]);
const documents = Array.from({ length: 40 }, (_, i) =>
  Array.from({ length: 5 }, (_, k) => sentences[(i * 7 + k * 3) % sentences.length] as string).join("\n"),
);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-data-"));
  corpus = join(folder, "corpus.txt");
  vocab = join(folder, "words.txt");
  writeFileSync(corpus, `${documents.join("\n\n")}\n`);
  const characters = new Set(documents.join("").replaceAll("\n", ""));
  writeFileSync(vocab, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...characters].join("\n"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process; `lines` are standard input. */
async function zhbert(
  args: readonly string[],
  options: { signal?: AbortSignal; lines?: string[] } = {},
): Promise<Result> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({
    json: args.includes("--json"),
    streams: streams as unknown as { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  });
  async function* stdinLines() {
    yield* options.lines ?? [];
  }
  await runProgram(["data", ...args], { output, signal: options.signal ?? new AbortController().signal, stdinLines });
  await output.flush();
  return { stdout: String(streams.stdout.read() ?? ""), stderr: String(streams.stderr.read() ?? "") };
}

const run = (...args: string[]) => zhbert(["--vocab", vocab, "--max-seq-length", "48", ...args]);
const filesOf = (path: string) =>
  Object.fromEntries(readdirSync(path).map((file) => [file, readFileSync(join(path, file), "hex")]));

describe("zhbert data", () => {
  test("writes a data folder that opens, and a table of what it holds", async () => {
    const out = join(folder, "data");
    const { stdout } = await run(corpus, "-o", out);
    expect(stdout).toMatch(/documents +40/);
    expect(stdout).toMatch(/masked tokens +[\d,]+ +1\d\.\d\d %/);
    const { train, heldOut, description, vocabulary, close } = await openDataset(out);
    expect(description.settings).toMatchObject({ masking: "whole-word", dupeFactor: 5, randomSeed: 12345 });
    expect(description.generation).toMatchObject({ segmenter: "jieba", googleCompatible: false });
    expect(vocabulary.size).toBe(description.settings.vocabSize);
    expect(train.count).toBeGreaterThan(100);
    expect(heldOut.count).toBe(0);
    const { inputIds, wordStarts } = await train.instance(0);
    expect(inputIds[0]).toBe(2);
    expect(wordStarts.includes(0)).toBe(true);
    await close();
  });

  test("warns of a vocabulary that does not know the text", async () => {
    const out = join(folder, "data");
    expect((await run(corpus, "-o", out)).stderr).not.toContain("warning");
    writeFileSync(vocab, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"].join("\n"));
    expect((await run(corpus, "-o", out)).stderr).toMatch(/warning: \d+\.\d % of the tokens are \[UNK\]/);
  });

  test("gives the same bytes for the same seed, others for another", async () => {
    for (const [name, seed] of Object.entries({ a: "1", b: "1", c: "2" })) {
      await run(corpus, "-o", join(folder, name), "--seed", seed, "--shard-size", "8kB");
    }
    expect(Object.keys(filesOf(join(folder, "a"))).length).toBeGreaterThan(4);
    expect(filesOf(join(folder, "b"))).toEqual(filesOf(join(folder, "a")));
    expect(filesOf(join(folder, "c"))).not.toEqual(filesOf(join(folder, "a")));
  });

  test("prints one object in JSON mode", async () => {
    const { stdout } = await run(corpus, "-o", join(folder, "x.jsonl"), "--format", "jsonl", "--json");
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ documents: 40, format: "jsonl", unalignedSentences: 0 });
    expect(report.instances).toBe(readFileSync(join(folder, "x.jsonl"), "utf8").trim().split("\n").length);
    expect(report.maskedShare).toBeCloseTo(0.15, 1);
  });

  test("writes JSON lines whose tokens are the ids'", async () => {
    const out = join(folder, "x.jsonl");
    await run(corpus, "-o", out, "--format", "jsonl", "--no-nsp", "--dupe-factor", "1", "--masking", "ngram");
    for (const text of readFileSync(out, "utf8").trim().split("\n")) {
      const line = JSON.parse(text);
      expect(line.tokens.length).toBe(line.inputIds.length);
      expect(line.tokens.length).toBeLessThanOrEqual(48);
      expect(new Set(line.tokenTypeIds)).toEqual(new Set([0]));
      expect(line.nextSentenceLabel).toBe(0);
      expect(line.maskedLmPositions.length).toBe(line.maskedLmIds.length);
    }
  });

  test("masks by a mixture with a dictionary and word vectors, keeps all that decides it, and draws it anew", async () => {
    const out = join(folder, "data");
    const [entities, vectors] = [join(folder, "entities.txt"), join(folder, "vectors.txt.gz")];
    writeFileSync(entities, "清晨的雾\n旁边等人\tphrase\n");
    const numbers = [..."灯塔渔船码头海风"].map((_, i) => (i % 2 === 0 ? "1 0 0.1" : "1 0 0.2"));
    const lines = ["灯塔", "渔船", "码头", "海风"].map((word, i) => `${word} ${numbers[i]}`);
    writeFileSync(vectors, gzipSync(`4 3\n${lines.join("\n")}\n`));
    const masking = "entity:0.3,macbert:0.4,ngram:0.3";
    const shares = ["--mask-token-prob", "0.9", "--random-token-prob", "0.05", "--ngram-weights", "1,1/2"];
    const words = ["--entities", entities, "--word-vectors", vectors];
    const { stdout } = await run(
      corpus,
      "-o",
      out,
      "--masking",
      masking,
      ...shares,
      ...words,
      "--sentence-task",
      "sop",
    );
    expect(stdout).toMatch(/swapped +\d+ +[45]\d\./);
    const dataset = await openDataset(out);
    try {
      const { description, maskingWords, train } = dataset;
      expect(description.settings).toMatchObject({ masking: "mixed", nextSentence: true });
      const variant = { masking, maskTokenProb: 0.9, randomTokenProb: 0.05, ngramWeights: [1, 0.5] };
      expect(description.generation).toMatchObject({ ...variant, swapSegments: true });
      expect(maskingWords.entities).toEqual(["清 晨 的 雾"]);
      expect(maskingWords.phrases).toEqual(["旁 边 等 人"]);
      expect(maskingWords.similarWords?.[0]?.[0]).toBe("灯 塔");
      const batches = new Batches(train, { batchSize: 8, maxSeqLength: 48, seed: 1, ...dynamicMasking(dataset) });
      expect((await batches.batch(batches.batchesPerEpoch)).maskedLmWeights.some((weight) => weight === 1)).toBe(true);
    } finally {
      await dataset.close();
    }
    const again = join(folder, "again");
    const options = ["--masking", masking, ...shares, ...words, "--sentence-task", "sop", "--workers", "2"];
    await run(corpus, "-o", again, ...options);
    expect(filesOf(again)).toEqual(filesOf(out));
  }, 30_000);

  test("writes unmasked full sentences across documents for dynamic masking", async () => {
    const out = join(folder, "x.jsonl");
    const options = ["--sentence-task", "none", "--cross-documents", "--masking", "none", "--dupe-factor", "1"];
    await run(corpus, "-o", out, "--format", "jsonl", ...options);
    const lines = readFileSync(out, "utf8").trim().split("\n");
    const tokens = lines.map((text) => JSON.parse(text).tokens as string[]);
    expect(lines.every((text) => JSON.parse(text).maskedLmPositions.length === 0)).toBe(true);
    expect(tokens.some((line) => line.indexOf("[SEP]") < line.length - 1)).toBe(true);
  });

  test("writes TFRecord files in turn", async () => {
    const outputs = ["a", "b", "c"].map((name) => join(folder, `${name}.tfrecord`));
    await run(corpus, "-o", outputs.join(","), "--format", "tfrecord", "--google-compatible", "--dupe-factor", "2");
    const counts = [];
    for (const path of outputs) counts.push((await collect(readTfrecord(one(readFileSync(path)), path))).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(Math.min(...counts)).toBeGreaterThan(10);
  });

  test("cleans and filters lines, and says how many of them", async () => {
    const lines = ["灯塔在清晨的雾里&hellip;", "短", "only English here", ...sentences, ...sentences];
    writeFileSync(corpus, lines.join("\n"));
    const filters = ["--clean", "--min-line-length", "3", "--min-chinese", "0.5", "--drop-duplicate-lines"];
    const { stdout } = await run(corpus, "-o", join(folder, "data"), ...filters, "--workers", "2");
    // Lines of the third kind differ in a number only, which is no letter.
    for (const row of [/lines read +39/, /HTML references +1 +2\.56 %/, /too short +1/, /too little Chinese +1/]) {
      expect(stdout).toMatch(row);
    }
    expect(stdout).toMatch(/duplicates +18 +46\.15 % of lines removed, at most \de-\d+ of new lines/);
    const generation = async () => {
      const { description, close } = await openDataset(join(folder, "data"));
      await close();
      return description.generation;
    };
    const kept = { clean: true, minLineLength: 3, minChinese: 0.5, dropDuplicates: true };
    expect((await generation()).filters).toEqual(kept);
    const dictionary = join(folder, "user-words.txt");
    writeFileSync(dictionary, "灯塔\n");
    const again = await run(corpus, "-o", join(folder, "data"), "--user-dictionary", dictionary);
    expect(again.stdout).not.toContain("lines read");
    const userDictionary = createHash("sha256").update("灯塔\n").digest("hex");
    expect(await generation()).toMatchObject({ userDictionary });
    expect(await generation()).not.toHaveProperty("filters");
    const none = run(corpus, "-o", join(folder, "data"), "--min-line-length", "900");
    await expect(none).rejects.toThrow("got none of 39 lines kept by the filters");
  });

  test("reads the formats and encodings of corpora", async () => {
    const packed = join(folder, "corpus.jsonl.gz");
    writeFileSync(packed, gzipSync(documents.map((lines) => JSON.stringify({ body: lines })).join("\n")));
    const plain = JSON.parse((await run(corpus, "-o", join(folder, "a"), "--json")).stdout);
    const args = [packed, "-o", join(folder, "b"), "--json", "--input", "jsonl", "--text-field", "body"];
    const read = JSON.parse((await run(...args)).stdout);
    expect(read.documents).toBe(40);
    expect(read.tokens).toBe(plain.tokens);
    writeFileSync(corpus, Uint8Array.of(0xcc, 0xec, 0xcf, 0xc2, 0xcc, 0xec, 0x0a));
    const decoded = await run(corpus, "-o", join(folder, "c"), "--json", "--encoding", "gb18030");
    expect(JSON.parse(decoded.stdout).tokens).toBe(3);
    await expect(run(corpus, "-o", join(folder, "c"))).rejects.toThrow(
      "corpus.txt line 1, byte 0: expected text in UTF-8",
    );
  });

  test("keeps documents apart for evaluation, whose sentences are not trained on", async () => {
    const own = Array.from(
      { length: 200 },
      (_, i) => `${"的".repeat(1 + (i % 7))}${"雾里".repeat(2 + (i % 11))}${i}天`,
    );
    writeFileSync(corpus, own.join("\n\n"));
    writeFileSync(vocab, `${readFileSync(vocab, "utf8")}\n${own.map((_, i) => i).join("\n")}`);
    const out = join(folder, "data");
    await run(corpus, "-o", out, "--held-out", "0.2", "--no-nsp", "--segmenter", "none");
    const { train, heldOut, close } = await openDataset(out);
    expect(heldOut.count / (train.count + heldOut.count)).toBeGreaterThan(0.1);
    expect(heldOut.count / (train.count + heldOut.count)).toBeLessThan(0.3);
    expect(train.count + heldOut.count).toBe(200 * 5);
    await close();
    await run(corpus, "-o", out, "--no-nsp", "--segmenter", "none");
    expect(readdirSync(out).filter((file) => file.startsWith("held-out"))).toEqual([]);
  });

  test("reads standard input, and cuts paragraphs into sentences unless told otherwise", async () => {
    const lines = [sentences.join(""), "", sentences.slice(3).join("")];
    const counted = async (...args: string[]) => {
      const all = ["--vocab", vocab, "-o", join(folder, "x.jsonl"), "--format", "jsonl", "--json", ...args];
      return JSON.parse((await zhbert(all, { lines })).stdout).sentences;
    };
    expect(await counted()).toBe(18 + 15);
    expect(await counted("--no-split-sentences")).toBe(2);
  });
});

test.each([
  [["--max-seq-length", "128"], 20],
  [["--max-seq-length", "512"], 77],
  [["--max-seq-length", "512", "--masked-lm-prob", "0.2"], 103],
  [["--max-seq-length", "512", "--max-predictions-per-seq", "40"], 40],
  [["--max-seq-length", "512", "--google-compatible", "--segmenter", "none"], 20],
])("as many predictions as the share asks for, unless told otherwise: %j", async (given, predictions) => {
  const out = join(folder, "data");
  await run(corpus, "-o", out, ...given);
  const { settings } = JSON.parse(readFileSync(join(out, "dataset.json"), "utf8"));
  expect(settings.maxPredictionsPerSeq).toBe(predictions);
});

describe("zhbert data refuses", () => {
  test("wrong use", async () => {
    const out = join(folder, "data");
    await expect(run(corpus)).rejects.toThrow(UsageError);
    await expect(run(corpus, "-o", out, "--max-seq-length", "513")).rejects.toThrow("expected at most 512, got 513");
    await expect(run(corpus, "-o", out, "--dupe-factor", "0")).rejects.toThrow(
      '--dupe-factor: expected a whole number of 1 or more, got "0"',
    );
    await expect(run(corpus, "-o", out, "--masked-lm-prob", "1.5")).rejects.toThrow(
      "--masked-lm-prob: expected a number from 0 to 1",
    );
    await expect(run(corpus, "-o", out, "--shard-size", "big")).rejects.toThrow(
      "--shard-size: expected a size such as 64MB",
    );
    await expect(run(corpus, "-o", out, "--do-whole-word-mask", "--masking", "char")).rejects.toThrow(
      "whole-word beside",
    );
    await expect(run(corpus, "-o", out, "--masking", "char:0.5")).rejects.toThrow("shares that sum to 1");
    await expect(run(corpus, "-o", out, "--masking", "macbert")).rejects.toThrow("similar words");
    await expect(run(corpus, "-o", out, "--ngram-weights", "1,x")).rejects.toThrow("weights such as");
    await expect(run(corpus, "-o", out, "--cross-documents")).rejects.toThrow("--sentence-task none");
    await expect(run(corpus, "-o", out, "--no-nsp", "--sentence-task", "sop")).rejects.toThrow("none beside --no-nsp");
    const dictionary = join(folder, "entities.txt");
    writeFileSync(dictionary, "海风\n潮水\tperson\n");
    await expect(run(corpus, "-o", out, "--masking", "entity", "--entities", dictionary)).rejects.toThrow(
      "line 2: expected entity or phrase",
    );
    await expect(run(corpus, "-o", out, "--max-predictions-per-seq", "513")).rejects.toThrow("at most 512");
    await expect(run(corpus, "-o", out, "--held-out", "0.1", "--format", "jsonl")).rejects.toThrow("heldOut");
    await expect(run(corpus, "-o", out, "--google-compatible", "--masking", "span")).rejects.toThrow(
      "char or whole-word",
    );
    expect(existsSync(out)).toBe(false);
  });

  test("text that cannot be used, and leaves the old data as it was", async () => {
    const out = join(folder, "data");
    await run(corpus, "-o", out);
    const before = filesOf(out);
    const bad = join(folder, "bad.txt");
    const small = ["--max-line-bytes", "8kB", "--shard-size", "1kB"];
    const cases: [string | Uint8Array, RegExp][] = [
      ["", /bad\.txt: expected text, got no line that is not blank/],
      [
        Uint8Array.of(...new TextEncoder().encode("好\n"), 0xc4, 0xe3),
        /bad\.txt line 2, byte 4: expected text in UTF-8/,
      ],
      ["长".repeat(3000), /bad\.txt line 1, byte 0: expected lines of at most 8192 bytes/],
    ];
    for (const [content, message] of cases) {
      writeFileSync(bad, content);
      if (content !== "") await expect(run(corpus, bad, "-o", out, ...small)).rejects.toThrow(message);
      await expect(run(bad, "-o", out, ...small)).rejects.toThrow(message);
      await expect(run(bad, "-o", join(folder, "new"), ...small)).rejects.toThrow(message);
    }
    await expect(run(join(folder, "missing.txt"), "-o", out)).rejects.toThrow("missing.txt: expected a text file");
    await expect(run(folder, "-o", out)).rejects.toThrow("got a folder");
    expect(existsSync(join(folder, "new"))).toBe(false);
    expect(filesOf(out)).toEqual(before);
  });

  test("to go on after Ctrl-C, and leaves nothing half-written", async () => {
    const out = join(folder, "data");
    await run(corpus, "-o", out);
    const before = filesOf(out);
    const controller = new AbortController();
    const reason = new InterruptedError({ where: "zhbert", expected: "the work to be finished", got: "SIGINT" });
    const args = ["--vocab", vocab, corpus, "--dupe-factor", "400", "--shard-size", "2kB", "--seed", "7"];
    const stopped = zhbert([...args, "-o", out], { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    await expect(stopped).rejects.toMatchObject({ code: "ERR_INTERRUPTED", hint: /nothing was written/ });
    expect(filesOf(out)).toEqual(before);
    const file = join(folder, "x.jsonl");
    writeFileSync(file, "old");
    const aborted = zhbert([...args, "-o", file, "--format", "jsonl"], { signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toThrow(InterruptedError);
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
  });
});

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The fields that a JSON line and an instance have in common. */
interface Line {
  readonly inputIds: Iterable<number>;
  readonly tokenTypeIds: Iterable<number>;
  readonly maskedLmPositions: Iterable<number>;
  readonly maskedLmIds: Iterable<number>;
  readonly nextSentenceLabel: number;
}

interface GoldenCase {
  readonly case: string;
  readonly args: Readonly<Record<string, number | boolean>> & { readonly inputs: string[]; readonly outputs: number };
}

describeShared(
  "reference/data/cases.jsonl",
  "--google-compatible gives Google's instances in Google's order",
  (path) => {
    const reference = join(path, "..");
    const cases: GoldenCase[] = readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

    test.each(cases.map((golden) => [golden.case, golden] as const))("%s", async (name, { args }) => {
      const format = args.outputs > 1 ? "tfrecord" : "jsonl";
      const outputs = Array.from({ length: args.outputs }, (_, i) => join(folder, `out-${i}`));
      await zhbert([
        ...args.inputs.map((file) => join(reference, "inputs", file)),
        ...["-o", outputs.join(","), "--format", format, "--google-compatible", "--segmenter", "none"],
        ...["--vocab", shared("assets/vocab.txt") as string],
        ...["max_seq_length", "dupe_factor", "short_seq_prob", "masked_lm_prob", "max_predictions_per_seq"].flatMap(
          (flag) => [`--${flag.replaceAll("_", "-")}`, String(args[flag])],
        ),
        `--random-seed=${args["random_seed"]}`,
        ...(args["do_whole_word_mask"] ? ["--do-whole-word-mask"] : []),
        ...(args["do_lower_case"] ? [] : ["--cased"]),
      ]);
      const expected = gunzipSync(readFileSync(join(reference, "instances", `${name}.jsonl.gz`))).toString();
      const instances = expected
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const read: Line[][] = [];
      for (const output of outputs) {
        if (format === "tfrecord") read.push(await collect(readTfrecord(one(readFileSync(output)), output)));
        else
          read.push(
            readFileSync(output, "utf8")
              .trim()
              .split("\n")
              .map((line) => JSON.parse(line)),
          );
      }
      expect(read.flat()).toHaveLength(instances.length);
      instances.forEach((instance, i) => {
        const made = read[i % outputs.length]?.[Math.floor(i / outputs.length)] as Line;
        expect([...made.inputIds]).toEqual(instance.input_ids);
        expect([...made.tokenTypeIds]).toEqual(instance.segment_ids);
        expect([...made.maskedLmPositions]).toEqual(instance.masked_lm_positions);
        expect([...made.maskedLmIds]).toEqual(instance.masked_lm_ids);
        expect(made.nextSentenceLabel).toBe(instance.next_sentence_label);
      });
    });
  },
);

test("--shard makes a part and says where it is; merge writes all of them", async () => {
  const make = (output: string, ...more: string[]) =>
    zhbert([corpus, "-o", join(folder, output), "--vocab", vocab, "--segmenter", "intl", ...more]);
  await make("whole");
  for (const part of ["1/2", "2/2"]) {
    const { stdout } = await make("parts", "--shard", part);
    expect(stdout).toContain(join(folder, "parts", `.zhbert-work-${part.replace("/", "-of-")}`));
    expect(stdout).not.toMatch(/NaN|written/);
  }
  await make("parts", "--shard", "merge");
  const files = (name: string) =>
    readdirSync(join(folder, name)).map((file) => [file, readFileSync(join(folder, name, file), "hex")]);
  expect(files("parts")).toEqual(files("whole"));
  for (const wrong of ["3/2", "0/2", "all"]) await expect(make("x", "--shard", wrong)).rejects.toThrow(UsageError);
});
