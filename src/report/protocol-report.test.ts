/** The report and the Markdown of a protocol say the same: tables as publications print them, and nothing that breaks a page. */
import { describe, expect, test } from "vitest";
import { parseProtocol } from "../tasks/protocol/protocol-file.ts";
import { type CellResult, type FinishedCell, protocolResults } from "../tasks/protocol/protocol-results.ts";
import { protocolReport } from "./protocol-report.ts";
import { protocolMarkdown, protocolTables } from "./protocol-tables.ts";

const protocol = parseProtocol(
  `
title: "Small | models <3"
models: [hfl/chinese-bert-wwm, hfl/rbt3]
runs: 2
tasks: [chnsenticorp, { task: qa, name: 问答 }]
`,
  "p.yaml",
);
const accuracies: Readonly<Record<string, readonly number[]>> = {
  "hfl/chinese-bert-wwm": [0.952, 0.951],
  "hfl/rbt3": [0.85, 0.86],
};
const finished = protocol.cells.slice(0, -1).map((cell): FinishedCell => {
  const accuracy = accuracies[cell.model.name]?.[cell.seed - 1] ?? 0;
  const isQa = cell.task.task === "qa";
  const result: CellResult = {
    kind: isQa ? "qa" : "classify",
    ...(isQa ? {} : { dataset: "ChnSentiCorp" }),
    primaryMetric: isQa ? "f1" : "accuracy",
    metrics: isQa ? { dev: { exactMatch: 0.663, f1: 0.856 } } : { dev: { accuracy: 0.9 }, test: { accuracy } },
    scores: isQa
      ? {}
      : {
          test: {
            metric: "accuracy",
            parts: 1,
            values: Array.from({ length: 500 }, (_, i) => Number(i < 500 * accuracy)),
          },
        },
    evaluations: isQa ? [] : ["test"],
    curve: [
      [100, 0.5],
      [200, 0.6],
    ],
    circumstances: {
      batchSize: 8,
      usualBatchSize: 64,
      learningRate: 2e-5,
      usualLearningRate: 2e-5,
      maxSeqLength: 128,
      trainingExamples: 9600,
    },
    notes: [],
    seconds: 1,
  };
  return { ...cell, result };
});
const failed = protocol.cells.slice(-1).map((cell) => ({ ...cell, error: "loss is <NaN>", hint: "lower the rate" }));
const results = protocolResults(protocol, finished, failed);

describe("the tables", () => {
  const tables = protocolTables(results);
  const of = (title: string) => tables.find((one) => one.title === title);

  test("print maximum (mean), both metrics of reading comprehension", () => {
    expect(of("Results on dev")).toMatchObject({
      columns: ["model", "chnsenticorp, accuracy", "问答, EM / F1"],
      rows: [
        ["hfl/chinese-bert-wwm", "90.0 (90.0)", "66.3 (66.3) / 85.6 (85.6)"],
        // The second run failed: a single one has no mean.
        ["hfl/rbt3", "90.0 (90.0)", "66.3 / 85.6"],
      ],
    });
    expect(of("Results on test")?.rows).toEqual([
      ["hfl/chinese-bert-wwm", "95.2 (95.2)"],
      ["hfl/rbt3", "86.0 (85.5)"],
    ]);
  });

  test("place results beside the published ones", () => {
    const rows = of("Beside the published results")?.rows ?? [];
    expect(rows.find((row) => row[1] === "hfl/rbt3")?.slice(5)).toEqual(["86.0 (85.5)", "92.8", "below the band"]);
    expect(rows.find((row) => row[1] !== "hfl/rbt3" && row[2] === "test")?.slice(5)).toEqual([
      "95.2 (95.2)",
      "95.4 (95.0)",
      "within the band",
    ]);
  });

  test("name the failed runs", () => {
    expect(of("Failed runs")?.rows).toEqual([["问答", "hfl/rbt3", "2", "–", "loss is <NaN>", "lower the rate"]]);
    expect(of("Search on dev")).toBeUndefined();
  });
});

describe("Markdown", () => {
  const text = protocolMarkdown(results);

  test("keeps every row a row, whatever the names hold", () => {
    const rows = text.split("\n").filter((line) => line.startsWith("|"));
    expect(rows.length).toBeGreaterThan(20);
    expect(text).toContain("| hfl/rbt3 | 86.0 (85.5) |");
    expect(text).toContain("loss is \\<NaN\\>");
  });

  test("says what to check where a result is below the published ones", () => {
    expect(text).toMatch(/hfl\/rbt3 on chnsenticorp:\n\n- the batch: 8 examples an update, published with 64/);
    expect(text).toContain("7 runs\n");
  });
});

describe("the HTML report", async () => {
  const html = await protocolReport(results, { version: "0.0.0", date: "2026-01-01" });

  test("holds the tables, charts of the seeds with their numbers in words, and the band", () => {
    expect(html).toContain("<td>95.2 (95.2)</td>");
    expect(html).toContain('class="below">below the band<');
    expect(html).toContain("chnsenticorp, accuracy on test in %: hfl/chinese-bert-wwm 95.2, 95.1; hfl/rbt3 85.0, 86.0");
    expect(html.match(/data:image\/svg\+xml/g)?.length).toBe(4);
    expect(html).toContain("1 failed");
    // The best run of the small model on dev is the first one: both are equal there.
    expect(html).toMatch(/<a href="hfl-rbt3\/chnsenticorp\/seed-1-[0-9a-f]{8}\/evaluation-test\.html">test<\/a>/);
  });

  test("escapes what names and messages hold, and loads nothing", () => {
    expect(html).toContain("Small | models &lt;3");
    expect(html).toContain("loss is &lt;NaN&gt;");
    expect(html).not.toMatch(/<script|src="http|href="http/);
  });

  test("of nothing yet is a page too", async () => {
    const empty = await protocolReport(protocolResults(protocol, []), { version: "0.0.0", date: "2026-01-01" });
    expect(empty).toContain("0 runs; 8 still to be made");
  });
});
