/** Any number of labels for a text or a pair, each by itself. */
import { DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { sequenceClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { MultiLabelExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedLabels } from "./explained/explained-labels.ts";
import { labelsLoss, symmetricLabelsKl } from "./losses.ts";
import { labelMetrics, type PrecisionRecallF1 } from "./metrics/classification-metrics.ts";
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
  HeadInputs,
  LabelTensors,
  LossOptions,
  RowScores,
  Task,
  TaskDefinition,
  TaskSettings,
} from "./task.ts";
import { checkSettings, number, type SettingRules, windowRules } from "./task-settings.ts";

/** The settings of classification with any number of labels. */
export interface MultiLabelSettings extends TaskSettings {
  /** In (0, 1): labels of this probability or more are predicted; 0.5 when left out. */
  readonly threshold?: number;
}

/** All labels with the probability of each, the likeliest first, and those that are predicted. */
export interface MultiLabelPrediction {
  readonly labels: readonly ScoredLabel[];
  /** In the same order. */
  readonly predicted: readonly string[];
}

const DEFAULT_THRESHOLD = 0.5;
const LABELS = "labels";

const rules: SettingRules<MultiLabelSettings> = {
  ...windowRules,
  threshold: number("a probability between 0 and 1", (share) => share > 0 && share < 1),
};

/** Multi-label classification. Source: problem_type multi_label_classification of Transformers. */
export const multilabel: TaskDefinition<MultiLabelExample, MultiLabelPrediction, MultiLabelSettings> = {
  name: "multilabel",
  reads: "multilabel",
  pipeline: "text-classification",
  architecture: "BertForSequenceClassification",
  summary: "any number of labels for a text, or for a pair of texts",
  problemType: "multi_label_classification",
  settle: (examples, choices) => ({
    ...commonSettings("multilabel", choices),
    labels: choices.labels ?? labelsOf(examples),
    threshold: choices.threshold ?? DEFAULT_THRESHOLD,
  }),
  rules,
  create: (settings) => new MultiLabelTask(checkSettings(settings, rules)),
};

function labelsOf(examples: Iterable<MultiLabelExample>): string[] {
  const found = new Set<string>();
  for (const { labels = [] } of examples) for (const label of labels) found.add(label);
  if (found.size > 0) return inferLabels(found);
  throw new DataError({
    where: "training data",
    expected: "examples with labels",
    got: verbatim("none"),
    hint: "check which column holds the labels: --label-column",
  });
}

type Scores = Readonly<Record<string, Tensor>>;

class MultiLabelTask implements Task<MultiLabelExample, MultiLabelPrediction> {
  readonly sequencesPerRow = 1;
  readonly labelInputs;
  readonly scoreAxes = { logits: "row" } as const;
  readonly primaryMetric = "microF1";
  readonly settings: MultiLabelSettings;
  readonly explaining: ExplainedTask<MultiLabelExample>;
  readonly #ids: LabelIds;
  readonly #threshold: number;

  constructor(settings: MultiLabelSettings) {
    const { labels = [], threshold = DEFAULT_THRESHOLD } = settings;
    this.#ids = new LabelIds(labels, 1);
    this.settings = { ...settings, threshold };
    this.#threshold = threshold;
    this.explaining = explainedLabels("sigmoid", labels);
    this.labelInputs = { [LABELS]: { dtype: "float32", axis: labels.length, padding: 0 } } as const;
  }

  encode(example: MultiLabelExample, tokenizer: BertTokenizer): EncodedExample {
    if (example.labels === undefined) return encodeTexts(example, tokenizer, this.settings);
    const targets = new Float32Array(this.#ids.labels.length);
    for (const label of example.labels) targets[this.#ids.idOf(label, example)] = 1;
    return encodeTexts(example, tokenizer, this.settings, { [LABELS]: targets });
  }

  expectLabel(example: MultiLabelExample): void {
    for (const label of example.labels ?? []) this.#ids.idOf(label, example);
  }

  head({ context, dropout, pooledOutput }: HeadInputs) {
    return { logits: sequenceClassificationHead(context, dropout(pooledOutput()), this.#ids.labels.length) };
  }

  loss({ logits }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions) {
    return labelsLoss(logits as Tensor, labels[LABELS] as Tensor, options, rowWeights);
  }

  divergence({ logits: first }: Scores, { logits: second }: Scores, { rowWeights }: LabelTensors) {
    return symmetricLabelsKl(first as Tensor, second as Tensor, rowWeights);
  }

  decode(_: MultiLabelExample, __: EncodedExample, scores: readonly RowScores[]): MultiLabelPrediction {
    const sigmoids = Array.from(meanLogits(scores), (logit) => 1 / (1 + Math.exp(-logit)));
    const labels = byScore(this.#ids.labels, sigmoids);
    const predicted = labels.filter(({ score }) => score >= this.#threshold).map(({ label }) => label);
    return { labels, predicted };
  }

  result(example: MultiLabelExample, prediction: MultiLabelPrediction) {
    return { ...namedExample(example), ...prediction };
  }

  evaluate(examples: readonly MultiLabelExample[], predictions: readonly MultiLabelPrediction[]): Evaluation {
    expectExamples(examples, predictions);
    const { labels } = this.#ids;
    const expected = examples.map((example) =>
      expectGiven(example.labels, example, "a list of labels").map((label) => this.#ids.idOf(label, example)),
    );
    const predicted = predictions.map(({ predicted: found }, i) =>
      found.map((label) => this.#ids.idOf(label, examples[i] as MultiLabelExample)),
    );
    const { micro, macro, weighted, samples, exactMatch, hammingLoss, byLabel } = labelMetrics(
      expected,
      predicted,
      labels.length,
    );
    const metrics = {
      microF1: micro.f1,
      macroF1: macro.f1,
      exactMatch,
      ...named("micro", micro),
      ...named("macro", macro),
      ...named("samples", samples),
      weightedF1: weighted.f1,
      hammingLoss,
    };
    return { metrics, tables: [labelTable(labels, byLabel)], errors: this.#errors(examples, predictions) };
  }

  /** Examples by their worst decision: the surest that is wrong. */
  #errors(examples: readonly MultiLabelExample[], predictions: readonly MultiLabelPrediction[]) {
    const errors = examples.flatMap((example, i) => {
      const { labels, predicted } = predictions[i] as MultiLabelPrediction;
      const given = new Set(example.labels);
      const found = new Set(predicted);
      const wrong = labels.filter(({ label }) => given.has(label) !== found.has(label));
      if (wrong.length === 0) return [];
      const score = Math.max(...wrong.map((one) => (found.has(one.label) ? one.score : 1 - one.score)));
      const wanted = this.#ids.labels.filter((label) => given.has(label));
      const got = this.#ids.labels.filter((label) => found.has(label));
      return [{ ...shownExample(example), expected: listed(wanted), predicted: listed(got), score }];
    });
    return errors.sort((a, b) => b.score - a.score);
  }
}

function named(prefix: string, { precision, recall, f1 }: PrecisionRecallF1): Record<string, number> {
  return { [`${prefix}Precision`]: precision, [`${prefix}Recall`]: recall, [`${prefix}F1`]: f1 };
}

function listed(labels: readonly string[]): string {
  return labels.length === 0 ? "none" : labels.join(", ");
}
