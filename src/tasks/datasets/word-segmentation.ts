/** The four corpora of the second SIGHAN bake-off: sentences with their words parted by spaces. */
import { readSegmented } from "../records/tagged-columns.ts";
import { defineDataset } from "./dataset.ts";

interface Corpus {
  /** In the names of its files: `pku_training.utf8`. */
  readonly key: string;
  readonly title: string;
  /** Further files of the training set. */
  readonly train: readonly string[];
  readonly counts: readonly [train: number, test: number];
}

function corpus({ key, title, train, counts }: Corpus) {
  return defineDataset({
    name: `${key}-words`,
    aliases: [`${key}-cws`, `${key}-seg`],
    title,
    task: "ner",
    source: "Emerson 2005, The second international Chinese word segmentation bakeoff",
    licence: "none stated",
    splits: {
      train: { files: [`${key}_training.utf8`, ...train, `${key}/train.txt`], count: counts[0] },
      dev: { files: [`${key}/dev.txt`] },
      test: { files: [`${key}_test_gold.utf8`, `${key}_testing_gold.utf8`, `${key}/test.txt`], count: counts[1] },
    },
    read: ({ path, text }) => ({ examples: readSegmented(text, path) }),
    labels: ["B", "M", "E", "S"],
    primaryMetric: "f1",
    maxSeqLength: 256,
  });
}

export const pkuWords = corpus({ key: "pku", title: "PKU", train: [], counts: [19_056, 1_944] });
export const msrWords = corpus({ key: "msr", title: "MSR", train: [], counts: [86_924, 3_985] });
export const asWords = corpus({ key: "as", title: "AS", train: ["as_training.b5"], counts: [708_953, 14_429] });
export const cityuWords = corpus({ key: "cityu", title: "CityU", train: [], counts: [53_019, 1_492] });
