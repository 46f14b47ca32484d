/** `zhbert finetune` as people type it. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fineTuningFixture } from "../../../test/fine-tuning-data.ts";
import { parseLines, runCommand } from "../../../test/run-command.ts";

let fixture: ReturnType<typeof fineTuningFixture>;
beforeAll(() => {
  fixture = fineTuningFixture();
});
afterAll(() => fixture.remove());

const given = (output: string) => [
  ...["finetune", "classify", "--model", fixture.path(), "--train", fixture.train, "--dev", fixture.dev],
  ...["--max-seq-length", "16", "--threads", "2", "--lr", "3e-3", "-o", fixture.path(output)],
];

test("people get notes, scores of all runs with maximum, mean and deviation, files, and what comes next", async () => {
  let notes = "";
  const args = ["--test", fixture.test, "--runs", "2", "--epochs", "2", "--batch-size", "8"];
  const text = await runCommand([...given("table"), ...args], [], (stderr) => {
    notes = stderr;
  });
  expect(notes).toContain("labels: no 25 (50.0 %), yes 25 (50.0 %)");
  expect(notes).toContain("2 epochs = 14 updates of 8 examples, learning rate 3e-3, warm-up 1 update, adamw");
  expect(notes).toMatch(/seed 1, evaluating: (\d+)\/\1 batches/);
  expect(notes).toMatch(/step 7: dev loss \d\.\d+, accuracy \d+/);
  expect(text).toMatch(/^classify +best step +dev accuracy +test accuracy/);
  expect(text).toMatch(/\nseed 1 .*\nseed 2 .*\nmaximum \(mean\) +\d+\.\d\d \(\d+\.\d\d\).*\nstandard deviation +\d/);
  expect(text).toContain(`next: zhbert evaluate ${fixture.path("table")} --data FILE`);
});

test("vectors are tried on vectors, and options of the task reach it", async () => {
  const train = fixture.path("texts.tsv");
  writeFileSync(train, `text\n${"今天很好\n我爱北京\n".repeat(16)}`);
  const args = ["finetune", "embed", "--model", fixture.path(), "--train", train, "--threads", "2"];
  const more = [
    "--objective",
    "simcse",
    "--pooling",
    "cls",
    "--temperature",
    "0.1",
    "--score-range",
    "0,5",
    "--steps",
    "1",
  ];
  const out = fixture.path("vectors");
  let notes = "";
  const text = await runCommand([...args, ...more, "--lr", "5e-5", "-o", out], [], (stderr) => {
    notes = stderr;
  });
  expect(notes).toContain("1 update of 32 examples, learning rate 5e-5, warm-up 0 updates");
  expect(text).toContain(`next: zhbert evaluate ${out} --data FILE    zhbert semantic-search ${out} FILE TEXT`);
  expect(JSON.parse(String(fixture.bytes("vectors", "task.json")))).toMatchObject({
    ...{ objective: "simcse", pooling: "cls", temperature: 0.1, scoreRange: [0, 5] },
  });
});

test("--json gives the log, evaluations and results, one object a line", async () => {
  const options = ["--steps", "4", "--train-batch-size", "8", "--logging-steps", "2", "--json"];
  const lines = parseLines(await runCommand([...given("json"), ...options]));
  expect(lines.map((line) => Object.keys(line).slice(0, 3))).toEqual([
    ["seed", "step", "epoch"],
    ["seed", "step", "epoch"],
    ["seed", "step", "evaluation"],
    ["output", "task", "primaryMetric"],
  ]);
  expect(lines[0]).toMatchObject({ seed: 1, step: 2, loss: expect.any(Number), examplesPerSecond: expect.any(Number) });
  expect(lines.at(-1)).toMatchObject({ task: "classify", best: 1, runs: [{ scores: { dev: {} } }] });
});

test("every option reaches the run", async () => {
  const options = [
    ...["--epochs", "1", "--batch-size", "4", "--gradient-accumulation-steps", "2", "--warmup", "0.3"],
    ...[
      "--optimizer",
      "adamw-bert",
      "--schedule",
      "cosine",
      "--layer-decay",
      "0.9",
      "--ema",
      "0.9",
      "--early-stop",
      "4",
    ],
    ...["--adversarial", "pgd", "--adversarial-steps", "2", "--r-drop", "1", "--label-smoothing", "0.1"],
    ...["--class-weights", "1,2", "--focal-gamma", "1", "--unfreeze-every", "0.5", "--dropout", "0.2", "--recompute"],
  ];
  const lines = parseLines(await runCommand([...given("options"), ...options, "--json"]));
  expect(lines.at(-1)).toMatchObject({ runs: [{ batchSize: 8, learningRate: 3e-3, epochs: 1, step: 7 }] });
  const job = JSON.parse(String(fixture.bytes("options", "fine-tuning.json")));
  expect(job).toMatchObject({
    data: { train: "../train.tsv", dev: "../dev.tsv" },
    task: { maxSeqLength: 16 },
    choices: {
      averageDecay: 0.9,
      adversarial: { method: "pgd", steps: 2 },
      rDropAlpha: 1,
      loss: { labelSmoothing: 0.1, classWeights: [1, 2], focalGamma: 1 },
    },
  });
});

test("a finished run says its scores again, and --resume takes nothing else", async () => {
  const text = await runCommand(["finetune", "--resume", fixture.path("table")]);
  expect(text).toMatch(/maximum \(mean\)/);
  const more = runCommand(["finetune", "--resume", fixture.path("table"), "--epochs", "3"]);
  await expect(more).rejects.toThrow("--epochs: expected a resumed run to keep its own, got 3");
  const both = runCommand(["finetune", "classify", "--resume", fixture.path("table")]);
  await expect(both).rejects.toThrow("--resume: expected the folder alone");
});

test("a misspelt task or data set is told before the folder is looked at or anything is read", async () => {
  const finetune = (task: string, ...more: string[]) =>
    runCommand(["finetune", task, "--model", "no/model", "--train", "no.tsv", "-o", fixture.path(), ...more]);
  await expect(finetune("clasify")).rejects.toMatchObject({ hint: expect.stringMatching(/^did you mean classify\?/) });
  await expect(finetune("embed", "--dataset", "sts-a")).rejects.toMatchObject({ hint: "did you mean sts-b?" });
  await expect(finetune("classify")).rejects.toThrow("a new folder for the run");
});

test.each([
  [["classify"], "--model: expected a model to fine-tune, got none"],
  [[], "task: expected a data set's name or a task"],
  [["classify", "--model", "x", "--adversarial-steps", "2"], "--adversarial: expected --adversarial fgm or pgd beside"],
  [
    ["classify", "--model", "x", "--class-weights", "1,-2"],
    "--class-weights: expected balanced, or numbers of 0 or more",
  ],
])("what is missing or wrong is said: %j", async (args, message) => {
  await expect(runCommand(["finetune", ...args])).rejects.toThrow(message);
});

test("a full disk is a clear error, and what was saved before stays whole", () => {
  const { error, status } = spawnSync("prlimit", ["--version"]);
  if (error !== undefined || status !== 0) {
    console.log("skipped: prlimit is not there to limit the size of files");
    return;
  }
  const modelBytes = statSync(fixture.path("json/model.safetensors")).size;
  const program = fileURLToPath(new URL("../main.ts", import.meta.url));
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  // Weights fit, the optimiser's state, twice as large, does not.
  const { stderr, status: exit } = spawnSync("prlimit", [
    `--fsize=${modelBytes + 4096}`,
    ...[process.execPath, "--import", tsx, program, ...given("full"), "--batch-size", "8", "--epochs", "1"],
  ]);
  expect(String(stderr)).toMatch(/error: .*optimizer\.safetensors: expected a file that can be written/);
  expect(exit).toBe(1);
  expect(readdirSync(fixture.path("full")).filter((name) => /checkpoint|tmp/.test(name))).toEqual([]);
});
