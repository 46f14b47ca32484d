/** The People's Daily as the Chinese BERT baselines have it: MSRA's sentences cut into ones of at most 100 characters. */
import { defineDataset } from "./dataset.ts";
import { readNews } from "./msra-ner.ts";

/** 50,658 sentences to train with, 4,631 to evaluate with. */
export const peopleDaily = defineDataset({
  name: "people-daily",
  aliases: ["peoples-daily", "peopledaily"],
  title: "People's Daily",
  task: "ner",
  source: "https://github.com/ymcui/Chinese-BERT-wwm, data/peopledaily",
  licence: "none stated",
  splits: {
    train: {
      files: ["peopledaily_ner/train.txt", "peopledaily/train.txt", "train.txt", "example.train"],
      count: 50_658,
    },
    dev: { files: ["peopledaily_ner/dev.txt", "peopledaily/dev.txt", "dev.txt", "example.dev"], count: 4_631 },
    test: { files: ["peopledaily_ner/test.txt", "peopledaily/test.txt", "test.txt", "example.test"] },
  },
  read: readNews,
  labels: ["PER", "LOC", "ORG"],
  primaryMetric: "f1",
  maxSeqLength: 128,
});
