/** SQuAD: questions about passages of the English Wikipedia; version 2.0 has questions that the passage does not answer. */
import { defineDataset } from "./dataset.ts";
import { readQuestionFile } from "./question-file.ts";

const common = {
  task: "qa",
  licence: "CC BY-SA 4.0",
  primaryMetric: "f1",
  maxSeqLength: 384,
} as const;

/** Every question has an answer. */
export const squad = defineDataset({
  ...common,
  name: "squad",
  aliases: ["squad1", "squad-v1.1"],
  title: "SQuAD 1.1",
  source: "https://rajpurkar.github.io/SQuAD-explorer (Rajpurkar et al. 2016)",
  splits: {
    train: { files: ["train-v1.1.json"], count: 87_599 },
    dev: { files: ["dev-v1.1.json"], count: 10_570 },
  },
  read: (file) => readQuestionFile(file),
});

/** A third of train and half of dev cannot be answered. */
export const squad2 = defineDataset({
  ...common,
  name: "squad2",
  aliases: ["squad-v2.0"],
  title: "SQuAD 2.0",
  source: "https://rajpurkar.github.io/SQuAD-explorer (Rajpurkar et al. 2018)",
  splits: {
    train: { files: ["train-v2.0.json"], count: 130_319 },
    dev: { files: ["dev-v2.0.json"], count: 11_873 },
  },
  read: (file) => readQuestionFile(file),
});
