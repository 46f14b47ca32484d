/** A number for a text or a pair: how alike two texts mean, how good a review is. */
import { ConfigError, DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sequenceClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { ScoredExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedLabels } from "./explained/explained-labels.ts";
import { expectPlainLoss, squareErrorLoss } from "./losses.ts";
import { regressionMetrics } from "./metrics/regression-metrics.ts";
import {
  commonSettings,
  encodeTexts,
  expectExamples,
  expectGiven,
  meanLogits,
  namedExample,
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
import { checkSettings, numberRange, type SettingRules, windowRules } from "./task-settings.ts";

/** The settings of regression. */
export interface RegressSettings extends TaskSettings {
  /** The lowest and the highest score that there is (0 and 5 of STS): predictions are kept inside of it; open when left out. */
  readonly scoreRange?: readonly [lowest: number, highest: number];
}

/** The number that is predicted. */
export interface Regression {
  readonly score: number;
}

const SCORES = "scores";
/** What config.json calls the only output: its number tells Transformers that there is one. */
const OUTPUT = "score";

const rules: SettingRules<RegressSettings> = { ...windowRules, scoreRange: numberRange };

/** Regression by the mean square error. Source: problem_type regression of Transformers; Devlin et al. 2018, table 1 (STS-B). */
export const regress: TaskDefinition<ScoredExample, Regression, RegressSettings> = {
  name: "regress",
  reads: "regress",
  pipeline: "text-classification",
  architecture: "BertForSequenceClassification",
  summary: "a number for a text, or for a pair of texts, such as how alike they are",
  problemType: "regression",
  settle: (examples, choices) => {
    expectScores(examples);
    const { scoreRange } = choices;
    return {
      ...commonSettings("regress", choices),
      labels: choices.labels ?? [OUTPUT],
      ...(scoreRange === undefined ? {} : { scoreRange }),
    };
  },
  rules,
  create: (settings) => new RegressTask(checkSettings(settings, rules)),
};

function expectScores(examples: Iterable<ScoredExample>): void {
  const different = new Set<number>();
  for (const { score } of examples) {
    if (score !== undefined) different.add(score);
    if (different.size > 1) return;
  }
  throw new DataError({
    where: "training data",
    expected: "examples with different scores",
    got: verbatim(different.size === 0 ? "no scores" : `only ${[...different]}`),
    hint: "check which column holds the scores: --score-column",
  });
}

type Scores = Readonly<Record<string, Tensor>>;

class RegressTask implements Task<ScoredExample, Regression> {
  readonly sequencesPerRow = 1;
  readonly labelInputs = { [SCORES]: { dtype: "float32", axis: "row", padding: 0 } } as const;
  readonly scoreAxes = { logits: "row" } as const;
  readonly primaryMetric = "spearman";
  readonly settings: RegressSettings;
  /** The number as the model gives it, before it is brought into the range. */
  readonly explaining: ExplainedTask<ScoredExample> = explainedLabels("identity", undefined);
  readonly #range: readonly [number, number];

  constructor(settings: RegressSettings) {
    const { labels = [OUTPUT], scoreRange } = settings;
    if (labels.length !== 1) {
      throw new ConfigError({ where: "regress: labels", expected: "one output for regression", got: labels });
    }
    this.settings = { ...settings, labels };
    this.#range = scoreRange ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  }

  encode(example: ScoredExample, tokenizer: BertTokenizer): EncodedExample {
    const { score } = example;
    const labels = score === undefined ? undefined : { [SCORES]: [this.#checked(score, example)] };
    return encodeTexts(example, tokenizer, this.settings, labels);
  }

  expectLabel(example: ScoredExample): void {
    if (example.score !== undefined) this.#checked(example.score, example);
  }

  #checked(score: number, { id }: ScoredExample): number {
    const [lowest, highest] = this.#range;
    if (Number.isFinite(score) && score >= lowest && score <= highest) return score;
    const expected = Number.isFinite(lowest) ? `a number in ${lowest} .. ${highest}` : "a number";
    throw new DataError({ where: id === undefined ? "score" : `example ${id}: score`, expected, got: score });
  }

  head({ context, dropout, pooledOutput }: HeadInputs) {
    return { logits: sequenceClassificationHead(context, dropout(pooledOutput()), 1) };
  }

  loss({ logits }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions) {
    expectPlainLoss(options, "regress", "the square error");
    return squareErrorLoss(byRow(logits), labels[SCORES] as Tensor, rowWeights);
  }

  /** Of two numbers R-Drop takes the square of the difference. */
  divergence({ logits: first }: Scores, { logits: second }: Scores, { rowWeights }: LabelTensors) {
    return squareErrorLoss(byRow(first), byRow(second), rowWeights);
  }

  decode(_: ScoredExample, __: EncodedExample, scores: readonly RowScores[]): Regression {
    const score = meanLogits(scores)[0] as number;
    const [lowest, highest] = this.#range;
    return { score: Math.min(highest, Math.max(lowest, score)) };
  }

  result(example: ScoredExample, { score }: Regression) {
    return { ...namedExample(example), score };
  }

  /** The errors are those above the mean absolute error. */
  evaluate(examples: readonly ScoredExample[], predictions: readonly Regression[]): Evaluation {
    expectExamples(examples, predictions);
    const expected = examples.map((example) => expectGiven(example.score, example, "a score"));
    const predicted = predictions.map(({ score }) => score);
    const metrics = regressionMetrics(expected, predicted);
    const distances = expected.map((score, i) => Math.abs(score - (predicted[i] as number)));
    const worst = [...distances.keys()]
      .filter((i) => (distances[i] as number) > metrics.mae)
      .sort((a, b) => (distances[b] as number) - (distances[a] as number));
    const errors = worst.map((i) => ({
      ...shownExample(examples[i] as ScoredExample),
      expected: String(expected[i]),
      predicted: (predicted[i] as number).toPrecision(3),
    }));
    return { metrics: { ...metrics }, errors };
  }
}

/** [rows, 1] as [rows]. */
function byRow(logits: Tensor | undefined): Tensor {
  const scores = logits as Tensor;
  return reshape(scores, scores.shape.slice(0, 1));
}
