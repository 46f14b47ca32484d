/** Extractive reading comprehension: the answer to a question is a span of a passage of any length, or there is none. */
import { ArgumentError, DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { add, addScalar, scale } from "../graph/ops/arithmetic.ts";
import { meanCrossEntropy } from "../graph/ops/cross-entropy.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { questionAnsweringHead, sequenceClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { QuestionExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedAnswer, type QuestionRows } from "./explained/explained-answer.ts";
import { classLoss, IGNORED_LABEL, symmetricKl } from "./losses.ts";
import { evaluateAnswers } from "./metrics/qa-metrics.ts";
import { ANSWER_KINDS, type AnswerKind, answerOf, answerScores, type QuestionAnswer } from "./qa/qa-answer.ts";
import {
  type CompleteSettings,
  completeSettings,
  DEFAULT_MAX_SEQ_LENGTH,
  type QuestionAnsweringSettings,
  questionAnsweringRules,
} from "./qa/qa-settings.ts";
import { type PassageWindow, type PassageWindows, passageWindows, piecesOfSpan, positionsIn } from "./qa/qa-windows.ts";
import { expectExamples } from "./sequence-task.ts";
import type {
  HeadInputs,
  LabelInput,
  LabelTensors,
  LossOptions,
  RowScores,
  Task,
  TaskChoices,
  TaskDefinition,
} from "./task.ts";
import { checkSettings } from "./task-settings.ts";

const STARTS = "start_positions";
const ENDS = "end_positions";
const KINDS = "answer_kinds";
const SPAN_MASK = "span_mask";

type Scores = Readonly<Record<string, Tensor>>;

/** Reading comprehension. Source: Devlin et al. 2018, sections 4.2 and 4.3; run_squad.py of google-research/bert. */
export const qa: TaskDefinition<QuestionExample, QuestionAnswer, QuestionAnsweringSettings> = {
  name: "qa",
  reads: "qa",
  pipeline: "question-answering",
  architecture: "BertForQuestionAnswering",
  summary: "the span of a passage that answers a question",
  settle: settleSettings,
  rules: questionAnsweringRules,
  create: (settings) => new QuestionAnsweringTask(checkSettings(settings, questionAnsweringRules)),
};

/** Questions that cannot be answered, or by yes and no, change what a model has to tell. */
function settleSettings(
  examples: Iterable<QuestionExample>,
  choices: TaskChoices<QuestionAnsweringSettings>,
): QuestionAnsweringSettings {
  let [hasSpans, hasNone, hasYesNo, isChinese] = [false, false, false, false];
  for (const { context, answers, yesNo } of examples) {
    isChinese ||= HAN.test(context);
    hasSpans ||= answers?.some(({ start }) => start !== undefined) ?? false;
    hasNone ||= answers?.length === 0;
    hasYesNo ||= yesNo !== undefined;
  }
  if (!hasSpans) {
    throw new DataError({
      where: "training data",
      expected: "questions with an answer that stands in its passage",
      got: verbatim("none"),
      hint: "answers are found by their offset (answer_start) or their text: is this the right file?",
    });
  }
  const answerKinds = choices.answerKinds ?? hasYesNo;
  const noAnswer = choices.noAnswer ?? (hasNone && !answerKinds);
  const answerMetric = choices.answerMetric ?? (hasYesNo ? "cjrc" : isChinese ? "cmrc" : "squad");
  return { maxSeqLength: DEFAULT_MAX_SEQ_LENGTH, ...choices, answerKinds, noAnswer, answerMetric, task: "qa" };
}

const HAN = /\p{Script=Han}/u;

class QuestionAnsweringTask implements Task<QuestionExample, QuestionAnswer, QuestionRows> {
  readonly sequencesPerRow = 1;
  readonly labelInputs: Readonly<Record<string, LabelInput>>;
  readonly scoreAxes: Readonly<Record<string, "row" | "token">>;
  readonly primaryMetric = "average";
  readonly settings: QuestionAnsweringSettings;
  readonly explaining: ExplainedTask<QuestionExample, QuestionRows>;
  readonly #complete: CompleteSettings;

  constructor(settings: QuestionAnsweringSettings) {
    this.settings = settings;
    this.#complete = completeSettings(settings);
    this.explaining = explainedAnswer(this.#complete);
    const { answerKinds, maskScores } = this.#complete;
    const position = { dtype: "int32", axis: "row", padding: IGNORED_LABEL } as const;
    this.labelInputs = {
      [STARTS]: position,
      [ENDS]: position,
      ...(answerKinds ? { [KINDS]: position } : {}),
      ...(maskScores ? { [SPAN_MASK]: { dtype: "float32", axis: "token", padding: 0 } as const } : {}),
    };
    this.scoreAxes = { start_logits: "token", end_logits: "token", ...(answerKinds ? { kind_logits: "row" } : {}) };
  }

  /** Nothing is learned from an answer that is not in its passage. */
  trainingExamples(examples: readonly QuestionExample[]): readonly QuestionExample[] {
    const { answerKinds } = this.#complete;
    return examples.filter((example) => example.answers === undefined || goldOf(example, answerKinds) !== undefined);
  }

  encode(example: QuestionExample, tokenizer: BertTokenizer): QuestionRows {
    const where = `question ${example.id}`;
    const passage = passageWindows(tokenizer, example.question, example.context, this.#complete, where);
    const labelsOf = this.#labelled(example, passage);
    const rows = passage.windows.map((window) => {
      const labels = labelsOf(window);
      return { sequences: [window.sequence], ...(labels === undefined ? {} : { labels }) };
    });
    return { rows, isTruncated: passage.isQuestionCut, passage };
  }

  /** The labels of a window; none of a question whose answer is not known or not in its passage. */
  #labelled(example: QuestionExample, { pieces }: PassageWindows) {
    const { answerKinds, maskScores } = this.#complete;
    const gold = goldOf(example, answerKinds);
    const [start, end] = gold?.span ?? [0, 0];
    const found = gold?.span && piecesOfSpan(pieces, [start, end]);
    return (window: PassageWindow): Record<string, readonly number[]> | undefined => {
      if (gold === undefined) return undefined;
      const positions = positionsIn(window, found);
      // What is answered by yes or no stands nowhere, neither in the passage nor at [CLS].
      const hasPlace = gold.kind === "span" || gold.kind === "unknown";
      const kind = gold.kind === "span" && positions[0] === 0 ? "unknown" : gold.kind;
      return {
        [STARTS]: [hasPlace ? positions[0] : IGNORED_LABEL],
        [ENDS]: [hasPlace ? positions[1] : IGNORED_LABEL],
        ...(answerKinds ? { [KINDS]: [ANSWER_KINDS.indexOf(kind)] } : {}),
        ...(maskScores ? { [SPAN_MASK]: spanMask(window) } : {}),
      };
    };
  }

  head({ context, sequenceOutput, rows, seq, dropout, pooledOutput }: HeadInputs): Record<string, Tensor> {
    const [start, end] = questionAnsweringHead(context, sequenceOutput);
    const byRow = (scores: Tensor) => reshape(scores, [rows, seq]);
    const spans = { start_logits: byRow(start), end_logits: byRow(end) };
    if (!this.#complete.answerKinds) return spans;
    return { ...spans, kind_logits: sequenceClassificationHead(context, dropout(pooledOutput()), ANSWER_KINDS.length) };
  }

  /** The mean of the cross entropies of start and end over all positions; that of the kind is added. */
  loss(scores: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions): Tensor {
    const { classWeights, ...spread } = options;
    const kinds = scores["kind_logits"];
    if (classWeights !== undefined && kinds === undefined) {
      const expected = "no class weights: positions are no classes";
      throw new ArgumentError({ where: "question answering", expected, got: classWeights });
    }
    const positionLoss = (name: string, positions: string) => {
      const logits = this.#masked(scores[name] as Tensor, labels);
      const wanted = labels[positions] as Tensor;
      const isPlain = !spread.labelSmoothing && !spread.focalGamma;
      return isPlain ? meanCrossEntropy(logits, wanted, IGNORED_LABEL) : classLoss(logits, wanted, spread, rowWeights);
    };
    const spans = scale(add(positionLoss("start_logits", STARTS), positionLoss("end_logits", ENDS)), 0.5);
    return kinds === undefined ? spans : add(spans, classLoss(kinds, labels[KINDS] as Tensor, options, rowWeights));
  }

  divergence(first: Scores, second: Scores, { labels, rowWeights }: LabelTensors): Tensor {
    const apart = Object.keys(this.scoreAxes).map((name) => {
      const [a, b] = [first[name], second[name]].map((scores) =>
        name === "kind_logits" ? (scores as Tensor) : this.#masked(scores as Tensor, labels),
      );
      return symmetricKl(a as Tensor, b as Tensor, rowWeights);
    });
    return scale(apart.reduce(add), 1 / apart.length);
  }

  decode(example: QuestionExample, { passage }: QuestionRows, scores: readonly RowScores[]): QuestionAnswer {
    return answerOf(example, passage, scores.map(answerScores), this.#complete);
  }

  result(_: QuestionExample, { id, answer, start, end, score, kind }: QuestionAnswer) {
    return { id, answer, start, end, score, ...(kind === undefined ? {} : { kind }) };
  }

  evaluate(examples: readonly QuestionExample[], answers: readonly QuestionAnswer[]) {
    expectExamples(examples, answers);
    return evaluateAnswers(examples, answers, this.#complete.answerMetric);
  }

  /** The scores, where wanted with 10,000 less at what no answer can begin or end with. */
  #masked(logits: Tensor, labels: LabelTensors["labels"]): Tensor {
    const mask = labels[SPAN_MASK];
    return mask === undefined ? logits : add(logits, scale(addScalar(mask, -1), MASKED_SCORE));
  }
}

/** As the Chinese baseline takes from scores. */
const MASKED_SCORE = 10_000;

/** 1 for [CLS] and the passage. */
function spanMask({ sequence, offset, from, to }: PassageWindow): number[] {
  const mask = new Array<number>(sequence.ids.length).fill(0);
  mask[0] = 1;
  return mask.fill(1, offset, offset + to - from);
}

interface Gold {
  readonly kind: AnswerKind;
  readonly span?: readonly [number, number];
}

/** What a model is to answer: the first answer that stands in the passage. */
function goldOf({ answers, yesNo }: QuestionExample, answerKinds: boolean): Gold | undefined {
  if (answers === undefined) return undefined;
  if (answers.length === 0) return { kind: "unknown" };
  if (yesNo !== undefined) return answerKinds ? { kind: yesNo } : undefined;
  const placed = answers.find(({ start }) => start !== undefined);
  if (placed?.start === undefined) return undefined;
  return { kind: "span", span: [placed.start, placed.start + placed.text.length] };
}
