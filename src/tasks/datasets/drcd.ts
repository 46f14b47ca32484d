/** DRCD: questions about passages of the Chinese Wikipedia in traditional characters, answered by spans. */
import { defineDataset } from "./dataset.ts";
import { readQuestionFile } from "./question-file.ts";

/** One answer to each question. */
export const drcd = defineDataset({
  name: "drcd",
  title: "DRCD",
  task: "qa",
  source: "https://github.com/DRCKnowledgeTeam/DRCD (Shao et al. 2018)",
  licence: "CC BY-SA 3.0",
  splits: {
    train: { files: ["DRCD_training.json", "drcd_train.json", "train.json"], count: 26_936 },
    dev: { files: ["DRCD_dev.json", "dev.json"], count: 3_524 },
    test: { files: ["DRCD_test.json", "test.json"], count: 3_493 },
  },
  read: (file) => readQuestionFile(file),
  primaryMetric: "average",
  maxSeqLength: 384,
});
