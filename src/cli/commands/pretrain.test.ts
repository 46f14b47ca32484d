/** zhbert pretrain as a user calls it: JSON lines, tables, wrong use, Ctrl-C. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
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

test.each<[string[], string]>([
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
