/** TNEWS: headlines of Toutiao by 15 topics. */
import { defineDataset } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

const labelNames = {
  "100": "news_story",
  "101": "news_culture",
  "102": "news_entertainment",
  "103": "news_sports",
  "104": "news_finance",
  "106": "news_house",
  "107": "news_car",
  "108": "news_edu",
  "109": "news_tech",
  "110": "news_military",
  "112": "news_travel",
  "113": "news_world",
  "114": "news_stock",
  "115": "news_agriculture",
  "116": "news_game",
};
const labels = Object.keys(labelNames);

/** JSON lines of CLUE; the keywords are left out, as the published baselines leave them. */
export const tnews = defineDataset({
  name: "tnews",
  title: "TNEWS",
  task: "classify",
  source: "Xu et al. 2020, CLUE: A Chinese Language Understanding Evaluation Benchmark (COLING); CLUEbenchmark/CLUE",
  licence: "none stated",
  splits: {
    train: { files: ["train.json", "train.jsonl"], count: 53_360 },
    // Copies without dev.json have its labelled examples as test.json; whichever stands there, unlabelled ones are no dev set.
    dev: { files: ["dev.json", "dev.jsonl", "test.json"], count: 10_000 },
    test: { files: ["test1.1.json", "test1.0.json", "test.json"], count: 10_000 },
  },
  read: (file) => readPublished("classify", file, { order: ["label", "text"], labels }),
  labels,
  labelNames,
  primaryMetric: "accuracy",
  maxSeqLength: 128,
});
