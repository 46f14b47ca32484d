/** Pairs of questions that ask the same or do not: LCQMC, BQ Corpus and AFQMC, in one layout. */
import { type Dataset, type DatasetFile, type DatasetSplit, defineDataset } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

const labels = ["0", "1"];

/** Names that copies use for a split. */
function filesOf(split: string, name: string): string[] {
  const endings = ["txt", "tsv", "json", "jsonl", "csv"];
  return [...endings.map((ending) => `${split}.${ending}`), ...endings.map((ending) => `${name}_${split}.${ending}`)];
}

function pairs(
  name: string,
  facts: Pick<Dataset, "title" | "source" | "licence" | "maxSeqLength"> & Partial<Pick<Dataset, "aliases">>,
  splits: Readonly<Record<string, DatasetSplit>>,
): Dataset<"match"> {
  return defineDataset({
    name,
    ...facts,
    task: "match",
    splits,
    read: (file: DatasetFile) => readPublished("match", file, { order: ["text", "textPair", "label"], labels }),
    labels,
    labelNames: { "0": "different", "1": "same" },
    primaryMetric: "accuracy",
  });
}

/** Questions of Baidu Knows. */
export const lcqmc = pairs(
  "lcqmc",
  {
    title: "LCQMC",
    source: "Liu et al. 2018, LCQMC: A Large-scale Chinese Question Matching Corpus (COLING)",
    licence: "none stated; given out on request for research",
    maxSeqLength: 128,
  },
  {
    train: { files: filesOf("train", "LCQMC"), count: 238_766 },
    dev: { files: [...filesOf("dev", "LCQMC"), "valid.txt"], count: 8802 },
    test: { files: filesOf("test", "LCQMC"), count: 12_500 },
  },
);

/** Questions to a bank's customer service. */
export const bqCorpus = pairs(
  "bq_corpus",
  {
    aliases: ["bq"],
    title: "BQ Corpus",
    source:
      "Chen et al. 2018, The BQ Corpus: A Large-scale Domain-specific Chinese Corpus for Sentence Semantic Equivalence (EMNLP)",
    licence: "none stated; given out on request for research",
    maxSeqLength: 128,
  },
  {
    train: { files: filesOf("train", "BQ"), count: 100_000 },
    dev: { files: [...filesOf("dev", "BQ"), "valid.tsv"], count: 10_000 },
    test: { files: ["test_labeled.tsv", ...filesOf("test", "BQ")], count: 10_000 },
  },
);

/** Questions to Ant Financial's customer service; two in three pairs are different. */
export const afqmc = pairs(
  "afqmc",
  {
    title: "AFQMC",
    source: "Xu et al. 2020, CLUE: A Chinese Language Understanding Evaluation Benchmark (COLING); CLUEbenchmark/CLUE",
    licence: "none stated",
    maxSeqLength: 128,
  },
  {
    train: { files: filesOf("train", "afqmc"), count: 34_334 },
    dev: { files: filesOf("dev", "afqmc"), count: 4316 },
    test: { files: filesOf("test", "afqmc"), count: 3861 },
  },
);
