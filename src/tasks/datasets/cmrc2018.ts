/** CMRC 2018: questions about passages of the Chinese Wikipedia, answered by spans; in SQuAD's layout or its own. */
import { defineDataset } from "./dataset.ts";
import { readQuestionFile } from "./question-file.ts";

/** The name of a split's file, in folders as they are published and by itself; SQuAD's layout says where answers are. */
const files = (split: string, ...others: string[]) => [
  `squad-style-data/cmrc2018_${split}.json`,
  `squad-style/cmrc2018_${split}.json`,
  `cmrc2018_${split}.json`,
  `${split}.json`,
  ...others,
];

/** Spans of Wikipedia passages; dev and test have three answers to each question. */
export const cmrc2018 = defineDataset({
  name: "cmrc2018",
  aliases: ["cmrc"],
  title: "CMRC 2018",
  task: "qa",
  source: "https://github.com/ymcui/cmrc2018 (Cui et al. 2019)",
  licence: "CC BY-SA 4.0",
  splits: {
    train: { files: files("train"), count: 10_142 },
    dev: { files: files("dev"), count: 3_219 },
    trial: { files: files("trial"), count: 1_002 },
    // The whole test is secret; the questions of a part of it are published without answers.
    test: { files: files("test", "cmrc2018_test_no_answers.json", "cmrc2018_test_2k.json"), count: [4_895, 2_000] },
    challenge: { files: files("challenge"), count: 504 },
  },
  read: (file) => readQuestionFile(file),
  primaryMetric: "average",
  maxSeqLength: 384,
});
