/** What runs amount to: the grid's best place by dev, statistics over its seeds, the published band, pairs of models. */
import { describe, expect, test } from "vitest";
import type { Protocol } from "./protocol.ts";
import { parseProtocol } from "./protocol-file.ts";
import { type CellResult, type FinishedCell, protocolResults } from "./protocol-results.ts";

const protocol = parseProtocol(
  `
models: [hfl/chinese-bert-wwm, hfl/rbt3]
runs: 2
tasks:
  - { dataset: chnsenticorp, grid: { learning-rate: [2e-5, 1e-4] } }
`,
  "p.yaml",
);

const circumstances = {
  batchSize: 32,
  usualBatchSize: 64,
  learningRate: 2e-5,
  usualLearningRate: 2e-5,
  maxSeqLength: 256,
  trainingExamples: 9600,
};

/** Dev is higher at the rate of 1e-4, test at 2e-5: a choice on test would show. */
function finish(of: Protocol, accuracy: (model: string, rate: number, seed: number) => number): FinishedCell[] {
  return of.cells.map((cell) => {
    const rate = Number(cell.point["learningRate"]);
    const test = accuracy(cell.model.name, rate, cell.seed);
    const right = Math.round(test * 200);
    const result: CellResult = {
      kind: "classify",
      dataset: "ChnSentiCorp",
      primaryMetric: "accuracy",
      metrics: { dev: { accuracy: rate === 1e-4 ? 0.9 : 0.8 }, test: { accuracy: test } },
      scores: {
        test: { metric: "accuracy", parts: 1, values: Array.from({ length: 200 }, (_, i) => Number(i < right)) },
      },
      curve: [],
      evaluations: [],
      circumstances,
      notes: ["test.tsv: 200 examples, published with 1,200"],
      seconds: 1,
    };
    return { ...cell, result };
  });
}

describe("the results of a protocol", () => {
  const finished = finish(protocol, (model, rate, seed) =>
    model === "hfl/rbt3" ? 0.9 + seed / 100 : rate === 1e-4 ? ([0.935, 0.94][seed - 1] ?? 0) : 0.99,
  );
  const results = protocolResults(protocol, finished);
  const [wwm, rbt3] = results.rows;

  test("the place of the grid is chosen on dev, and its seeds are summed up", () => {
    expect(results.rows).toHaveLength(2);
    expect(wwm?.point).toEqual({ learningRate: 1e-4 });
    expect(wwm?.points.map(({ mean, runs }) => [mean, runs])).toEqual([
      [0.9, 2],
      [0.8, 2],
    ]);
    expect(wwm?.results["test"]?.["accuracy"]).toMatchObject({ runs: 2, max: 0.94, min: 0.935, mean: 0.9375 });
    expect(wwm?.values["test"]?.["accuracy"]).toEqual([0.935, 0.94]);
  });

  test("stand beside the published ones on the splits that have such, with what to check", () => {
    expect(wwm?.published.map(({ split, position }) => [split, position])).toEqual([
      ["dev", "below"],
      ["test", "below"],
    ]);
    expect(wwm?.checks[0]?.kind).toBe("batch-size");
    expect(wwm?.checks.some(({ message }) => message.includes("200 examples"))).toBe(true);
    expect(rbt3?.published.map(({ split, position }) => [split, position])).toEqual([["test", "within"]]);
    expect(rbt3?.checks).toEqual([]);
  });

  test("pairs of models are compared on the examples' means over the runs", () => {
    const [pair] = results.comparisons;
    expect(results.comparisons).toHaveLength(1);
    expect(pair).toMatchObject({ first: "hfl/chinese-bert-wwm", second: "hfl/rbt3", split: "test" });
    // 187 and 188 right of 200 against 182 and 184.
    expect(pair?.difference).toBeCloseTo(187.5 / 200 - 183 / 200, 12);
    expect(pair?.corrected).toBe(pair?.pValue);
  });

  test("runs that saw other examples are not compared", () => {
    const cut = finished.map((cell) =>
      cell.model.name === "hfl/rbt3"
        ? {
            ...cell,
            result: { ...cell.result, scores: { test: { metric: "accuracy", parts: 1 as const, values: [1] } } },
          }
        : cell,
    );
    expect(protocolResults(protocol, cut).comparisons).toEqual([]);
  });

  test("the others are in per cent of the baseline, by their best runs", () => {
    expect(results.relativeColumns).toEqual([{ task: "chnsenticorp", metric: "accuracy" }]);
    expect(results.relative.map(({ model }) => model)).toEqual(["hfl/chinese-bert-wwm", "hfl/rbt3"]);
    expect(results.relative[1]?.relative[0]).toBeCloseTo((100 * 0.92) / 0.94, 10);
  });

  test("what is missing and what failed is counted", () => {
    const [failed] = protocol.cells.slice(-1).map((cell) => ({ ...cell, error: "a NaN loss", hint: "" }));
    const partial = protocolResults(protocol, finished.slice(0, 3), failed === undefined ? [] : [failed]);
    expect(partial.missing).toBe(8 - 3 - 1);
    expect(partial.rows.map(({ model, seeds }) => [model, seeds])).toEqual([
      ["hfl/chinese-bert-wwm", [1]],
      ["hfl/rbt3", [1]],
    ]);
    expect(protocolResults(protocol, [])).toMatchObject({ rows: [], comparisons: [], relative: [] });
  });
});

test("entities are compared by their F1 over all examples, and both metrics of reading comprehension are shown", () => {
  const two = parseProtocol("models: [a, b]\nruns: 1\ntasks: [{ task: ner }, { task: qa }]", "p.yaml");
  const finished = two.cells.map((cell): FinishedCell => {
    const isFirst = cell.model.name === "a";
    const isQa = cell.task.task === "qa";
    const f1 = isFirst ? 0.8 : 0.6;
    return {
      ...cell,
      result: {
        kind: cell.task.task,
        primaryMetric: "f1",
        metrics: { test: isQa ? { f1, exactMatch: 0.5, total: 9 } : { precision: 1, recall: 1, f1 } },
        // Of each sentence: right, predicted and true entities.
        scores: isQa
          ? {}
          : { test: { metric: "f1", parts: 3, values: isFirst ? [2, 2, 3, 0, 1, 0] : [1, 1, 3, 0, 1, 0] } },
        curve: [],
        evaluations: [],
        circumstances,
        notes: [],
        seconds: 1,
      },
    };
  });
  const { rows, comparisons } = protocolResults(two, finished);
  expect(comparisons).toHaveLength(1);
  expect(comparisons[0]?.difference).toBeCloseTo(4 / 6 - 2 / 5, 12);
  expect(rows.map(({ metrics }) => metrics)).toEqual([["f1"], ["f1"], ["exactMatch", "f1"], ["exactMatch", "f1"]]);
  expect(rows[0]?.published).toEqual([]);
});
