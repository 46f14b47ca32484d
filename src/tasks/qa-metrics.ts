/** How answers to questions are scored over a data set: CMRC's numbers, questions without an answer apart, the best threshold. */
import { DataError, verbatim } from "../errors.ts";
import { type AnswerScore, scoreCmrc, scoreCmrcAnswer } from "./cmrc-metrics.ts";
import type { QuestionExample } from "./examples.ts";
import type { QuestionAnswer } from "./qa-answer.ts";
import type { Evaluation, EvaluationError } from "./task.ts";

/**
 * The evaluation of answers: `exactMatch`, `f1` and `average` as CMRC counts them; with unanswerable questions also those of
 * each half, and `bestThreshold` with what it would give.
 * @throws {DataError} when a question has no reference.
 */
export function evaluateAnswers(examples: readonly QuestionExample[], answers: readonly QuestionAnswer[]): Evaluation {
  const questions = examples.map((example, i) => ({
    example,
    answer: answers[i] as QuestionAnswer,
    references: referencesOf(example),
    // Ids of some data sets repeat; places do not.
    id: String(i),
  }));
  const given = new Map(questions.map(({ id, answer }) => [id, answer.answer]));
  const scores = scoreCmrc(
    questions.map(({ id, references }) => ({ id, answers: references })),
    given,
  );
  const scored = questions.map((question) => ({
    ...question,
    score: scores.questions.get(question.id) as AnswerScore,
  }));
  const unanswerable = scored.filter(({ references }) => references.length === 0);
  const answerable = scored.filter(({ references }) => references.length > 0);
  return {
    metrics: {
      exactMatch: scores.exactMatch,
      f1: scores.f1,
      average: scores.average,
      ...(unanswerable.length === 0
        ? {}
        : {
            ...meansOf("hasAnswer", answerable),
            ...meansOf("noAnswer", unanswerable),
            ...bestThreshold(scored),
          }),
    },
    errors: errorsOf(scored),
  };
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

function meansOf(name: string, questions: readonly ScoredQuestion[]): Record<string, number> {
  const mean = (of: (score: AnswerScore) => number) =>
    questions.reduce((sum, { score }) => sum + of(score), 0) / Math.max(1, questions.length);
  return { [`${name}ExactMatch`]: mean((score) => score.exactMatch), [`${name}F1`]: mean((score) => score.f1) };
}

/**
 * The threshold of the score of no answer with the best F1, and what it gives; nothing where models give no such score.
 * Source: find_best_thresh of SQuAD 2.0's evaluation script.
 */
function bestThreshold(questions: readonly ScoredQuestion[]): Record<string, number> {
  const candidates = questions.flatMap(({ answer, references }) => {
    if (answer.noAnswerScore === undefined) return [];
    const span = answer.nBest.find(({ start, end }) => start < end)?.answer ?? "";
    const isNone = references.length === 0 ? 1 : 0;
    return [{ score: answer.noAnswerScore, span: scoreCmrcAnswer(span, references), isNone }];
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
  const wrong = questions.filter(({ score }) => score.exactMatch === 0);
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
