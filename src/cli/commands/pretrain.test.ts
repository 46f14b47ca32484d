/** zhbert pretrain as a user calls it: JSON lines, tables, wrong use, Ctrl-C. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pretrainingFixture } from "../../../test/pretraining-data.ts";
import { UsageError } from "../../errors.ts";
import { createOutput } from "../output.ts";
import { runProgram } from "../program.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
});
afterAll(() => fixture.remove());

/** Runs the command line in this process. */
async function zhbert(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({
    json: args.includes("--json"),
    streams: streams as unknown as { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  });
  await runProgram(["pretrain", ...args], {
    output,
    signal: new AbortController().signal,
    stdinLines: async function* () {},
  });
  await output.flush();
  return { stdout: String(streams.stdout.read() ?? ""), stderr: String(streams.stderr.read() ?? "") };
}

const small = () => ["--config", fixture.config, "--batch-size", "8", "--threads", "2"];

test("--json gives one object for each logged line and nothing else on stdout", async () => {
  const output = fixture.path("json");
  const run = ["--steps", "4", "--logging-steps", "2", "--seed", "3", "--json"];
  const { stdout, stderr } = await zhbert(fixture.data, "-o", output, ...small(), ...run);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const fields = [
    "step",
    "loss",
    "mlmLoss",
    "nspLoss",
    "mlmAccuracy",
    "learningRate",
    "tokensPerSecond",
    "gigaflopsPerSecond",
    "paddingShare",
    "engineShare",
    "peakShare",
  ];
  expect(lines.map((line) => Object.keys(line))).toEqual([fields, fields]);
  expect(lines.map(({ step }) => step)).toEqual([2, 4]);
  expect(stderr).toContain("step 4: held-out loss");
});

test("people get a table of results, the files, and the way to resume a finished run", async () => {
  const output = fixture.path("people");
  const { stdout } = await zhbert(fixture.data, "-o", output, ...small(), "--steps", "2", "--lr", "1e-3");
  expect(stdout).toMatch(/MLM accuracy +\d+\.\d % +\d+\.\d %/);
  expect(stdout).toContain(join(output, "loss-curve.svg"));
  const { stderr } = await zhbert(output, "--resume");
  expect(stderr).toContain("the run is complete: 2 steps");
});

test("every option reaches the run: NVIDIA's recipe in small, with all that can be kept", async () => {
  const output = fixture.path("recipe");
  const recipe = ["--optimizer", "lamb-nvidia", "--schedule", "nvidia", "--schedule-power", "0.6", "--lr", "6e-3"];
  const course = ["--steps", "4", "--warmup-steps", "1", "--layer-decay", "0.9", "--end-learning-rate", "1e-5"];
  const second = [
    "--phase2-steps",
    "3",
    "--phase2-lr",
    "4e-3",
    "--phase2-warmup-steps",
    "1",
    "--phase2-batch-size",
    "4",
  ];
  const batches = [
    "--gradient-accumulation-steps",
    "3",
    "--batch-ramp",
    "0.5",
    "--phase2-gradient-accumulation-steps",
    "2",
  ];
  const kept = ["--ema", "0.9", "--load-best", "--early-stop", "9", "--eval-every", "1", "--freeze-layers", "1"];
  const adam = ["--adam-beta1", "0.8", "--adam-beta2", "0.98", "--adam-epsilon", "1e-7", "--max-grad-norm", "0"];
  const { stderr } = await zhbert(
    ...[fixture.data, "-o", output, ...small(), ...recipe, ...course, ...second, ...batches, ...kept],
    ...["--freeze-embeddings", "--phase2-data", fixture.data, ...adam],
  );
  expect(stderr).toContain("of them trained");
  expect(stderr).toMatch(/averaged weights: loss \d/);
  const { options } = JSON.parse(readFileSync(join(output, "checkpoint-7/trainer-state.json"), "utf8"));
  expect(options).toMatchObject({
    settings: {
      ...{ steps: 4, optimizer: "lamb-nvidia", learningRate: 6e-3, warmupSteps: 1, gradientAccumulationSteps: 3 },
      ...{ schedule: "nvidia", schedulePower: 0.6, endLearningRate: 1e-5, layerDecay: 0.9 },
      ...{ beta1: 0.8, beta2: 0.98, epsilon: 1e-7, maxGradientNorm: 0 },
      ...{ batchRamp: 0.5, averageDecay: 0.9, patience: 9 },
      secondPhase: { steps: 3, gradientAccumulationSteps: 2, learningRate: 4e-3, warmupSteps: 1 },
    },
    ...{ frozenLayers: 1, frozenEmbeddings: true, saveBest: true, loadBest: true },
    secondPhase: { data: "../data", batchSize: 4 },
  });
  const average = fixture.path("recipe-average");
  const { stdout } = await zhbert(output, "--export-ema", average);
  expect(stdout).toContain(`${average}: the moving average of 7 updates`);
  expect(existsSync(join(average, "model.safetensors"))).toBe(true);
});

test("a run by hours shows its time", async () => {
  const run = ["--hours", "0.0001", "--warmup-share", "0.2", "--schedule", "cosine", "--json"];
  const { stdout } = await zhbert(fixture.data, "-o", fixture.path("hours"), ...small(), ...run);
  expect(JSON.parse(stdout.trim().split("\n").at(-1)!).step).toBeGreaterThan(0);
  const { stderr } = await zhbert(fixture.path("hours"), "--resume");
  expect(stderr).toMatch(/resuming at step \d+\n/);
});

test.each<[string[], string]>([
  [["--resume", "--phase2-lr", "1"], "--phase2-lr: expected a resumed run to keep its own, got 1"],
  [["--phase2-lr", "1"], "a second phase: expected --phase2-steps"],
  [["--layer-decay", "2"], "--layer-decay: expected a number from 0 to 1"],
  [["--ema", "1"], "--ema: expected a number from 0 to below 1"],
  [["--resume", "--steps", "9"], "--steps: expected a resumed run to keep its own, got 9"],
  [["--resume", "--seed", "9"], "--seed: expected a resumed run to keep its own, got 9"],
  [["--resume", "--lr", "9"], "--lr: expected a resumed run to keep its own, got 9"],
  [["--resume", "-o", "x"], "--output: expected a resumed run to keep its own"],
  [["--data", "elsewhere"], "--data: expected --resume beside it"],
  [["--batch-size", "0"], "--batch-size: expected a whole number of 1 or more"],
  [["--held-out", "1"], "--held-out: expected a number from 0 to below 1"],
])("%j is wrong use", async (args, message) => {
  const attempt = zhbert(fixture.data, ...args);
  await expect(attempt).rejects.toBeInstanceOf(UsageError);
  await expect(attempt).rejects.toThrow(message);
});

test("Ctrl-C saves a checkpoint, says how to go on and exits with 130", async () => {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const program = fileURLToPath(new URL("../main.ts", import.meta.url));
  const output = fixture.path("stopped");
  const run = ["--steps", "100000", "--save-steps", "2", "--save-total-limit", "1", "--logging-steps", "1"];
  const child = spawn(process.execPath, [
    "--import",
    tsx,
    program,
    "pretrain",
    fixture.data,
    "-o",
    output,
    ...small(),
    ...run,
  ]);
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const waiting = setInterval(() => {
    if (existsSync(join(output, "metrics.jsonl"))) {
      clearInterval(waiting);
      child.kill("SIGINT");
    }
  }, 50);
  const code = await new Promise((done) => child.on("close", done));
  clearInterval(waiting);
  expect(code).toBe(130);
  expect(stderr).toContain("interrupted");
  expect(stderr).toContain(`zhbert pretrain ${output} --resume`);
  expect(readdirSync(output).filter((name) => name.startsWith("checkpoint"))).toHaveLength(1);
  expect(readdirSync(output).filter((name) => name.startsWith("."))).toEqual([]);
});
