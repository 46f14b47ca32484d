/** `zhbert plan`: what fits, what is recommended, and what is said when nothing fits. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyConfig } from "../../../test/pretraining-data.ts";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { ArgumentError, UsageError } from "../../errors.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-plan-"));
  writeFileSync(join(folder, "config.json"), tinyConfig());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = (...options: readonly string[]) =>
  runCommand(["plan", "--config", join(folder, "config.json"), "--threads", "2", ...options]);

test("a job of two phases: choices, times, and the commands that train so", async () => {
  const options = ["--seq-length", "32", "--phase2-share", "0.25", "--phase2-seq-length", "64"];
  const text = await plan("--steps", "80", "--batch-size", "8", "--memory", "8GB", ...options);
  expect(text).toContain("sequences of 32: 60 updates, 15,360 tokens");
  expect(text).toContain("sequences of 64: 20 updates, 10,240 tokens");
  expect(text).toMatch(/GFLOP\/s in matrix products, 8\.00 GB of memory/);
  expect(text.match(/best/g)).toHaveLength(2);
  expect(text).toMatch(
    /zhbert pretrain data\/ --config \S+ --steps 60 --batch-size \d.* --phase2-data data-64\/ --phase2-steps 20 --phase2-batch-size \d/,
  );
  expect(text).toMatch(/in all 1 min/);
});

test("--json gives all of it as numbers", async () => {
  const [job, ...more] = parseLines(await plan("--tokens", "1M", "--batch-size", "4", "--seq-length", "64", "--json"));
  expect(more).toEqual([]);
  expect(job.engine).toMatchObject({ name: "onnxruntime", precision: "f32", threads: 2 });
  const [phase] = job.phases;
  expect(phase.updates).toBe(Math.ceil(1e6 / 256));
  expect(phase.choices).toHaveLength(6);
  expect(phase.best.secondsPerUpdate).toBeGreaterThan(0);
  expect(job.seconds).toBeCloseTo(phase.updates * phase.best.secondsPerUpdate, 6);
  expect(job.machinePeak).toBeGreaterThan(1e8);
});

test("what does not fit is said, with what would", async () => {
  const text = await runCommand([
    "plan",
    "--config",
    "base",
    "--memory",
    "1.2GB",
    "--seq-length",
    "64",
    "--threads",
    "2",
  ]);
  expect(text).toMatch(/does not fit into 1\.20 GB: the least is [23]\.\d\d GB \(sequence by sequence, --recompute\)/);
  expect(text).toMatch(/the size tiny would fit: from 0\.\d\d GB/);
  expect(text).not.toContain("the size base would fit");
});

test("nonsense is refused", async () => {
  await expect(plan("--tokens", "1M", "--steps", "5")).rejects.toThrow(UsageError);
  await expect(plan("--tokens", "many")).rejects.toThrow(/a count such as 5\.4B/);
  await expect(plan("--seq-length", "128")).rejects.toThrow(ArgumentError);
});
