/** One of some answers to a question about a text: `[CLS] context [SEP] question choice [SEP]` for each, and a score. */
import { ArgumentError, DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { encodeRows } from "../inference/token-rows.ts";
import { multipleChoiceHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { softmaxOf } from "../util/softmax.ts";
import type { ChoiceExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedChoice } from "./explained/explained-choice.ts";
import { classLoss, hideAbsent, IGNORED_LABEL, symmetricKl } from "./losses.ts";
import { commonSettings, expectExamples, expectGiven } from "./sequence-task.ts";
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
  TaskRow,
  TaskSettings,
} from "./task.ts";
import { checkSettings, commonRules, type SettingRules, whole } from "./task-settings.ts";

/** The settings of multiple choice. */
export interface ChoiceSettings extends TaskSettings {
  /** Choices of a row; questions with fewer leave some empty, questions with more take several rows. 4 when left out. */
  readonly choicesPerRow?: number;
}

/** A choice and its probability. */
export interface ScoredChoice {
  readonly choice: string;
  /** Counted from 0. */
  readonly index: number;
  /** In [0, 1]; over the choices of a question the sum is 1. */
  readonly score: number;
}

/** The choices of a question, the likeliest first. */
export interface ChoicePrediction {
  readonly choices: readonly ScoredChoice[];
}

/** Of C3 and of most examinations. */
const DEFAULT_CHOICES_PER_ROW = 4;
/** Guards against hostile files: each choice of a row is a sequence in memory. */
const MAX_CHOICES_PER_ROW = 64;
/** Contexts are passages. Source: the published runs on C3. */
const DEFAULT_MAX_SEQ_LENGTH = 512;

const LABELS = "labels";
const PRESENT = "present_choices";

const rules: SettingRules<ChoiceSettings> = { ...commonRules, choicesPerRow: whole(2, MAX_CHOICES_PER_ROW) };

/** Multiple choice. Source: Devlin et al. 2018, section 4.4; the examples of Transformers (run_swag). */
export const choice: TaskDefinition<ChoiceExample, ChoicePrediction, ChoiceSettings> = {
  name: "choice",
  reads: "choice",
  pipeline: "multiple-choice",
  architecture: "BertForMultipleChoice",
  summary: "one of some answers to a question about a text",
  settle: (examples, choices) => ({
    ...commonSettings("choice", { ...choices, maxSeqLength: choices.maxSeqLength ?? DEFAULT_MAX_SEQ_LENGTH }),
    choicesPerRow: choices.choicesPerRow ?? mostChoices(examples),
  }),
  rules,
  create: (settings) => new ChoiceTask(checkSettings(settings, rules)),
};

function mostChoices(examples: Iterable<ChoiceExample>): number {
  let most = 0;
  for (const { choices } of examples) most = Math.max(most, choices.length);
  if (most > 1) return Math.min(most, MAX_CHOICES_PER_ROW);
  throw new DataError({
    where: "training data",
    expected: "questions with two choices or more",
    got: verbatim("none"),
  });
}

type Scores = Readonly<Record<string, Tensor>>;

class ChoiceTask implements Task<ChoiceExample, ChoicePrediction> {
  readonly sequencesPerRow: number;
  readonly labelInputs;
  readonly scoreAxes = { logits: "row" } as const;
  readonly primaryMetric = "accuracy";
  readonly settings: ChoiceSettings;
  readonly explaining: ExplainedTask<ChoiceExample>;

  constructor(settings: ChoiceSettings) {
    const { choicesPerRow = DEFAULT_CHOICES_PER_ROW } = settings;
    this.settings = { ...settings, choicesPerRow };
    this.sequencesPerRow = choicesPerRow;
    this.explaining = explainedChoice(choicesPerRow, joined);
    this.labelInputs = {
      [LABELS]: { dtype: "int32", axis: "row", padding: IGNORED_LABEL },
      [PRESENT]: { dtype: "float32", axis: choicesPerRow, padding: 0 },
    } as const;
  }

  encode({ id, context, question, choices, label }: ChoiceExample, tokenizer: BertTokenizer): EncodedExample {
    if (choices.length < 2 || (label !== undefined && choices[label] === undefined)) {
      const where = id === undefined ? "question" : `question ${id}`;
      const got = verbatim(
        `${choices.length} choices${label === undefined ? "" : `, of which number ${label} is right`}`,
      );
      throw new DataError({ where, expected: "two choices or more, the right one among them", got });
    }
    const options = { maxLength: this.settings.maxSeqLength, overlap: 0, truncate: true };
    const encoded = choices.map((each) => encodeRows(tokenizer, [context, joined(question, each)], options));
    const sequences = encoded.flatMap(({ rows }) => rows);
    const absent = encodeRows(tokenizer, "", options).rows;
    const rows: TaskRow[] = [];
    for (let start = 0; start < sequences.length; start += this.sequencesPerRow) {
      const own = sequences.slice(start, start + this.sequencesPerRow);
      const fill = Array.from({ length: this.sequencesPerRow - own.length }, () => absent).flat();
      rows.push({ sequences: [...own, ...fill], ...this.#labels(own.length, start, label) });
    }
    return { rows, isTruncated: encoded.some(({ isTruncated }) => isTruncated) };
  }

  /** Of several rows only the one with the right choice is learned from. */
  #labels(count: number, start: number, label: number | undefined): Pick<TaskRow, "labels"> {
    if (label === undefined) return {};
    const place = label - start;
    const present = Float32Array.from({ length: this.sequencesPerRow }, (_, i) => (i < count ? 1 : 0));
    return { labels: { [LABELS]: [place >= 0 && place < count ? place : IGNORED_LABEL], [PRESENT]: present } };
  }

  head({ context, rows, dropout, pooledOutput }: HeadInputs) {
    return { logits: multipleChoiceHead(context, dropout(pooledOutput()), rows, this.sequencesPerRow) };
  }

  loss({ logits }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions) {
    const { classWeights } = options;
    if (classWeights !== undefined) {
      const expected = "no class weights: the places of choices are no classes";
      throw new ArgumentError({ where: "choice", expected, got: classWeights });
    }
    return classLoss(logits as Tensor, labels[LABELS] as Tensor, options, rowWeights, labels[PRESENT] as Tensor);
  }

  divergence({ logits: first }: Scores, { logits: second }: Scores, { labels, rowWeights }: LabelTensors) {
    const shown = (logits: Tensor | undefined) => hideAbsent(logits as Tensor, labels[PRESENT] as Tensor);
    return symmetricKl(shown(first), shown(second), rowWeights);
  }

  decode({ choices }: ChoiceExample, _: EncodedExample, scores: readonly RowScores[]): ChoicePrediction {
    const logits = scores.flatMap((row) => Array.from(row["logits"] as Float32Array)).slice(0, choices.length);
    const shares = softmaxOf(logits);
    const scored = choices.map((each, index) => ({ choice: each, index, score: shares[index] as number }));
    return { choices: scored.sort((a, b) => b.score - a.score) };
  }

  result({ id, question }: ChoiceExample, { choices }: ChoicePrediction) {
    return { ...(id === undefined ? {} : { id }), question, index: choices[0]?.index, choices };
  }

  evaluate(examples: readonly ChoiceExample[], predictions: readonly ChoicePrediction[]): Evaluation {
    expectExamples(examples, predictions);
    const expected = examples.map((example) => expectGiven(example.label, example, "the right choice"));
    const errors = examples.flatMap(({ id, context, question, choices }, i): EvaluationError[] => {
      const best = predictions[i]?.choices[0] as ScoredChoice;
      const right = expected[i] as number;
      if (best.index === right) return [];
      const text = [context, question].filter((part) => part !== "").join(" | ");
      const found = { text, expected: choices[right] as string, predicted: best.choice, score: best.score };
      return [id === undefined ? found : { id, ...found }];
    });
    return {
      metrics: { accuracy: (examples.length - errors.length) / examples.length },
      errors: errors.sort((a, b) => (b.score as number) - (a.score as number)),
    };
  }
}

/** A question before its choice; between Chinese characters the space is nothing to the tokenizer. */
function joined(question: string, each: string): string {
  return question === "" ? each : `${question} ${each}`;
}
