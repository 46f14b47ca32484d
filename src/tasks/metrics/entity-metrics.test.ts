/** Entity scores against seqeval's, and small cases worked out by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { lenientSpans, strictSpans, type TagScheme, type TagSpan } from "../ner/tag-schemes.ts";
import {
  type EntityReport,
  type SpanScores,
  scoreSegmentation,
  scoreSpans,
  spanErrors,
  tagAccuracy,
} from "./entity-metrics.ts";

type Scores = { precision: number | null; recall: number | null; "f1-score": number | null; support: number };

interface Mode {
  precision: number;
  recall: number;
  f1: number;
  report: Record<string, Scores>;
}

interface Case {
  id: string;
  scheme: TagScheme;
  suffix: boolean;
  true: string[][];
  pred: string[][];
  entities_true: [string, number, number][];
  entities_pred: [string, number, number][];
  accuracy: number;
  default: Mode;
  strict: Mode & { entities_true: [string, number, number][][]; entities_pred: [string, number, number][][] };
}

const AVERAGES = { "micro avg": "micro", "macro avg": "macro", "weighted avg": "weighted" } as const;

/** seqeval's mean over no types is NaN; here it is 0. */
const filled = (value: number | null) => value ?? 0;

function expectScores(actual: SpanScores | undefined, expected: Scores, name: string): void {
  expect(actual?.precision, name).toBeCloseTo(filled(expected.precision), 9);
  expect(actual?.recall, name).toBeCloseTo(filled(expected.recall), 9);
  expect(actual?.f1, name).toBeCloseTo(filled(expected["f1-score"]), 9);
  expect(actual?.support, name).toBe(expected.support);
}

function expectReport(actual: EntityReport, { report, ...micro }: Mode, id: string): void {
  const { precision, recall, f1 } = actual.micro;
  for (const [value, wanted] of [
    [precision, micro.precision],
    [recall, micro.recall],
    [f1, micro.f1],
  ]) {
    expect(value, id).toBeCloseTo(wanted as number, 9);
  }
  const names = Object.keys(report).filter((name) => !(name in AVERAGES));
  expect([...actual.types.keys()], id).toEqual(names.sort());
  for (const [name, expected] of Object.entries(report)) {
    const average = AVERAGES[name as keyof typeof AVERAGES];
    expectScores(average ? actual[average] : actual.types.get(name), expected, `${id}: ${name}`);
  }
}

/** Sentences end to end with one O between them, the last unit instead of the one after it. */
function endToEnd(sentences: readonly (readonly string[])[], spans: readonly (readonly TagSpan[])[]) {
  let offset = 0;
  return sentences.flatMap((tags, i) => {
    const moved = (spans[i] ?? []).map(({ type, start, end }) => [type, offset + start, offset + end - 1]);
    offset += tags.length + 1;
    return moved;
  });
}

describeShared(
  "reference/metrics/seqeval.jsonl",
  "seqeval on 210 cases with sequences that no scheme allows",
  (path) => {
    const lines = readFileSync(path, "utf8").trim().split("\n");
    const cases = lines.map((line) => JSON.parse(line.replaceAll("NaN", "null")) as Case);

    test.each(["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"])("%s", (scheme) => {
      const chosen = cases.filter((one) => one.scheme === scheme);
      expect(chosen).toHaveLength(35);
      for (const one of chosen) {
        const affix = one.suffix ? "suffix" : "prefix";
        const lenient = (tags: string[]) => lenientSpans(tags, affix);
        const [truth, found] = [one.true.map(lenient), one.pred.map(lenient)];
        expect(endToEnd(one.true, truth), one.id).toEqual(one.entities_true);
        expect(endToEnd(one.pred, found), one.id).toEqual(one.entities_pred);
        expectReport(scoreSpans(truth, found), one.default, `${one.id} lenient`);
        const strict = (tags: string[]) => strictSpans(tags, one.scheme, affix);
        const [strictTruth, strictFound] = [one.true.map(strict), one.pred.map(strict)];
        const listed = (spans: TagSpan[][]) => spans.map((s) => s.map(({ type, start, end }) => [type, start, end]));
        expect(listed(strictTruth), one.id).toEqual(one.strict.entities_true);
        expect(listed(strictFound), one.id).toEqual(one.strict.entities_pred);
        expectReport(scoreSpans(strictTruth, strictFound), one.strict, `${one.id} strict`);
        expect(tagAccuracy(one.true, one.pred), one.id).toBeCloseTo(one.accuracy, 9);
      }
    });
  },
);

const span = (type: string, start: number, end: number): TagSpan => ({ type, start, end });

test("one of two found, one of the wrong type", () => {
  const report = scoreSpans([[span("LOC", 0, 2), span("PER", 3, 5)]], [[span("LOC", 0, 2), span("ORG", 3, 5)]]);
  expect(report.micro).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5, support: 2 });
  expect([...report.types.keys()]).toEqual(["LOC", "ORG", "PER"]);
  expect(report.types.get("ORG")).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
  expect(report.macro.f1).toBeCloseTo(1 / 3, 12);
  expect(report.weighted.f1).toBe(0.5);
});

test("what is not there scores 0, and sentences must be as many", () => {
  expect(scoreSpans([[]], [[]]).micro).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
  expect(scoreSpans([], []).macro.f1).toBe(0);
  expect(() => scoreSpans([[]], [])).toThrow(/as many predicted sentences as true ones, 1, got 0/);
  expect(() => tagAccuracy([["O", "O"]], [["O"]])).toThrow(/sentence 1: expected as many predicted tags/);
  expect(tagAccuracy([], [])).toBe(0);
});

test("words by their places; recall of those that training did not hold", () => {
  const words = [span("_", 0, 2), span("_", 2, 3), span("_", 3, 5)];
  const found = [span("_", 0, 2), span("_", 2, 5)];
  const scores = scoreSegmentation([words], [found], [[..."天气很晴朗"]], new Set(["很", "晴朗"]));
  expect(scores.precision).toBe(0.5);
  expect(scores.recall).toBeCloseTo(1 / 3, 12);
  expect(scores.f1).toBeCloseTo(0.4, 12);
  expect([scores.unknownRecall, scores.unknownShare]).toEqual([1, 1 / 3]);
});

describe("spanErrors", () => {
  test("names what is wrong with each span", () => {
    const truth = [span("PER", 0, 2), span("LOC", 3, 5), span("ORG", 6, 9), span("LOC", 10, 11)];
    const found = [span("PER", 0, 2), span("ORG", 3, 5), span("ORG", 7, 9), span("PER", 12, 13)];
    expect(spanErrors(truth, found).map(({ kind }) => kind)).toEqual(["type", "boundary", "missed", "spurious"]);
    expect(spanErrors(truth, truth)).toEqual([]);
  });

  test("a span of the same ends is its partner before one that only overlaps", () => {
    const errors = spanErrors([span("LOC", 2, 4)], [span("LOC", 1, 3), span("PER", 2, 4)]);
    expect(errors.map(({ kind, predicted }) => [kind, predicted?.start])).toEqual([
      ["spurious", 1],
      ["type", 2],
    ]);
  });
});
