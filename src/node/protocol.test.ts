/** A protocol goes through its cells once: what is finished is kept, what failed is said, what was interrupted goes on. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError, InterruptedError, TrainingError, verbatim } from "../errors.ts";
import type { CellResult } from "../tasks/protocol/protocol-results.ts";
import { type ProtocolOptions, type RunCell, runProtocol } from "./protocol.ts";

const report = { version: "0.0.0", date: "2026-01-01" };

let folder: string;
let file: string;
const ran: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zhbert-test-"));
  file = join(folder, "p.yaml");
  ran.length = 0;
  for (const model of ["a", "b"]) {
    await mkdir(join(folder, model));
    await writeFile(join(folder, model, "config.json"), `{"name": "${model}"}`);
  }
  await writeFile(join(folder, "train.csv"), "text,label\n好,1\n");
  await writeFile(file, "models: [a, b]\nruns: 2\ntasks: [{ task: classify, train: train.csv, epochs: 2 }]\n");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const result = (accuracy: number): CellResult => ({
  kind: "classify",
  primaryMetric: "accuracy",
  metrics: { dev: { accuracy } },
  scores: {},
  curve: [],
  evaluations: [],
  circumstances: {
    batchSize: 32,
    usualBatchSize: 32,
    learningRate: 2e-5,
    usualLearningRate: 2e-5,
    maxSeqLength: 128,
    trainingExamples: 1,
  },
  notes: [],
  seconds: 1,
});

const runCell: RunCell = async ({ model, seed, options }, _, { onProgress }) => {
  ran.push(`${model.name} ${seed}`);
  onProgress?.(0.5, { loss: "1.0" });
  expect(options["train"]).toBe(join(folder, "train.csv"));
  expect(model.path).toBe(join(folder, model.name));
  return result(seed === 1 ? 0.75 : 0.5);
};
const run = (options: Partial<ProtocolOptions> = {}) => runProtocol(file, { runCell, report, ...options });

describe("a protocol", () => {
  test("runs every cell and writes JSON, Markdown and HTML beside its file", async () => {
    const progress: number[] = [];
    const { results, files } = await run({ onProgress: (done) => progress.push(done) });
    expect(ran).toEqual(["a 1", "b 1", "a 2", "b 2"]);
    expect(progress).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]);
    expect(results).toMatchObject({ missing: 0, failed: [] });
    expect(files.json).toBe(join(folder, "p", "results.json"));
    const json = JSON.parse(await readFile(files.json, "utf8"));
    expect(json.rows[0].results.dev.accuracy).toMatchObject({ runs: 2, max: 0.75, mean: 0.625 });
    expect(json.runs).toHaveLength(4);
    expect(await readFile(files.markdown, "utf8")).toContain("| a | 75.0 (62.5) |");
    expect(await readFile(files.html, "utf8")).toContain("75.0 (62.5)");
  });

  test("finished cells are kept, also when seeds are added", async () => {
    await run();
    ran.length = 0;
    let counts: object | undefined;
    await run({ onStart: (found) => (counts = found) });
    expect([ran, counts]).toEqual([[], { cells: 4, finished: 4 }]);
    await writeFile(file, (await readFile(file, "utf8")).replace("runs: 2", "runs: 3"));
    const { results } = await run();
    expect(ran).toEqual(["a 3", "b 3"]);
    expect(results.finished).toHaveLength(6);
  });

  test.each([
    ["the model", () => writeFile(join(folder, "b", "config.json"), "{}"), ["b 1", "b 2"]],
    ["the data", () => writeFile(join(folder, "train.csv"), "text,label\n差,0\n"), ["a 1", "b 1", "a 2", "b 2"]],
    [
      "the options",
      async () => writeFile(file, (await readFile(file, "utf8")).replace("epochs: 2", "epochs: 3")),
      ["a 1", "b 1", "a 2", "b 2"],
    ],
  ])("other %s are run again", async (_, change, expected) => {
    await run();
    ran.length = 0;
    await change();
    await run();
    expect(ran).toEqual(expected);
  });

  test("a damaged result is made anew", async () => {
    const { results } = await run();
    await writeFile(join(folder, "p", results.finished[0]?.folder ?? "", "cell.json"), '{"version": 1, "dig');
    ran.length = 0;
    await run();
    expect(ran).toEqual(["a 1"]);
  });

  test("a failed cell is reported, the others go on, and it is tried again the next time", async () => {
    const failing: RunCell = async (cell, ...others) => {
      if (cell.model.name !== "a") return runCell(cell, ...others);
      throw new TrainingError({ where: "loss", expected: "a number", got: verbatim("NaN"), hint: "lower the rate" });
    };
    const failed: string[] = [];
    const { results, files } = await run({ runCell: failing, onFailed: ({ error }) => failed.push(error) });
    expect(failed).toEqual(["loss: expected a number, got NaN", "loss: expected a number, got NaN"]);
    expect(results.rows.map(({ model }) => model)).toEqual(["b"]);
    expect(await readFile(files.markdown, "utf8")).toContain("lower the rate");
    await run();
    expect(ran).toEqual(["b 1", "b 2", "a 1", "a 2"]);
  });

  test("a missing model or missing data fail in their cells", async () => {
    await rm(join(folder, "train.csv"));
    const { results } = await run();
    expect(results.failed).toHaveLength(4);
    expect(results.failed[0]?.error).toMatch(/train\.csv: expected a file that can be read/);
  });

  test("an interruption writes what there is and goes on later", async () => {
    const controller = new AbortController();
    const resumed: boolean[] = [];
    const noting: RunCell = (cell, path, environment) => {
      resumed.push(environment.isResumed);
      return runCell(cell, path, environment);
    };
    const interrupted: RunCell = async (cell, ...others) => {
      if (ran.length < 2) return noting(cell, ...others);
      controller.abort();
      throw new InterruptedError({ where: "run", expected: "the end", got: verbatim("SIGINT") });
    };
    await expect(run({ runCell: interrupted, signal: controller.signal })).rejects.toThrow(InterruptedError);
    const json = JSON.parse(await readFile(join(folder, "p", "results.json"), "utf8"));
    expect([json.runs.length, json.missing]).toEqual([2, 2]);
    await run({ runCell: noting });
    expect(ran).toEqual(["a 1", "b 1", "a 2", "b 2"]);
    // The third run had begun, the fourth had not.
    expect(resumed).toEqual([false, false, true, false]);
  });

  test("a defect is no failed cell", async () => {
    await expect(run({ runCell: () => Promise.reject(new TypeError("x")) })).rejects.toThrow(TypeError);
  });

  test("results may go elsewhere, and two processes do not share a folder", async () => {
    const output = join(folder, "deep", "results");
    const { files } = await run({ output });
    expect(files.html).toBe(join(output, "report.html"));
    const same = join(folder, "same");
    const nested: RunCell = async () => {
      await run({ output: same });
      return result(1);
    };
    const { results } = await run({ output: same, runCell: nested });
    expect(results.failed[0]?.error).toContain("lock");
  });

  test("what is no protocol is an error with its line", async () => {
    await writeFile(file, "models: [a]\ntaks: [b]");
    await expect(run()).rejects.toThrow(DataError);
    await expect(run()).rejects.toThrow(/p\.yaml line 2: taks/);
  });
});
