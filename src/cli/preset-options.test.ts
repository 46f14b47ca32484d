/** `--preset` as a user gives it, to data, pretrain and plan. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLines, runCommand } from "../../test/run-command.ts";
import { ArgumentError, UsageError } from "../errors.ts";
import { presets } from "../train/presets.ts";

let folder: string;
let corpus: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-preset-"));
  corpus = join(folder, "corpus.txt");
  const line = (i: number) => `第${i}天清晨，渔船从码头出发，老人在灯塔旁边等潮水退去。`;
  const lines = Array.from({ length: 120 }, (_, i) => `${line(i)}\n${i % 6 === 5 ? "\n" : ""}`);
  writeFileSync(corpus, lines.join(""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function zhbert(...args: string[]): Promise<{ stdout: string; notes: string }> {
  let notes = "";
  const stdout = await runCommand(args, [], (text) => {
    notes = text;
  });
  return { stdout, notes };
}
const description = (name: string) => JSON.parse(readFileSync(join(folder, name, "dataset.json"), "utf8"));

test.each(["data", "pretrain", "plan"])(
  "%s --preset list shows all of them, and nothing is asked for beside it",
  async (command) => {
    const { stdout } = await zhbert(command, "--preset", "list");
    for (const { name } of presets) expect(stdout).toContain(name);
    expect(stdout).toContain("100K x 2,560 + 100K x 384");
    const listed = parseLines((await zhbert(command, "--preset", "list", "--json")).stdout);
    expect(listed.map(({ name }) => name)).toEqual(presets.map(({ name }) => name));
    expect(listed[1].pretrain.learningRate).toEqual([1e-4, "ymcui/Chinese-BERT-wwm issue 28"]);
  },
);

test("data takes what is not given from the recipe, for either phase, and says its sources", async () => {
  const first = await zhbert("data", corpus, "-o", join(folder, "one"), "--preset", "bert-wwm", "--segmenter", "intl");
  expect(description("one")).toMatchObject({
    settings: { masking: "whole-word", maxSeqLength: 128, maxPredictionsPerSeq: 20, dupeFactor: 5, nextSentence: true },
  });
  expect(first.notes).toContain("passes 5 [ymcui/Chinese-BERT-wwm issue 28]");
  expect(first.notes).toContain("the authors' are LTP's");
  const more = ["--segmenter", "intl", "--dupe-factor", "1", "--no-nsp"];
  const second = await zhbert(
    "data",
    corpus,
    "-o",
    join(folder, "two"),
    "--preset",
    "bert-wwm",
    "--phase",
    "2",
    ...more,
  );
  expect(description("two")).toMatchObject({
    settings: { maxSeqLength: 512, maxPredictionsPerSeq: 80, dupeFactor: 1, nextSentence: false },
  });
  expect(second.notes).toContain("- passes 1 (published: 5)");
  expect(second.notes).toContain("- sentence task none (published: nsp)");
});

test("data: another length has predictions in proportion; other masking is given in either way", async () => {
  const given = ["--max-seq-length", "64", "--masking", "ngram", "--dupe-factor", "1", "--segmenter", "intl"];
  await zhbert("data", corpus, "-o", join(folder, "short"), "--preset", "cramming", ...given);
  const { settings, generation } = description("short");
  expect(settings).toMatchObject({ maxSeqLength: 64, maxPredictionsPerSeq: 16, masking: "ngram", nextSentence: false });
  expect(generation).toMatchObject({ maskedLmProb: 0.25, shortSeqProb: 0, crossDocuments: true });
});

test("pretrain says what this machine makes of it, and the run keeps the options", async () => {
  const data = ["--preset", "minirbt", "--dupe-factor", "1", "--segmenter", "intl", "--max-seq-length", "64"];
  await zhbert("data", corpus, "-o", join(folder, "mini"), ...data);
  const given = ["--config", "tiny", "--steps", "2", "--batch-size", "2", "--gradient-accumulation-steps", "1"];
  const run = join(folder, "run");
  const { notes } = await zhbert("pretrain", join(folder, "mini"), "--preset", "minirbt", ...given, "-o", run);
  expect(notes).toContain("here: 2 updates, 2 at once x 1");
  expect(notes).toContain("- sequences for an update 2 (published: 2,048)");
  expect(notes).toContain("- without a teacher: ");
  expect(notes).toContain("zhbert plan --preset minirbt");
  const { options } = JSON.parse(readFileSync(join(run, "checkpoint-2", "trainer-state.json"), "utf8"));
  expect(options).toMatchObject({ dynamicMasking: true, settings: { learningRate: 4e-4, schedule: "linear" } });
  await expect(zhbert("pretrain", run, "--resume", "--preset", "minirbt")).rejects.toThrow(
    "--preset: expected a resumed",
  );
});

test("plan plans a recipe: both phases with their own batches, hours as hours", async () => {
  const small = ["--config", "tiny", "--vocab-size", "200", "--threads", "2", "--json"];
  const [two] = parseLines(
    (await zhbert("plan", "--preset", "bert-wwm", ...small, "--phase2-seq-length", "64")).stdout,
  );
  expect(
    two.phases.map(({ seqLength, updates, tokens }: Record<string, number>) => [seqLength, updates, tokens]),
  ).toEqual([
    [128, 100_000, 100_000 * 2560 * 128],
    [64, 100_000, 100_000 * 384 * 64],
  ]);
  const [one] = parseLines((await zhbert("plan", "--preset", "cramming", ...small)).stdout);
  expect(one.seconds).toBe(24 * 3600);
  expect(one.phases[0].updates).toBe(Math.floor((24 * 3600) / one.phases[0].best.secondsPerUpdate));
});

test("wrong names and phases are refused", async () => {
  await expect(zhbert("data", corpus, "-o", folder, "--preset", "bert-wvm")).rejects.toThrow(ArgumentError);
  await expect(zhbert("data", corpus, "-o", folder, "--preset", "macbert", "--phase", "2")).rejects.toThrow(UsageError);
  await expect(zhbert("data", corpus, "-o", folder, "--phase", "2")).rejects.toThrow("--phase: expected --preset");
  await expect(zhbert("pretrain")).rejects.toThrow("folder: expected the data folder");
});
