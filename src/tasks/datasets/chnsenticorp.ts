/** ChnSentiCorp: reviews of hotels, books and computers, positive or negative. */
import { defineDataset } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

const labels = ["0", "1"];

/** 9,600 + 1,200 + 1,200 reviews; in copies as `label\ttext_a`, `label,review`, or all hotels in one file. */
export const chnsenticorp = defineDataset({
  name: "chnsenticorp",
  title: "ChnSentiCorp",
  task: "classify",
  source:
    "Tan and Zhang 2008, An empirical study of sentiment analysis for Chinese documents; ymcui/Chinese-BERT-wwm, data/chnsenticorp",
  licence: "none stated",
  splits: {
    train: { files: ["train.tsv", "train.csv", "train.txt", "train.jsonl", "ChnSentiCorp_htl_all.csv"], count: 9600 },
    dev: { files: ["dev.tsv", "dev.csv", "dev.txt", "dev.jsonl", "validation.csv"], count: 1200 },
    test: { files: ["test.tsv", "test.csv", "test.txt", "test.jsonl"], count: 1200 },
  },
  read: (file) => readPublished("classify", file, { order: ["label", "text"], labels }),
  labels,
  labelNames: { "0": "negative", "1": "positive" },
  primaryMetric: "accuracy",
  maxSeqLength: 256,
});
