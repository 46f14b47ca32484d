/** One label for a text or a pair: sentiment, topics, pairs that mean the same, inference. */
import { DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { sequenceClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { softmaxOf } from "../util/softmax.ts";
import type { TextExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedLabels } from "./explained/explained-labels.ts";
import { classLoss, IGNORED_LABEL, symmetricKl } from "./losses.ts";
import { type ClassMetrics, classMetrics, rocAuc } from "./metrics/classification-metrics.ts";
import { inferLabels } from "./records/labels.ts";
import {
  byScore,
  commonSettings,
  encodeTexts,
  expectExamples,
  expectGiven,
  LabelIds,
  labelTable,
  meanLogits,
  namedExample,
  type ScoredLabel,
  shownExample,
} from "./sequence-task.ts";
import type {
  EncodedExample,
  Evaluation,
  EvaluationError,
  HeadInputs,
  LabelTensors,
  LossOptions,
  RowScores,
  Task,
  TaskDefinition,
  TaskSettings,
} from "./task.ts";
import { checkSettings, commonRules, windowRules } from "./task-settings.ts";

/** The labels of a text and how likely each is, the likeliest first. */
export interface Classification {
  readonly labels: readonly ScoredLabel[];
}

/** Classification of single texts and of pairs. Source: Devlin et al. 2018, section 4.1; run_classifier.py. */
export const classify = classification({
  name: "classify",
  summary: "one label for a text, or for a pair of texts",
  needsPair: false,
});

/** Classification of pairs alone: whether two texts mean the same, whether one follows from the other. */
export const match = classification({
  name: "match",
  summary: "one label for a pair of texts: same meaning or not, entailment, contradiction",
  needsPair: true,
});

/** How the model reads an example, and what its classes are scored by. */
export interface TextReading {
  readonly sequencesPerRow: number;
  encode: typeof encodeTexts;
  /** @returns float32 [rows, labels]. */
  score(inputs: HeadInputs, labels: number): Tensor;
}

/** Both texts of a pair in one sequence, as BERT was made to read them. */
const readTogether: TextReading = {
  sequencesPerRow: 1,
  encode: encodeTexts,
  score: ({ context, dropout, pooledOutput }, labels) =>
    sequenceClassificationHead(context, dropout(pooledOutput()), labels),
};

/** What tells the kinds of classification apart. */
interface ClassificationKind {
  readonly name: string;
  readonly summary: string;
  readonly needsPair: boolean;
  /** Together when left out. */
  readonly reading?: TextReading;
}

/** A task of one label for each example. */
export function classification(kind: ClassificationKind): TaskDefinition<TextExample, Classification> {
  // Windows are of single texts: of a pair each one would need the other text whole.
  const rules = kind.needsPair ? commonRules : windowRules;
  return {
    name: kind.name,
    reads: kind.needsPair ? "match" : "classify",
    pipeline: "text-classification",
    architecture: "BertForSequenceClassification",
    summary: kind.summary,
    problemType: "single_label_classification",
    settle: (examples, choices) => ({
      ...commonSettings(kind.name, choices),
      labels: choices.labels ?? labelsOf(examples),
    }),
    rules,
    create: (settings) => new ClassifyTask(checkSettings(settings, rules), kind),
  };
}

function labelsOf(examples: Iterable<TextExample>): string[] {
  const labels = new Set<string>();
  for (const { label } of examples) if (label !== undefined) labels.add(label);
  if (labels.size > 1) return inferLabels(labels);
  throw new DataError({
    where: "training data",
    expected: "examples of at least two labels",
    got: verbatim(labels.size === 0 ? "no labels" : `only "${[...labels]}"`),
    hint: "check which column holds the labels: --label-column",
  });
}

/** Transformers leaves these names out of config.json. */
const UNNAMED_LABELS = ["LABEL_0", "LABEL_1"];

const LABELS = "labels";

type Scores = Readonly<Record<string, Tensor>>;

class ClassifyTask implements Task<TextExample, Classification> {
  readonly sequencesPerRow: number;
  readonly labelInputs = { [LABELS]: { dtype: "int32", axis: "row", padding: IGNORED_LABEL } } as const;
  readonly scoreAxes = { logits: "row" } as const;
  readonly primaryMetric = "accuracy";
  readonly settings: TaskSettings;
  readonly explaining: ExplainedTask<TextExample>;
  readonly #ids: LabelIds;
  readonly #needsPair: boolean;
  readonly #reading: TextReading;

  constructor(settings: TaskSettings, { needsPair, reading = readTogether }: ClassificationKind) {
    const labels = settings.labels ?? UNNAMED_LABELS;
    this.settings = { ...settings, labels };
    this.#ids = new LabelIds(labels, 2);
    this.#needsPair = needsPair;
    this.#reading = reading;
    this.sequencesPerRow = reading.sequencesPerRow;
    this.explaining = explainedLabels("softmax", labels, reading.sequencesPerRow > 1);
  }

  encode(example: TextExample, tokenizer: BertTokenizer): EncodedExample {
    const { id, textPair, label } = example;
    if (this.#needsPair && textPair === undefined) {
      throw new DataError({
        where: id === undefined ? "example" : `example ${id}`,
        expected: "two texts",
        got: verbatim("one"),
        hint: "texts alone are classified by the task classify",
      });
    }
    const labels = label === undefined ? undefined : { [LABELS]: [this.#ids.idOf(label, example)] };
    return this.#reading.encode(example, tokenizer, this.settings, labels);
  }

  expectLabel(example: TextExample): void {
    if (example.label !== undefined) this.#ids.idOf(example.label, example);
  }

  head(inputs: HeadInputs) {
    return { logits: this.#reading.score(inputs, this.#ids.labels.length) };
  }

  loss({ logits }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions) {
    return classLoss(logits as Tensor, labels[LABELS] as Tensor, options, rowWeights);
  }

  divergence({ logits: first }: Scores, { logits: second }: Scores, { rowWeights }: LabelTensors) {
    return symmetricKl(first as Tensor, second as Tensor, rowWeights);
  }

  decode(_: TextExample, __: EncodedExample, scores: readonly RowScores[]): Classification {
    return { labels: byScore(this.#ids.labels, softmaxOf(meanLogits(scores))) };
  }

  result(example: TextExample, { labels }: Classification) {
    return { ...namedExample(example), labels };
  }

  /** Of two labels the second is the positive one of precision, recall, f1 and rocAuc. */
  evaluate(examples: readonly TextExample[], predictions: readonly Classification[]): Evaluation {
    expectExamples(examples, predictions);
    const { labels } = this.#ids;
    const expected = examples.map((example) => this.#ids.idOf(expectGiven(example.label, example, "a label"), example));
    const best = predictions.map((prediction) => prediction.labels[0] as ScoredLabel);
    const predicted = best.map(({ label }, i) => this.#ids.idOf(label, examples[i] as TextExample));
    const figures = classMetrics(expected, predicted, labels.length);
    const errors = examples.flatMap((example, i): EvaluationError[] => {
      const { label, score } = best[i] as ScoredLabel;
      if (expected[i] === predicted[i]) return [];
      return [{ ...shownExample(example), expected: example.label as string, predicted: label, score }];
    });
    return {
      metrics: {
        accuracy: figures.accuracy,
        ...(labels.length === 2 ? positives(figures, expected, predictions, labels) : {}),
        ...averages(figures),
      },
      ...(labels.length === 2 ? { positiveLabel: labels[1] as string } : {}),
      tables: [labelTable(labels, figures.byClass)],
      confusion: { labels, counts: figures.confusion },
      errors: errors.sort((a, b) => (b.score as number) - (a.score as number)),
    };
  }
}

/** What tells the most comes first: displays show as many as they have room for. */
function averages({ macro, micro, weighted, matthews }: ClassMetrics): Record<string, number> {
  return {
    macroF1: macro.f1,
    matthews,
    macroPrecision: macro.precision,
    macroRecall: macro.recall,
    weightedF1: weighted.f1,
    microF1: micro.f1,
  };
}

function positives(
  { byClass }: ClassMetrics,
  expected: readonly number[],
  predictions: readonly Classification[],
  [, positive]: readonly string[],
): Record<string, number> {
  const { precision, recall, f1 } = byClass[1] as ClassMetrics["byClass"][number];
  const scores = predictions.map(({ labels }) => labels.find(({ label }) => label === positive)?.score ?? 0);
  const area = rocAuc(
    expected.map((id) => id === 1),
    scores,
  );
  return { f1, ...(area === undefined ? {} : { rocAuc: area }), precision, recall };
}
