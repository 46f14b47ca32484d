import { expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { multilabel } from "./multilabel.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."雨风雪", ""].join("\n"),
);
const labels = ["rain", "snow", "wind"];
const settings = { task: "multilabel", maxSeqLength: 16, labels };
const task = multilabel.create(settings);

/** The score of a probability. */
const logit = (p: number) => Math.log(p / (1 - p));
const predict = (...shares: readonly number[]) =>
  task.decode({ text: "" }, { rows: [] }, [{ logits: Float32Array.from(shares, logit) }]);

test("labels are those of all examples", () => {
  const examples = [
    { text: "雨", labels: ["wind", "rain"] },
    { text: "雪", labels: [] },
    { text: "雪", labels: ["snow"] },
  ];
  expect(multilabel.settle(examples, {})).toEqual({ ...settings, maxSeqLength: 128, threshold: 0.5 });
  expect(() => multilabel.settle([{ text: "雨", labels: [] }], {})).toThrow(/examples with labels/);
});

test("targets are 1 for the labels of an example; none is a target too, and not the same as unknown", () => {
  const targets = (given?: string[]) =>
    task.encode({ text: "雨", ...(given && { labels: given }) }, tokenizer).rows[0]?.labels?.["labels"];
  expect(targets(["wind", "rain"])).toEqual(Float32Array.of(1, 0, 1));
  expect(targets([])).toEqual(Float32Array.of(0, 0, 0));
  expect(targets()).toBeUndefined();
  expect(() => targets(["hail"])).toThrow('label of "雨": expected one of rain, snow, wind');
});

test("each label has its own probability; those from the threshold on are predicted", () => {
  const prediction = predict(0.6, 0.9, 0.2);
  expect(prediction.labels.map(({ label }) => label)).toEqual(["snow", "rain", "wind"]);
  expect(prediction.labels.map(({ score }) => score.toFixed(4))).toEqual(["0.9000", "0.6000", "0.2000"]);
  expect(prediction.predicted).toEqual(["snow", "rain"]);
  const strict = multilabel.create({ ...settings, threshold: 0.8 });
  const scores = [{ logits: Float32Array.of(logit(0.6), logit(0.9), logit(0.2)) }];
  expect(strict.decode({ text: "" }, { rows: [] }, scores).predicted).toEqual(["snow"]);
  expect(task.result({ text: "雪" }, prediction)).toEqual({ text: "雪", ...prediction });
});

test("evaluation: figures over decisions, and the worst decision first among errors", () => {
  const examples = [
    { id: "a", text: "雨", labels: ["rain"] },
    { id: "b", text: "雪", labels: ["snow", "wind"] },
    { id: "c", text: "风", labels: [] },
  ];
  const found = task.evaluate(examples, [predict(0.9, 0.6, 0.1), predict(0.1, 0.9, 0.02), predict(0.1, 0.1, 0.1)]);
  expect(found.metrics["microF1"]).toBeCloseTo(2 / 3, 12);
  expect(found.metrics["exactMatch"]).toBeCloseTo(1 / 3, 12);
  expect(found.metrics["hammingLoss"]).toBeCloseTo(2 / 9, 12);
  expect(found.metrics["samplesF1"]).toBeCloseTo((2 / 3 + 2 / 3 + 0) / 3, 12);
  expect(found.tables?.[0]?.rows[1]).toEqual(["snow", 0.5, 1, 2 / 3, 1]);
  expect(found.errors.map(({ id, expected, predicted }) => [id, expected, predicted])).toEqual([
    ["b", "snow, wind", "snow"],
    ["a", "rain", "rain, snow"],
  ]);
  expect(found.errors[0]?.score).toBeCloseTo(0.98, 6);
  expect(() => task.evaluate([{ id: "d", text: "雨" }], [predict(0.9, 0.1, 0.1)])).toThrow(
    /example d: expected a list/,
  );
});

test("settings that cannot be are refused", () => {
  expect(() => multilabel.create({ ...settings, threshold: 1 })).toThrow(ConfigError);
  expect(() => multilabel.create({ ...settings, labels: [] })).toThrow("labels: expected 1 different labels or more");
});
