/** The report of an evaluation says what was measured, shows errors with their texts, and lets nothing of them become markup. */
import { describe, expect, test } from "vitest";
import type { EvaluationError } from "../tasks/task.ts";
import { type EvaluationReportData, evaluationReport } from "./evaluation-report.ts";
import { markedText } from "./marked-text.ts";

const OPTIONS = { version: "1.2.3", date: "2026-01-02" };
const error = (expected: string, predicted: string, text = "房间很吵"): EvaluationError => ({
  text,
  expected,
  predicted,
  score: 0.875,
});
const data = (changes: Partial<EvaluationReportData["evaluation"]> = {}): EvaluationReportData => ({
  model: "out",
  data: "test.tsv",
  task: "text classification",
  examples: 1200,
  primaryMetric: "accuracy",
  evaluation: {
    metrics: { macroF1: 0.5, accuracy: 0.91278, loss: 0.25 },
    tables: [
      {
        title: "Classes",
        columns: ["class", "f1", "support"],
        rows: [
          ["好", 0.5, 1],
          ["坏", 1, 0],
        ],
      },
    ],
    confusion: {
      labels: ["好", "坏"],
      counts: [
        [30, 10],
        [0, 60],
      ],
    },
    errors: [error("好", "坏"), error("好", "坏"), error("坏", "好"), error("好", "坏")],
    ...changes,
  },
});
const textOf = (html: string) =>
  html
    .replace(/^.*<body>/s, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

describe("the report", () => {
  test("says what computed it", () => {
    const engine = { name: "openvino", version: "2026.4", precision: "bf16" };
    expect(textOf(evaluationReport({ ...data(), engine }, OPTIONS))).toContain("computed by openvino 2026.4 in bf16");
  });

  test("shows metrics with the primary one first, classes, confusions and errors", () => {
    const text = textOf(evaluationReport(data(), OPTIONS));
    for (const expected of [
      "text classification; 1,200 examples of test.tsv accuracy 91.28 % macroF1 50.00 % loss 0.25",
      "class f1 support 好 50.00 % 1 坏 100.00 % 0",
      "好 坏 好 30 10 坏 0 60",
      "4 of 1,200 examples",
      "expected 好 , predicted 坏 : 3",
      "房间很吵 87.50 %",
      "zhbert 1.2.3, 2026-01-02",
    ]) {
      expect(text).toContain(expected);
    }
  });

  test("columns of numbers have their heads above the numbers", () => {
    expect(evaluationReport(data(), OPTIONS)).toContain(
      '<th>class</th><th class="number">f1</th><th class="number">support</th>',
    );
  });

  test("links a cell of the matrix to its errors", () => {
    const html = evaluationReport(data(), OPTIONS);
    const [, id] = /<a href="#(e\d+)">10<\/a>/.exec(html) ?? [];
    expect(html).toMatch(new RegExp(`<details id="${id}"[^>]*><summary>expected <b>好</b>, predicted <b>坏</b>`));
  });

  test("shows errors in one table where hardly two are alike, as answers are", () => {
    const errors = ["甲", "乙", "丙", "丁"].map((answer) => error(answer, `${answer}地`));
    const text = textOf(evaluationReport(data({ errors }), OPTIONS));
    expect(text).toContain("text expected predicted probability 房间很吵 甲 甲地 87.50 %");
  });

  test("needs nothing besides, and escapes all that comes from data", () => {
    const evil = `"><script>alert(1)</script>`;
    const hostile = data({ errors: [{ ...error(evil, evil, evil), id: evil }], metrics: { [evil]: 1 } });
    const html = evaluationReport({ ...hostile, model: evil, data: evil, notes: [evil] }, OPTIONS);
    expect(html).not.toMatch(/<script|<link|<iframe|@import|url\(|src=/);
    expect(html).toContain("default-src 'none'");
  });

  test("stays small with a hundred thousand errors and a thousand classes", () => {
    const labels = Array.from({ length: 1000 }, (_, i) => `类${i}`);
    const counts = labels.map((_, row) => labels.map((__, column) => (row === column ? 5 : row === 7 ? 1 : 0)));
    const errors = Array.from({ length: 100_000 }, (_, i) => error(`类${i % 1000}`, "类7", "长".repeat(5000)));
    const html = evaluationReport(data({ errors, confusion: { labels, counts } }), OPTIONS);
    expect(html.length).toBeLessThan(5e6);
    expect(textOf(html)).toContain("30 of 1000 classes that are confused most");
  });
});

describe("marked text", () => {
  const mark = (start: number, end: number, kind: "expected" | "predicted", label?: string) => ({
    span: [start, end] as const,
    kind,
    ...(label === undefined ? {} : { label }),
  });

  test("parts overlapping spans where they begin and end", () => {
    const { text } = markedText("小王在北京市", [mark(3, 5, "expected", "LOC"), mark(3, 6, "predicted", "GPE")]);
    expect(text).toBe(
      '<span lang="zh">小王在<span class="mistyped">北京<sub>LOC</sub></span><span class="predicted">市<sub>GPE</sub></span></span>',
    );
  });

  test("tells whether both are of one type", () => {
    const { text } = markedText("北京", [mark(0, 2, "expected", "LOC"), mark(0, 2, "predicted", "LOC")]);
    expect(text).toBe('<span lang="zh"><span class="agreed">北京<sub>LOC</sub></span></span>');
  });

  test("cuts long texts around the marks, between characters", () => {
    const long = `${"前".repeat(1000)}𠮷答案𠮷${"后".repeat(1000)}`;
    const { text } = markedText(long, [mark(1002, 1004, "expected")]);
    const plain = text.replace(/<[^>]*>/g, "");
    expect(plain).toMatch(/^ … 前{58}𠮷答案𠮷后{58} … $/);
    expect(text).toContain('<span class="expected">答案</span>');
  });

  test("spans outside of the text are left out", () => {
    expect(markedText("短", [mark(5, 9, "expected"), mark(-3, -1, "predicted")]).text).toBe(
      '<span lang="zh">短</span>',
    );
  });
});
