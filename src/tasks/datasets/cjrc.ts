/** CJRC: questions about judgments of Chinese courts, answered by spans, by yes or no, or not to be answered. */
import { defineDataset } from "./dataset.ts";
import { readQuestionFile } from "./question-file.ts";

/** One answer to each question of train, three to those of dev and test; an empty text where there is no answer. */
export const cjrc = defineDataset({
  name: "cjrc",
  title: "CJRC",
  task: "qa",
  source: "https://github.com/china-ai-law-challenge/CAIL2019 (Duan et al. 2019)",
  licence: "none stated",
  splits: {
    train: { files: ["big_train_data.json", "train_data.json", "small_train_data.json", "train.json"] },
    dev: { files: ["dev_ground_truth.json", "dev.json"], count: 6_000 },
    test: { files: ["test_ground_truth.json", "test.json"], count: 6_000 },
  },
  read: (file) => readQuestionFile(file, { yesNo: true }),
  primaryMetric: "average",
  maxSeqLength: 512,
});
