/** THUCNews: whole news articles of ten topics, in three files or a folder for each topic. */
import { strip } from "../../util/python-space.ts";
import { defineDataset } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

const labels = ["体育", "娱乐", "家居", "房产", "教育", "时尚", "时政", "游戏", "科技", "财经"];

/** The subset of ten topics that the published baselines use: 5,000, 500 and 1,000 articles of each. */
export const thucnews = defineDataset({
  name: "thucnews",
  aliases: ["cnews"],
  title: "THUCNews",
  task: "classify",
  source:
    "Sun et al. 2016, THUCTC: An Efficient Chinese Text Classifier; the subset of gaussic/text-classification-cnn-rnn",
  licence: "for research; other uses on request to THUNLP",
  splits: {
    train: {
      files: ["cnews.train.txt", "train.txt", "train.tsv", foldersIn("train/"), foldersIn("")],
      count: 50_000,
    },
    dev: {
      files: ["cnews.val.txt", "cnews.dev.txt", "dev.txt", "val.txt", "dev.tsv", foldersIn("dev/"), foldersIn("val/")],
      count: 5000,
    },
    test: { files: ["cnews.test.txt", "test.txt", "test.tsv", foldersIn("test/")], count: 10_000 },
  },
  read: (file) => {
    const label = file.path.split("/").at(-2) ?? "";
    if (labels.includes(label)) return { examples: [{ text: strip(file.text), label }] };
    return readPublished("classify", file, { order: ["label", "text"], labels });
  },
  labels,
  labelNames: {
    体育: "sports",
    娱乐: "entertainment",
    家居: "home",
    房产: "real estate",
    教育: "education",
    时尚: "fashion",
    时政: "politics",
    游戏: "games",
    科技: "technology",
    财经: "finance",
  },
  primaryMetric: "accuracy",
  maxSeqLength: 512,
});

function foldersIn(folder: string): string[] {
  return labels.map((label) => `${folder}${label}/*.txt`);
}
