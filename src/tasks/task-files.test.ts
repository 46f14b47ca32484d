import { expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { classify } from "./classify.ts";
import { taskConfigJson, taskOfModel } from "./task-files.ts";

const config = builtinConfig("tiny", 100);
const settings = { task: "classify", maxSeqLength: 64, labels: ["差", "好"] };
const model = (configJson: unknown, taskJson?: unknown) => ({ where: "model", config, configJson, taskJson });

test("config.json names class, labels and kind of problem, as Transformers writes them", () => {
  expect(taskConfigJson(classify.create(settings), config)).toMatchObject({
    architectures: ["BertForSequenceClassification"],
    id2label: { 0: "差", 1: "好" },
    label2id: { 差: 0, 好: 1 },
    problem_type: "single_label_classification",
    hidden_size: 312,
  });
});

test("task.json tells the task; without it config.json of Transformers does", () => {
  expect(taskOfModel(model({}, settings)).settings).toEqual(settings);
  const json = { architectures: ["BertForSequenceClassification"], id2label: { 0: "LABEL_0", 1: "LABEL_1" } };
  expect(taskOfModel(model(json)).settings).toEqual({
    task: "classify",
    maxSeqLength: 512,
    labels: ["LABEL_0", "LABEL_1"],
  });
});

test.each([
  [
    model({ architectures: ["BertForPreTraining"] }),
    /expected a model fine-tuned for a task .*, got BertForPreTraining/,
  ],
  [
    model({}, { task: "clasify", maxSeqLength: 64 }),
    /^model: task.json: task: expected one of .*classify.*, got "clasify"/,
  ],
  [model({}, { ...settings, maxSeqLength: 1024 }), /maxSeqLength: expected at most 512/],
  [model({}, { ...settings, maxSeqLength: "64" }), /maxSeqLength: expected a whole number/],
  [model({}, { ...settings, layerMix: "yes" }), /layerMix: expected true or false, got "yes"/],
  [model({}, { ...settings, longTexts: "cut" }), /longTexts: expected truncate or windows, got "cut"/],
  [model({}, { ...settings, labels: ["a", "a"] }), /labels: expected a list of .* different texts/],
  [
    model({ architectures: ["BertForSequenceClassification"], id2label: { 0: "a", 7: "b" } }),
    /id2label: expected labels/,
  ],
])("what cannot be is refused: %#", (given, message) => {
  expect(() => taskOfModel(given)).toThrow(message);
});
