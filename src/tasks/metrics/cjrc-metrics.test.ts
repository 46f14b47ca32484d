/** The CJRC evaluation, question by question against the official script. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { scoreCjrcAnswer } from "./cjrc-metrics.ts";

test("characters count, marks and order do not", () => {
  expect(scoreCjrcAnswer("2011年，7月", ["7月2011年"])).toEqual({ exactMatch: 0, f1: 1 });
  expect(scoreCjrcAnswer("（A公司）", ["a公司"])).toEqual({ exactMatch: 1, f1: 1 });
  expect(scoreCjrcAnswer("", [])).toEqual({ exactMatch: 1, f1: 1 });
});

test("several references: the mean over leaving each out", () => {
  // Right by the first alone: it is left out once of two times.
  expect(scoreCjrcAnswer("城西", ["城西", "港口"]).exactMatch).toBe(0.5);
  expect(scoreCjrcAnswer("城西", ["城西", "城西", "港口"]).exactMatch).toBe(1);
});

interface Goldens {
  readonly gold: {
    readonly data: readonly { readonly paragraphs: readonly { readonly qas: readonly Question[] }[] }[];
  };
  readonly predictions: Readonly<Record<string, string>>;
  readonly em: Readonly<Record<string, number>>;
  readonly f1: Readonly<Record<string, number>>;
}

interface Question {
  readonly id: string;
  readonly answers: readonly { readonly text: string }[];
}

describeShared("reference/metrics/cjrc.json", "the official CJRC script", (path) => {
  const { gold, predictions, em, f1 }: Goldens = JSON.parse(readFileSync(path, "utf8"));

  test("gives every question the same scores", () => {
    let compared = 0;
    for (const { id, answers } of gold.data.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas))) {
      const prediction = predictions[id];
      if (prediction === undefined) continue;
      const score = scoreCjrcAnswer(
        prediction,
        answers.map(({ text }) => text),
      );
      expect({ id, ...score }).toEqual({ id, exactMatch: em[id], f1: f1[id] });
      compared += 1;
    }
    expect(compared).toBe(112);
  });
});
