/** Settings as a file may hold them: what is of the wrong kind or out of range is an error that names it, for every task. */
import { describe, expect, test } from "vitest";
import { smallConfig, smallVocabulary } from "../../test/small-model.ts";
import { ConfigError, DataError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import type { AnyTaskDefinition } from "./task.ts";
import { taskOfModel } from "./task-files.ts";
import { taskDefinitions } from "./tasks.ts";

const common = { maxSeqLength: 16, layerMix: true };
const single = { ...common, longTexts: "windows" };
const [score, labels] = [{ labels: ["score"] }, { labels: ["差", "好"] }];
/** Every setting of every task, as it may be. */
const whole: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  classify: { ...single, ...labels },
  match: { ...common, ...labels, longTexts: "truncate" },
  siamese: { ...common, ...labels, longTexts: "truncate" },
  multilabel: { ...single, ...labels, threshold: 0.3 },
  regress: { ...single, ...score, scoreRange: [0, 5] },
  ner: {
    ...{ ...common, labels: ["O", "B-LOC", "I-LOC"], scheme: "IOB2", dataScheme: "IOB1", units: "runs" },
    ...{ constrained: true, crf: true, windowOverlap: 4 },
  },
  qa: {
    ...{ ...common, labels: [], docStride: 3, windowOverlap: 2, maxQueryLength: 4, maxAnswerLength: 5, nBest: 3 },
    ...{ maxAnswerCharacters: 9, spanRule: "product", widestContextOnly: false, noAnswer: true, answerMetric: "squad" },
    ...{ noAnswerThreshold: -1.5, answerKinds: false, maskScores: true },
  },
  choice: { ...common, ...labels, longTexts: "truncate", choicesPerRow: 3 },
  embed: {
    ...{ ...common, ...labels, longTexts: "truncate", objective: "in-batch", pooling: "cls", temperature: 0.1 },
    ...{ hasNegatives: true, scoreRange: [-1, 1] },
  },
};
const WRONG = [null, true, "", "16", "windows ", -1e9, 1e300, 3.25, [], {}, ["x", "x"], [5, 0], [0, 1, 2], [1, null]];
/** Of what is wrong elsewhere, what is right here. */
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  noAnswerThreshold: [-1e9, 1e300, 3.25],
  temperature: [1e300, 3.25],
  labels: [[]],
};

const model = (taskJson: unknown) => ({ where: "model", config: smallConfig, configJson: {}, taskJson });
const tokenizer = new BertTokenizer(smallVocabulary);
const example = {
  ...{
    id: "1",
    text: "今天气很好".repeat(5),
    textPair: "我爱北京".repeat(5),
    units: [[0, 1]],
    context: "北京".repeat(20),
  },
  ...{ question: "在哪", choices: ["大", "不大"] },
};

describe.each(taskDefinitions.map((definition) => [definition.name, definition] as const))("%s", (name, definition) => {
  const { rules } = definition as AnyTaskDefinition;
  const settings = { task: name, ...whole[name] };
  const names = Object.keys(rules).filter((rule) => rule !== "longTexts" || name in { ner: 0, qa: 0 } === false);

  test("what each setting may be is accepted, and encodes", () => {
    expect(Object.keys(settings).sort()).toEqual([...names, "task"].sort());
    const task = taskOfModel(model(settings));
    expect(task.encode(example, tokenizer).rows.length).toBeGreaterThan(0);
  });

  test.each(names)("%s of another kind or out of range is refused by name", (setting) => {
    const right = RIGHT[setting] ?? [];
    const isRight = (value: unknown) => [settings[setting as never], ...right].some((one) => equal(one, value));
    for (const value of WRONG) {
      if (isRight(value) || (typeof settings[setting as never] === "boolean" && value === true)) continue;
      const attempt = () => taskOfModel(model({ ...settings, [setting]: value }));
      expect(attempt, `${setting}: ${JSON.stringify(value)}`).toThrow(ConfigError);
      expect(attempt, `${setting}: ${JSON.stringify(value)}`).toThrow(
        new RegExp(`^(model: task.json: )?.*${setting}: `),
      );
    }
  });

  test("nothing to evaluate is the same error everywhere, and so are predictions of other examples", () => {
    const task = taskOfModel(model(settings));
    expect(() => task.evaluate([], [])).toThrow(DataError);
    expect(() => task.evaluate([], [])).toThrow("evaluation data: expected examples to measure on, got none");
    expect(() => task.evaluate([example], [])).toThrow("evaluate: expected a prediction for each of 1 examples, got 0");
  });
});

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

test.each([
  [{ task: "embed", maxSeqLength: 16 }, "model: task.json: objective: expected one of simcse, in-batch"],
  [
    { task: "ner", maxSeqLength: 16, labels: ["O", "B-A"], windowOverlap: 14 },
    "ner: windowOverlap: expected at most 13",
  ],
  [
    { task: "ner", maxSeqLength: 16, labels: ["O", "B-A"], longTexts: "windows" },
    "longTexts: expected nothing, as every",
  ],
  [{ task: "qa", maxSeqLength: 16, windowOverlap: 13 }, "qa: windowOverlap: expected below the 13 tokens"],
  [{ task: "siamese", maxSeqLength: 16, longTexts: "windows" }, 'longTexts: expected truncate, got "windows"'],
  [{ task: "regress", maxSeqLength: 16, labels: ["a", "b"] }, "regress: labels: expected one output"],
  [{ task: "qa" }, "model: task.json: maxSeqLength: expected a whole number from 4 on"],
  [[], "model: task.json: task: expected one of classify"],
  ["classify", "model: task.json: task: expected one of classify"],
])("%j", (taskJson, message) => {
  expect(() => taskOfModel(model(taskJson))).toThrow(message);
});
