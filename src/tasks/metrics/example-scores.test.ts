/** Scores of examples add up to the metric over all of them, or are not given. */
import { expect, test } from "vitest";
import { classify } from "../classify.ts";
import type { TaggedExample } from "../examples.ts";
import { characterUnits } from "../ner/text-units.ts";
import { ner } from "../ner.ts";
import type { AnyTask } from "../task.ts";
import { exampleScores } from "./example-scores.ts";

test("an accuracy is the mean of its examples", () => {
  const task: AnyTask = classify.create({ task: "classify", maxSeqLength: 16, labels: ["0", "1"] });
  const examples = ["1", "0", "1"].map((label) => ({ text: "好", label }));
  const predictions = ["1", "1", "1"].map((label) => ({
    label,
    labels: [
      { label, score: 0.9 },
      { label: label === "1" ? "0" : "1", score: 0.1 },
    ],
  }));
  expect(exampleScores(task, examples, predictions, 2 / 3)).toEqual({
    metric: task.primaryMetric,
    parts: 1,
    values: [1, 0, 1],
  });
  // Another number over all: then the mean is not what is compared.
  expect(exampleScores(task, examples, predictions, 0.5)).toBeUndefined();
  expect(exampleScores(task, [], [], undefined)).toBeUndefined();
});

test("entities are counted, and the sums give the F1 over all", () => {
  const example = (text: string, tags: string[]): TaggedExample => ({ text, units: characterUnits(text), tags });
  const examples = [
    example("我在北京", ["O", "O", "B-LOC", "I-LOC"]),
    example("他去上海", ["O", "O", "B-LOC", "I-LOC"]),
    example("无", ["O"]),
  ];
  const task: AnyTask = ner.create(ner.settle(examples, { maxSeqLength: 16 }));
  const tags = [["O", "O", "B-LOC", "I-LOC"], ["B-LOC", "O", "B-LOC", "O"], ["B-LOC"]];
  const predictions = tags.map((one) => ({ tags: one, scores: one.map(() => 0.9) }));
  const { f1 } = task.evaluate(examples, predictions).metrics;
  const found = exampleScores(task, examples, predictions, f1);
  expect(found).toEqual({ metric: "f1", parts: 3, values: [1, 1, 1, 0, 2, 1, 0, 1, 0] });
  const [right, predicted, expected] = [0, 1, 2].map((part) =>
    (found?.values ?? []).reduce((sum, value, i) => sum + (i % 3 === part ? value : 0), 0),
  ) as [number, number, number];
  expect((2 * right) / (predicted + expected)).toBeCloseTo(f1 as number, 12);
});
