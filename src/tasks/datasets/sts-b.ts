/** STS-B in Chinese: pairs of sentences and how alike they are, from 0 to 5; translated from the STS benchmark. */
import type { ScoredExample } from "../examples.ts";
import { linesOf } from "../records/records-table.ts";
import { type DatasetFile, defineDataset, type ReadExamples } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

/** CNSD's `id||first||second||score`, and tables of two sentences and a score. */
export const stsB = defineDataset({
  name: "sts-b",
  aliases: ["stsb", "cnsd-sts", "chinese-sts-b"],
  title: "STS-B",
  task: "regress",
  source: "Cer et al. 2017, SemEval-2017 Task 1; the translation of pluto-junzeng/CNSD",
  licence: "none stated",
  splits: {
    train: {
      files: ["cnsd-sts-train.txt", "cnsd_sts_train.txt", "STS-B.train.data", "train.tsv", "train.txt", "train.jsonl"],
      count: 5231,
    },
    dev: {
      files: ["cnsd-sts-dev.txt", "cnsd_sts_dev.txt", "STS-B.valid.data", "dev.tsv", "dev.txt", "dev.jsonl"],
      count: 1458,
    },
    test: {
      files: ["cnsd-sts-test.txt", "cnsd_sts_test.txt", "STS-B.test.data", "test.tsv", "test.txt", "test.jsonl"],
      count: 1361,
    },
  },
  read: (file) =>
    file.text.slice(0, 1000).includes("||")
      ? readBars(file)
      : readPublished("regress", file, { order: ["text", "textPair", "score"] }),
  primaryMetric: "spearman",
  maxSeqLength: 128,
});

function readBars({ text }: DatasetFile): ReadExamples<ScoredExample> {
  const examples: ScoredExample[] = [];
  let skipped = 0;
  for (const line of linesOf(text)) {
    const [id, first, second, score] = line.text.split("||");
    if (id === undefined || first === undefined || second === undefined || !/^\d+(\.\d+)?$/.test(score?.trim() ?? ""))
      skipped += 1;
    else examples.push({ id, text: first, textPair: second, score: Number(score) });
  }
  return { examples, skipped: skipped === 0 ? {} : { "no score": skipped } };
}
