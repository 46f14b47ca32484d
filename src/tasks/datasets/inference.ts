/** Does the first sentence entail the second, contradict it, or neither: OCNLI and the Chinese part of XNLI. */
import { DataError, verbatim } from "../../errors.ts";
import type { TextExample } from "../examples.ts";
import { linesOf } from "../records/records-table.ts";
import { type DatasetFile, defineDataset, type ReadExamples } from "./dataset.ts";
import { readPublished } from "./published-texts.ts";

/** In the order of Google's run_classifier.py. */
const labels = ["contradiction", "entailment", "neutral"];
/** The translated training set spells one of them otherwise. */
const spellings = { contradictory: "contradiction" };

/** Chinese from the start; pairs on which annotators do not agree have the label `-` and are left out. */
export const ocnli = defineDataset({
  name: "ocnli",
  title: "OCNLI",
  task: "match",
  source: "Hu et al. 2020, OCNLI: Original Chinese Natural Language Inference (Findings of EMNLP); CLUEbenchmark/OCNLI",
  licence: "CC BY-NC 2.0",
  splits: {
    train: {
      files: ["train.50k.json", "train.json", "train.10k.json", "train.3k.json", "train.jsonl"],
      count: [50_437, 9985, 2994],
    },
    dev: { files: ["dev.json", "dev.jsonl"], count: 2950 },
    test: { files: ["test.json", "test.jsonl"], count: 3000 },
  },
  read: (file) => readPublished("match", file, { order: ["text", "textPair", "label"], labels }),
  labels,
  primaryMetric: "accuracy",
  maxSeqLength: 128,
});

/** Translated training pairs (XNLI-MT 1.0), and pairs of people in 15 languages of which the Chinese ones are taken. */
export const xnli = defineDataset({
  name: "xnli",
  aliases: ["xnli-zh"],
  title: "XNLI",
  task: "match",
  source: "Conneau et al. 2018, XNLI: Evaluating Cross-lingual Sentence Representations (EMNLP); facebookresearch/XNLI",
  licence: "CC BY-NC 4.0",
  splits: {
    train: { files: ["multinli.train.zh.tsv", "train.tsv", "train.json", "train.jsonl"], count: [392_702, 392_703] },
    dev: { files: ["xnli.dev.tsv", "xnli.dev.zh.tsv", "dev.tsv", "dev.json", "dev.jsonl"], count: 2490 },
    test: { files: ["xnli.test.tsv", "xnli.test.zh.tsv", "test.tsv", "test.json", "test.jsonl"], count: 5010 },
  },
  read: async (file) => {
    const header = file.text.slice(0, file.text.indexOf("\n")).split("\t");
    if (header[0] === "language" && header.includes("gold_label")) return readLanguages(file, header);
    const read = await readPublished("match", file, { order: ["text", "textPair", "label"], labels, spellings });
    return { ...read, examples: read.examples.map(withoutWordSpaces) };
  },
  labels,
  primaryMetric: "accuracy",
  maxSeqLength: 128,
});

/** The file of all languages; its other columns are parses and single annotations. */
function readLanguages(file: DatasetFile, header: readonly string[]): ReadExamples<TextExample> {
  const [label, text, textPair] = ["gold_label", "sentence1", "sentence2"].map((name) => header.indexOf(name));
  if (label === undefined || text === undefined || textPair === undefined || Math.min(label, text, textPair) < 0) {
    throw new DataError({
      where: file.path,
      expected: "columns gold_label, sentence1, sentence2",
      got: verbatim(header.join(", ")),
    });
  }
  const examples: TextExample[] = [];
  const skipped: Record<string, number> = {};
  const skip = (reason: string) => {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  };
  for (const line of linesOf(file.text).slice(1)) {
    const fields = line.text.split("\t");
    const [said = "", first, second] = [fields[label], fields[text], fields[textPair]];
    if (fields[0] !== "zh") skip("another language");
    else if (first === undefined || second === undefined) skip(`${fields.length} fields in a line`);
    else if (!labels.includes(said)) skip(`the label ${JSON.stringify(said)}`);
    else examples.push({ text: first, textPair: second, label: said });
  }
  if (examples.length > 0) return { examples, skipped };
  const found = Object.entries(skipped).map(([reason, times]) => `${times} of ${reason}`);
  throw new DataError({
    where: file.path,
    expected: "lines of the language zh",
    got: verbatim(found.join(", ") || "no lines"),
  });
}

/** The translation comes with spaces between words; those between two Latin words are of the text. */
function withoutWordSpaces({ text, textPair, ...rest }: TextExample): TextExample {
  return { ...rest, text: join(text), ...(textPair === undefined ? {} : { textPair: join(textPair) }) };
}

function join(text: string): string {
  return text.replace(/(?<![\x21-\x7e])\s+|\s+(?![\x21-\x7e])/g, "");
}
