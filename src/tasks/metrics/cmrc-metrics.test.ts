/** The CMRC evaluation: question by question against the official script, and its odd corners in words. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { mixedSegments, officialCmrcLine, scoreCmrc, scoreCmrcAnswer, withoutMarks } from "./cmrc-metrics.ts";

test("an answer is compared without marks and letter case, by the best reference", () => {
  expect(scoreCmrcAnswer("《北风》，", ["南风", "北风"])).toEqual({ exactMatch: 1, f1: 1 });
  expect(scoreCmrcAnswer("北风", ["北风吹"])).toEqual({ exactMatch: 0, f1: 0.8 });
  expect(scoreCmrcAnswer("Wi-Fi", ["wifi"]).exactMatch).toBe(1);
});

test("F1 is of the longest common run, not of all that is in common", () => {
  // Four of five characters are shared, but the longest run is two.
  expect(scoreCmrcAnswer("春夏x秋冬", ["春夏秋冬"]).f1).toBeCloseTo(2 / 4.5, 12);
});

test("white space within counts for the exact match and not for F1", () => {
  expect(scoreCmrcAnswer("大 风", ["大风"])).toEqual({ exactMatch: 0, f1: 1 });
});

test("a question without references is answered rightly by saying nothing", () => {
  expect(scoreCmrcAnswer(" ", [])).toEqual({ exactMatch: 1, f1: 1 });
  expect(scoreCmrcAnswer("风", [])).toEqual({ exactMatch: 0, f1: 0 });
});

test("questions without an answer stay in the mean; the official line shows per cent", () => {
  const references = [
    { id: "a", answers: ["山"] },
    { id: "b", answers: ["水"] },
  ];
  const scores = scoreCmrc(references, new Map([["a", "山"]]));
  expect(scores).toMatchObject({ f1: 0.5, exactMatch: 0.5, average: 0.5, total: 2, skipped: 1 });
  expect(officialCmrcLine(scores, "p.json")).toBe(
    '{"AVERAGE": "50.000", "F1": "50.000", "EM": "50.000", "TOTAL": 2, "SKIP": 1, "FILE": "p.json"}',
  );
});

interface CmrcGoldens {
  readonly f1: number;
  readonly em: number;
  readonly average: number;
  readonly total: number;
  readonly skip: number;
  readonly questions: readonly {
    readonly id: string;
    readonly answers: readonly string[];
    readonly kind: string;
    readonly prediction?: string | number | boolean | null;
    readonly f1?: number;
    readonly em?: number;
    readonly prediction_segments?: readonly string[];
  }[];
  readonly segmentation: readonly {
    readonly text: string;
    readonly rm_punc: boolean;
    readonly segments: readonly string[];
    readonly removed: string;
  }[];
}

/** The reference gave the script some values that are no strings, which Python's str() turned into these. */
const spelled = (value: unknown): string => {
  if (value === null) return "None";
  return value === true ? "True" : String(value);
};

describeShared("reference/metrics/cmrc.json", "the official CMRC script", (path) => {
  const goldens: CmrcGoldens = JSON.parse(readFileSync(path, "utf8"));

  test("cuts every text into the same segments", () => {
    for (const { text, rm_punc, segments, removed } of goldens.segmentation) {
      expect(mixedSegments(text, { keepMarks: !rm_punc }), text).toEqual(segments);
      expect(withoutMarks(text)).toBe(removed);
    }
    for (const { prediction, prediction_segments } of goldens.questions) {
      if (prediction_segments) expect(mixedSegments(spelled(prediction))).toEqual(prediction_segments);
    }
  });

  test("gives every question the same scores, to the last bit", () => {
    let compared = 0;
    for (const question of goldens.questions) {
      if (question.kind === "missing") continue;
      const score = scoreCmrcAnswer(spelled(question.prediction), question.answers);
      expect({ id: question.id, ...score }).toEqual({ id: question.id, exactMatch: question.em, f1: question.f1 });
      compared += 1;
    }
    expect(compared).toBe(306);
  });

  test("gives the same totals", () => {
    const given = goldens.questions.filter((question) => question.kind !== "missing");
    const predictions = new Map(given.map(({ id, prediction }) => [id, spelled(prediction)]));
    const scores = scoreCmrc(goldens.questions, predictions);
    expect(100 * scores.f1).toBeCloseTo(goldens.f1, 9);
    expect(100 * scores.exactMatch).toBeCloseTo(goldens.em, 9);
    expect(100 * scores.average).toBeCloseTo(goldens.average, 9);
    expect([scores.total, scores.skipped]).toEqual([goldens.total, goldens.skip]);
  });
});
