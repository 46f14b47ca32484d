/** A search trains what is good for longer, keeps what it has, and goes on where it was interrupted; cells are real runs. */
import { existsSync, rmSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { smallModelFolder } from "../../test/small-model.ts";
import { ArgumentError, InterruptedError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { OptionValues } from "../tasks/protocol/protocol.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { runProtocol } from "./protocol.ts";
import { cellRunner, type FineTuneOptionsOf } from "./protocol-cell.ts";
import { type SearchOptions, searchOptions } from "./search.ts";

let folder: string;
let model: ReturnType<typeof smallModelFolder>;
let runtime: Runtime;

/** Whether a text speaks of the weather shows in one character. */
const lines = (count: number) =>
  [
    "text\tlabel",
    ...Array.from({ length: count }, (_, i) =>
      i % 2 === 0 ? `今天气很好${"的一是"[i % 3]}\t天` : `我爱北京${"不了在"[i % 3]}\t京`,
    ),
  ].join("\n");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zhbert-test-"));
  model = smallModelFolder();
  runtime = createOnnxRuntime({ threads: 1 });
  await mkdir(join(folder, "data"));
  for (const [name, count] of [
    ["train", 64],
    ["dev", 8],
    ["test", 10],
  ] as const) {
    await writeFile(join(folder, "data", `${name}.tsv`), lines(count));
  }
  await appendFile(join(folder, "data", "test.tsv"), "\n我爱北京\t");
});
afterAll(async () => {
  model.remove();
  await runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

const optionsOf: FineTuneOptionsOf = (task, { data, maxSeqLength, ...rest }: OptionValues) => ({
  ...rest,
  task: { maxSeqLength: Number(maxSeqLength) },
  data: { name: task, folder: String(data) },
});
const common = () => ({ data: join(folder, "data"), maxSeqLength: 12, batchSize: 8 });

describe("a search", () => {
  let output: string;
  beforeEach(async () => {
    output = await mkdtemp(join(folder, "search-"));
  });
  const search = (options: Partial<SearchOptions> = {}) =>
    searchOptions({
      model: model.path,
      task: "classify",
      options: { ...common(), epochs: 4 },
      grid: { learningRate: [1e-7, 0.03, 0.003, 0.1] },
      output,
      optionsOf,
      runtime,
      ...options,
    });

  test("finds the rate that learns, and trains the others less", async () => {
    const rounds: number[][] = [];
    const found = await search({
      onStart: (rungs) => rounds.push(...rungs.map(({ places, evaluations }) => [places, evaluations])),
    });
    expect(rounds).toEqual([
      [4, 1],
      [2, 2],
      [1, 4],
    ]);
    expect(found.best?.place).toEqual({ learningRate: 0.003 });
    expect(found.best?.values).toHaveLength(4);
    expect(found.best?.values.at(-1)).toBe(1);
    expect(found.trials.map(({ values }) => values.length).sort()).toEqual([1, 1, 2, 4]);
    // The model of the best is there, those of the others are not.
    expect(await readdir(found.best?.folder ?? "")).toContain("model.safetensors");
    expect(await readdir(found.trials.at(-1)?.folder ?? "")).not.toContain("model.safetensors");
    let trained = 0;
    const again = await search({ onTrial: () => trained++ });
    expect([trained, again.trials]).toEqual([0, found.trials]);
  });

  test("interrupted at any time, it ends as one that was not", async () => {
    const options = { ...common(), epochs: 2 };
    const whole = await search({ options, output: await mkdtemp(join(folder, "whole-")) });
    for (const after of [1, 2]) {
      const controller = new AbortController();
      let trials = 0;
      const onTrial = () => {
        trials++;
        if (trials === after) controller.abort();
      };
      await expect(search({ options, signal: controller.signal, onTrial })).rejects.toThrow(InterruptedError);
    }
    const found = await search({ options });
    expect(found.trials.map(({ place, values }) => [place, values])).toEqual(
      whole.trials.map(({ place, values }) => [place, values]),
    );
  });

  test("all to the end where that is wanted; other data begin anew", async () => {
    const grid = { learningRate: [0.003, 1e-6] };
    const options = { ...common(), epochs: 2 };
    const found = await search({ isExhaustive: true, grid, options });
    expect(found.trials.map(({ values }) => values.length)).toEqual([2, 2]);
    await writeFile(join(folder, "data", "train.tsv"), lines(32));
    let trained = 0;
    await search({ isExhaustive: true, grid, options, onTrial: () => trained++ });
    expect(trained).toBe(2);
    await writeFile(join(folder, "data", "train.tsv"), lines(64));
  });

  test("a file that is gone is no fault of a place: the search ends, and goes on once it is back", async () => {
    const grid = { learningRate: [0.003, 1e-6] };
    const options = { ...common(), epochs: 1 };
    const file = join(folder, "data", "train.tsv");
    const onTrial = () => rmSync(file, { force: true });
    await expect(search({ grid, options, onTrial })).rejects.toThrow(/expected training examples/);
    await writeFile(file, lines(64));
    const { trials } = await search({ grid, options });
    expect(trials.map(({ failed, isComplete }) => [failed, isComplete])).toEqual([
      [undefined, true],
      [undefined, true],
    ]);
  });

  test.each([
    ["steps", { options: { steps: 20 } }],
    ["evalSteps", { options: { evalSteps: 3 } }],
    ["evalSteps", { grid: { evalSteps: [3, 5] } }],
  ])("%s are refused: rounds are epochs", async (name, { options, grid }: Partial<SearchOptions>) => {
    const found = search({ options: { ...common(), epochs: 2, ...options }, ...(grid && { grid }) });
    await expect(found).rejects.toThrow(ArgumentError);
    await expect(found).rejects.toThrow(new RegExp(`search: ${name}: expected whole epochs`));
  });

  test("nothing to measure on is an error, not a search by chance", async () => {
    const few = await mkdtemp(join(folder, "few-"));
    await writeFile(join(few, "train.tsv"), lines(2));
    const options = { ...common(), data: few, epochs: 1 };
    await expect(search({ options, grid: { learningRate: [0.1, 0.2] } })).rejects.toThrow(
      /expected development examples to choose by/,
    );
  });
});

test("a protocol's cell is measured on dev and test, with the scores of its examples", async () => {
  const file = join(folder, "p.yaml");
  const entries = Object.entries({ ...common(), learningRate: 0.003, epochs: 2 });
  await writeFile(
    file,
    `models: [${JSON.stringify(model.path)}]\nruns: 2\ntasks:\n  - task: classify\n${entries.map(([name, value]) => `    ${name}: ${value}`).join("\n")}\n`,
  );
  const notes: string[] = [];
  const report = { version: "0.0.0", date: "2026-01-01" };
  const runCell = cellRunner({ optionsOf, runtime, report, onNote: (text) => notes.push(text) });
  const progress: number[] = [];
  const { results } = await runProtocol(file, { runCell, report, onProgress: (done) => progress.push(done) });
  expect(results.failed).toEqual([]);
  const [first] = results.finished;
  expect(first?.result).toMatchObject({
    kind: "classify",
    circumstances: { batchSize: 8, learningRate: 0.003, maxSeqLength: 12, trainingExamples: 64 },
  });
  const { metrics, scores, curve, primaryMetric } = first?.result ?? results.finished[0]!.result;
  expect(Object.keys(metrics).sort()).toEqual(["dev", "test"]);
  const values = scores["test"]?.values ?? [];
  expect(values).toHaveLength(10);
  expect(values.reduce((sum, value) => sum + value, 0) / 10).toBeCloseTo(metrics["test"]?.[primaryMetric] ?? -1, 12);
  expect(existsSync(join(folder, "p", first?.folder ?? "", "evaluation-test.html"))).toBe(true);
  expect(curve.map(([step]) => step)).toEqual([8, 16]);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  // The rate is far from the published one; what to check says so of the circumstances, once.
  expect(notes).toContainEqual(expect.stringMatching(/^a learning rate of 3e-3 is/));
  expect(first?.result.notes.filter((note) => note.includes("learning rate"))).toEqual([]);
  // The last example of test has no label: it is told, and the others are measured.
  expect(notes).toContainEqual(expect.stringContaining("test has 1 of 11 examples without a label"));
  expect(notes.filter((note, i) => notes.indexOf(note) !== i)).toEqual([]);
});
