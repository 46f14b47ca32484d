/** The simplified Chinese GSD treebank of Universal Dependencies: words with their parts of speech. */
import { readTaggedColumns } from "../records/tagged-columns.ts";
import { defineDataset } from "./dataset.ts";

const files = (split: string) => [`zh_gsdsimp-ud-${split}.conllu`];

/** 3,997 + 500 + 500 sentences. */
export const udChinese = defineDataset({
  name: "ud-gsdsimp",
  aliases: ["ud-chinese"],
  title: "UD Chinese GSDSimp",
  task: "ner",
  source: "https://universaldependencies.org/treebanks/zh_gsdsimp",
  licence: "CC BY-SA 4.0",
  splits: {
    train: { files: files("train"), count: 3_997 },
    dev: { files: files("dev"), count: 500 },
    test: { files: files("test"), count: 500 },
  },
  read: ({ path, text }) => ({ examples: readTaggedColumns(text, { path }) }),
  primaryMetric: "accuracy",
  maxSeqLength: 256,
});
