/** How answers to questions are scored over a data set: by its rules, questions without an answer apart, the best threshold. */
import { DataError, verbatim } from "../../errors.ts";
import type { QuestionExample } from "../examples.ts";
import type { QuestionAnswer } from "../qa/qa-answer.ts";
import type { Evaluation, EvaluationError } from "../task.ts";
import { scoreCjrcAnswer } from "./cjrc-metrics.ts";
import { type AnswerScore, scoreCmrcAnswer } from "./cmrc-metrics.ts";
import { scoreSquadAnswer } from "./squad-metrics.ts";

const SCORES = { cmrc: scoreCmrcAnswer, cjrc: scoreCjrcAnswer, squad: scoreSquadAnswer };

/** The rules by which answers are compared: those of CMRC 2018 (and DRCD), of CJRC, or of SQuAD. */
export type AnswerMetric = keyof typeof SCORES;
/** All of them. */
export const ANSWER_METRICS = Object.keys(SCORES) as readonly AnswerMetric[];

/**
 * The evaluation of answers: `exactMatch`, `f1` and their mean `average`; with unanswerable questions also the first two of
 * each half, and `bestThreshold` with what it would give.
 * @throws {DataError} when a question has no reference.
 */
export function evaluateAnswers(
  examples: readonly QuestionExample[],
  answers: readonly QuestionAnswer[],
  metric: AnswerMetric,
): Evaluation {
  const scored = examples.map((example, i): ScoredQuestion => {
    const [answer, references] = [answers[i] as QuestionAnswer, referencesOf(example)];
    return { example, answer, references, score: SCORES[metric](answer.answer, references) };
  });
  const unanswerable = scored.filter(({ references }) => references.length === 0);
  const answerable = scored.filter(({ references }) => references.length > 0);
  const all = meansOf(scored);
  const halves = [named("hasAnswer", meansOf(answerable)), named("noAnswer", meansOf(unanswerable))];
  const further = unanswerable.length === 0 ? {} : { ...halves[0], ...halves[1], ...bestThreshold(scored, metric) };
  const metrics = { ...all, average: (all.exactMatch + all.f1) / 2, ...further };
  return { metrics, errors: errorsOf(scored) };
}

interface ScoredQuestion {
  readonly example: QuestionExample;
  readonly answer: QuestionAnswer;
  readonly references: readonly string[];
  readonly score: AnswerScore;
}

function referencesOf({ id, answers }: QuestionExample): readonly string[] {
  if (answers !== undefined) return answers.map(({ text }) => text);
  throw new DataError({
    where: `question ${id}`,
    expected: "answers to compare with",
    got: verbatim("none"),
    hint: "this split is published without answers: predict instead of evaluating",
  });
}

function meansOf(questions: readonly ScoredQuestion[]): AnswerScore {
  const mean = (of: (score: AnswerScore) => number) =>
    questions.reduce((sum, { score }) => sum + of(score), 0) / Math.max(1, questions.length);
  return { exactMatch: mean(({ exactMatch }) => exactMatch), f1: mean(({ f1 }) => f1) };
}

const named = (name: string, { exactMatch, f1 }: AnswerScore): Record<string, number> => {
  return { [`${name}ExactMatch`]: exactMatch, [`${name}F1`]: f1 };
};

/**
 * The threshold of the score of no answer with the best F1, and what it gives; nothing where models give no such score.
 * Source: find_best_thresh of SQuAD 2.0's evaluation script.
 */
function bestThreshold(questions: readonly ScoredQuestion[], metric: AnswerMetric): Record<string, number> {
  const candidates = questions.flatMap(({ answer, references }) => {
    if (answer.noAnswerScore === undefined) return [];
    const span = answer.nBest.find(({ start, end }) => start < end)?.answer ?? "";
    const isNone = references.length === 0 ? 1 : 0;
    return [{ score: answer.noAnswerScore, span: SCORES[metric](span, references), isNone }];
  });
  if (candidates.length < questions.length) return {};
  // Below every score nothing is answered; each question that is then answered gains or loses.
  let f1 = candidates.reduce((sum, { isNone }) => sum + isNone, 0);
  let exactMatch = f1;
  let best = { bestThreshold: Number.NEGATIVE_INFINITY, bestF1: f1, bestExactMatch: exactMatch };
  candidates.sort((a, b) => a.score - b.score);
  candidates.forEach(({ score, span, isNone }, i) => {
    f1 += span.f1 - isNone;
    exactMatch += span.exactMatch - isNone;
    const isLastOfEqual = candidates[i + 1]?.score !== score;
    if (isLastOfEqual && f1 > best.bestF1) best = { bestThreshold: score, bestF1: f1, bestExactMatch: exactMatch };
  });
  const lowest = (candidates[0]?.score ?? 0) - 1;
  return {
    bestThreshold: Math.max(best.bestThreshold, lowest),
    bestF1: best.bestF1 / candidates.length,
    bestExactMatch: best.bestExactMatch / candidates.length,
  };
}

/** Questions that were not answered rightly: the worst and the surest first. */
function errorsOf(questions: readonly ScoredQuestion[]): EvaluationError[] {
  const wrong = questions.filter(({ score }) => score.exactMatch < 1);
  const ranked = wrong.sort((a, b) => a.score.f1 - b.score.f1 || b.answer.score - a.answer.score);
  return ranked.map(({ example, answer, references }) => ({
    id: example.id,
    text: `${example.question}\n${example.context}`,
    expected: [...new Set(references)].join(" | "),
    predicted: answer.answer,
    score: answer.score,
    marks: marksOf(example, answer),
  }));
}

/** Where the answers stand, in the text of the question followed by the passage. */
function marksOf({ question, answers }: QuestionExample, { start, end }: QuestionAnswer) {
  const shift = question.length + 1;
  const places = new Map<number, number>();
  for (const { text, start: place } of answers ?? []) if (place !== undefined) places.set(place, place + text.length);
  const expected = [...places].map(([from, to]) => {
    return { span: [from + shift, to + shift] as const, kind: "expected" as const };
  });
  const predicted = end > start ? [{ span: [start + shift, end + shift] as const, kind: "predicted" as const }] : [];
  return [...expected, ...predicted];
}
