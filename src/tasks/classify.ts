/** One label for a text or a pair: sentiment, topics, pairs that mean the same, inference. */
import { DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { encodeRows } from "../inference/token-rows.ts";
import { sequenceClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { TextExample } from "./examples.ts";
import { classLoss, IGNORED_LABEL, symmetricKl } from "./losses.ts";
import type {
  EncodedExample,
  Evaluation,
  HeadInputs,
  LabelTensors,
  LossOptions,
  RowScores,
  Task,
  TaskChoices,
  TaskDefinition,
  TaskSettings,
} from "./task.ts";

/** The labels of a text and how likely each is, the likeliest first. */
export interface Classification {
  readonly labels: readonly { readonly label: string; readonly score: number }[];
}

const DEFAULT_MAX_SEQ_LENGTH = 128;
const LABELS = "labels";

type Scores = Readonly<Record<string, Tensor>>;

/** Classification of single texts and of pairs. Source: Devlin et al. 2018, section 4.1; run_classifier.py. */
export const classify: TaskDefinition<TextExample, Classification> = {
  name: "classify",
  pipeline: "text-classification",
  architecture: "BertForSequenceClassification",
  summary: "one label for a text, or for a pair of texts",
  problemType: "single_label_classification",
  settle: (examples, choices) => ({
    task: "classify",
    maxSeqLength: choices.maxSeqLength ?? DEFAULT_MAX_SEQ_LENGTH,
    labels: choices.labels ?? labelsOf(examples),
  }),
  create: (settings) => new ClassifyTask(settings),
};

/** The labels in the order of their names: it does not depend on the order of the examples. */
function labelsOf(examples: Iterable<TextExample>): string[] {
  const labels = new Set<string>();
  for (const { label } of examples) if (label !== undefined) labels.add(label);
  if (labels.size > 1) return [...labels].sort();
  throw new DataError({
    where: "training data",
    expected: "examples of at least two labels",
    got: verbatim(labels.size === 0 ? "no labels" : `only ${[...labels]}`),
  });
}

class ClassifyTask implements Task<TextExample, Classification> {
  readonly sequencesPerRow = 1;
  readonly labelInputs = { [LABELS]: { dtype: "int32", axis: "row", padding: IGNORED_LABEL } } as const;
  readonly scoreAxes = { logits: "row" } as const;
  readonly primaryMetric = "accuracy";
  readonly settings: TaskSettings;
  readonly #labels: readonly string[];

  constructor(settings: TaskChoices & TaskSettings) {
    this.settings = settings;
    this.#labels = settings.labels ?? [];
  }

  encode({ text, textPair, label }: TextExample, tokenizer: BertTokenizer): EncodedExample {
    const options = { maxLength: this.settings.maxSeqLength, overlap: 0, truncate: true };
    const { rows, isTruncated } = encodeRows(tokenizer, textPair === undefined ? text : [text, textPair], options);
    const labels = label === undefined ? {} : { labels: { [LABELS]: [this.#idOf(label)] } };
    return { rows: [{ sequences: rows, ...labels }], isTruncated };
  }

  head({ context, dropout, pooledOutput }: HeadInputs) {
    return { logits: sequenceClassificationHead(context, dropout(pooledOutput()), this.#labels.length) };
  }

  loss({ logits }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions) {
    return classLoss(logits as Tensor, labels[LABELS] as Tensor, options, rowWeights);
  }

  divergence({ logits: first }: Scores, { logits: second }: Scores, { rowWeights }: LabelTensors) {
    return symmetricKl(first as Tensor, second as Tensor, rowWeights);
  }

  decode(_: TextExample, __: EncodedExample, [scores]: readonly RowScores[]): Classification {
    const logits = scores?.["logits"] as Float32Array;
    const largest = Math.max(...logits);
    const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    const labels = powers.map((power, i) => ({ label: this.#labels[i] as string, score: power / sum }));
    return { labels: labels.sort((a, b) => b.score - a.score) };
  }

  result({ text }: TextExample, { labels }: Classification) {
    return { text, labels };
  }

  evaluate(examples: readonly TextExample[], predictions: readonly Classification[]): Evaluation {
    const right = predictions.filter(({ labels }, i) => labels[0]?.label === examples[i]?.label).length;
    return { metrics: { accuracy: right / Math.max(1, examples.length) }, errors: [] };
  }

  #idOf(label: string): number {
    const id = this.#labels.indexOf(label);
    if (id >= 0) return id;
    throw new DataError({
      where: "label",
      expected: `one of ${this.#labels.join(", ")}`,
      got: label,
      hint: "the model was trained without this label: correct it, or train with examples of it",
    });
  }
}
