import { expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { regress } from "./regress.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."雨风雪", ""].join("\n"),
);
const task = regress.create({ task: "regress", maxSeqLength: 16, scoreRange: [0, 5] });
const predict = (score: number) => task.decode({ text: "" }, { rows: [] }, [{ logits: Float32Array.of(score) }]);

test("one output under a name, which tells Transformers that it is a regression", () => {
  const examples = [
    { text: "雨", textPair: "风", score: 1 },
    { text: "雨", textPair: "雪", score: 4.5 },
  ];
  expect(regress.settle(examples, { scoreRange: [0, 5] })).toEqual({
    task: "regress",
    maxSeqLength: 128,
    labels: ["score"],
    scoreRange: [0, 5],
  });
  expect(() =>
    regress.settle(
      [
        { text: "雨", score: 2 },
        { text: "风", score: 2 },
      ],
      {},
    ),
  ).toThrow(/different scores, got only 2/);
  expect(() => regress.settle([{ text: "雨" }], {})).toThrow(/got no scores/);
});

test("scores are kept inside of the range, and labels outside of it are refused", () => {
  expect([predict(5.4), predict(-1), predict(2.5)].map(({ score }) => score)).toEqual([5, 0, 2.5]);
  expect(task.encode({ text: "雨", score: 5 }, tokenizer).rows[0]?.labels).toEqual({ scores: [5] });
  expect(() => task.encode({ id: "3", text: "雨", score: 7 }, tokenizer)).toThrow(
    "example 3: score: expected a number in 0 .. 5, got 7",
  );
  const open = regress.create({ task: "regress", maxSeqLength: 16 });
  expect(() => open.encode({ text: "雨", score: Number.NaN }, tokenizer)).toThrow("score: expected a number, got NaN");
  expect(open.encode({ text: "雨", score: -40 }, tokenizer).rows[0]?.labels).toEqual({ scores: [-40] });
});

test("results name both texts", () => {
  expect(task.result({ text: "雨", textPair: "风" }, predict(3))).toEqual({ textA: "雨", textB: "风", score: 3 });
});

test("evaluation: correlations and distances; errors are those above the mean, the farthest first", () => {
  const examples = [0, 1, 3, 5].map((score, i) => ({ id: `${i}`, text: "雨", textPair: "风", score }));
  const { metrics, errors } = task.evaluate(examples, [0.5, 3, 4.5, 5].map(predict));
  expect(metrics).toMatchObject({ spearman: 1, mse: (0.25 + 4 + 2.25) / 4, mae: 1 });
  expect(metrics["pearson"]).toBeCloseTo(12.25 / Math.sqrt(14.75 * 12.25), 12);
  expect(errors.map(({ id, expected, predicted }) => [id, expected, predicted])).toEqual([
    ["1", "1", "3.00"],
    ["2", "3", "4.50"],
  ]);
  expect(() => task.evaluate([{ text: "雨" }], [predict(1)])).toThrow(/a score with every example/);
});

test("settings that cannot be are refused", () => {
  const base = { task: "regress", maxSeqLength: 16 };
  expect(() => regress.create({ ...base, labels: ["a", "b"] })).toThrow(ConfigError);
  expect(() => regress.create({ ...base, scoreRange: [5, 0] })).toThrow("scoreRange: expected the lowest");
  expect(() => regress.create({ ...base, scoreRange: "wide" as never })).toThrow(ConfigError);
});
