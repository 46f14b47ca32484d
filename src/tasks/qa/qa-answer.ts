/** The answer to a question: the best span, none, yes or no; and the files in which answers are handed in. */
import { DataError, verbatim } from "../../errors.ts";
import { given } from "../../util/given.ts";
import { softmaxOf } from "../../util/softmax.ts";
import type { RowScores } from "../task.ts";
import { bestSpans, type ScoredSpan, type WindowScores } from "./qa-decode.ts";
import type { CompleteSettings } from "./qa-settings.ts";
import type { PassageWindows } from "./qa-windows.ts";

/** What an answer may be, in the order of the scores of the classifier. */
export const ANSWER_KINDS = ["span", "yes", "no", "unknown"] as const;
/** span: in the passage. */
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** An answer that was considered. */
export interface AnswerCandidate {
  /** `context.slice(start, end)`; empty for no answer. */
  readonly answer: string;
  /** UTF-16 offsets in the passage. */
  readonly start: number;
  readonly end: number;
  /** Its probability among the best answers, in [0, 1]; with the product rule, among all of its window. */
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
}

/** The answer to a question. */
export interface QuestionAnswer {
  readonly id: string;
  /** As it stands in the passage; YES, NO, or empty where there is none. */
  readonly answer: string;
  /** UTF-16 offsets in the passage; 0 where the answer is none of it. */
  readonly start: number;
  readonly end: number;
  readonly score: number;
  /** The best answers, the best first. */
  readonly nBest: readonly AnswerCandidate[];
  /** How much more [CLS] scores than the best span, where questions may have no answer. */
  readonly noAnswerScore?: number;
  /** Where kinds of answers are told apart. */
  readonly kind?: AnswerKind;
}

/** The scores of a window's row. */
export interface AnswerScores extends WindowScores {
  /** float32 [4], of each kind. */
  readonly kinds?: Float32Array;
}

/** A window's scores out of the outputs of the head. */
export function answerScores({ start_logits: start, end_logits: end, kind_logits: kinds }: RowScores): AnswerScores {
  return { start: start as Float32Array, end: end as Float32Array, ...given({ kinds }) };
}

/**
 * The answer that scores speak for.
 * @param scores - of each window.
 * Source: run_squad.py (write_predictions) of google-research/bert.
 */
export function answerOf(
  question: { readonly id: string; readonly context: string },
  { windows, pieces }: PassageWindows,
  scores: readonly AnswerScores[],
  settings: CompleteSettings,
): QuestionAnswer {
  const spans = bestSpans(windows, pieces, scores, { ...settings, rule: settings.spanRule });
  const nulls = settings.noAnswer ? [noAnswer(scores)] : [];
  const nBest = candidatesOf(question.context, [...spans, ...nulls], settings);
  const nothing = nBest.find(({ start, end }) => start === end) ?? NOTHING;
  const best = nBest.find(({ start, end }) => start < end) ?? nothing;
  const { id } = question;
  if (settings.answerKinds) return { ...answerByKind(best, kindOf(scores)), id, nBest };
  if (!settings.noAnswer) return { ...shown(best), id, nBest };
  const noAnswerScore = nothing.startLogit + nothing.endLogit - (best.startLogit + best.endLogit);
  const isNone = best === nothing || noAnswerScore > settings.noAnswerThreshold;
  return { ...shown(isNone ? nothing : best), id, nBest, noAnswerScore };
}

const NOTHING: AnswerCandidate = { answer: "", start: 0, end: 0, score: 1, startLogit: 0, endLogit: 0 };

/** The span of [CLS], in the window that believes in it least: another one may hold the answer. */
function noAnswer(scores: readonly AnswerScores[]): ScoredSpan {
  const candidates = scores.map(({ start, end }, window) => {
    const [startLogit, endLogit] = [start[0] as number, end[0] as number];
    return { start: 0, end: 0, score: startLogit + endLogit, startLogit, endLogit, window, positions: [0, 0] as const };
  });
  return candidates.reduce((least, candidate) => (candidate.score < least.score ? candidate : least));
}

function candidatesOf(
  context: string,
  spans: readonly ScoredSpan[],
  { spanRule }: CompleteSettings,
): AnswerCandidate[] {
  const sums = softmaxOf(spans.map(({ startLogit, endLogit }) => startLogit + endLogit));
  const candidates = spans.map(({ start, end, score, startLogit, endLogit }, i): AnswerCandidate => {
    const probability = spanRule === "product" && start < end ? score : (sums[i] as number);
    return { answer: context.slice(start, end), start, end, score: probability, startLogit, endLogit };
  });
  return candidates.sort((a, b) => b.score - a.score);
}

function shown({ answer, start, end, score }: AnswerCandidate) {
  return { answer, start, end, score };
}

/** The kind by the window that is surest that the passage answers. */
function kindOf(scores: readonly AnswerScores[]) {
  const unknown = ANSWER_KINDS.indexOf("unknown");
  const byWindow = scores.map(({ kinds }, window) => ({ window, shares: softmaxOf(kinds ?? []) }));
  const { window, shares } = byWindow.reduce((best, one) => {
    return (one.shares[unknown] as number) < (best.shares[unknown] as number) ? one : best;
  });
  const share = Math.max(...shares);
  return { kind: ANSWER_KINDS[shares.indexOf(share)] as AnswerKind, share, window };
}

const SPELLED: Readonly<Record<Exclude<AnswerKind, "span">, string>> = { yes: "YES", no: "NO", unknown: "" };

function answerByKind(best: AnswerCandidate, { kind, share }: ReturnType<typeof kindOf>) {
  if (kind === "span") return { ...shown(best), score: best.score * share, kind };
  return { answer: SPELLED[kind], start: 0, end: 0, score: share, kind };
}

/** What of the scores an answer comes from. */
export interface AnswerPlace {
  readonly window: number;
  /** UTF-16 offsets in the passage, where the answer stands there. */
  readonly span?: readonly [start: number, end: number];
  /** Its first and its last token in the window's row; [CLS] twice for no answer. */
  readonly positions?: readonly [number, number];
  /** What the classifier says instead of a span. */
  readonly kind?: Exclude<AnswerKind, "span">;
}

/** Where the answer of `answerOf` comes from; undefined where a passage without tokens leaves nothing to answer from. */
export function answerPlace(
  question: { readonly id: string; readonly context: string },
  passage: PassageWindows,
  scores: readonly AnswerScores[],
  settings: CompleteSettings,
): AnswerPlace | undefined {
  const { kind, start, end } = answerOf(question, passage, scores, settings);
  if (kind !== undefined && kind !== "span") return { window: kindOf(scores).window, kind };
  if (start === end) return settings.noAnswer ? placeOf(noAnswer(scores)) : undefined;
  const spans = bestSpans(passage.windows, passage.pieces, scores, { ...settings, rule: settings.spanRule });
  const found = spans.find((span) => span.start === start && span.end === end) as ScoredSpan;
  return { ...placeOf(found), span: [start, end] };
}

function placeOf({ window, positions }: ScoredSpan): AnswerPlace {
  return { window, positions };
}

/**
 * The official prediction file of SQuAD, CMRC 2018 and DRCD: the answer of each question by its id, as JSON.
 * @throws {DataError} when two questions have one id: the file would keep the answer of one.
 */
export function predictionFileOf(answers: Iterable<QuestionAnswer>): string {
  return jsonById(answers, ({ answer }) => answer);
}

/**
 * The n-best file of run_squad.py: the best answers of each question by its id, with probabilities and logits, as JSON.
 * @throws {DataError} when two questions have one id.
 */
export function nBestFileOf(answers: Iterable<QuestionAnswer>): string {
  return jsonById(answers, ({ nBest }) =>
    nBest.map(({ answer, score, startLogit, endLogit }) => {
      return { text: answer, probability: score, start_logit: startLogit, end_logit: endLogit };
    }),
  );
}

function jsonById(answers: Iterable<QuestionAnswer>, entryOf: (answer: QuestionAnswer) => unknown): string {
  const entries = new Map<string, unknown>();
  for (const answer of answers) {
    const { id } = answer;
    if (entries.has(id)) {
      throw new DataError({
        where: "prediction file",
        expected: "questions with an id each",
        got: verbatim(`${JSON.stringify(id)} twice`),
        hint: "keep predictions by row: a name that ends in .jsonl",
      });
    }
    entries.set(id, entryOf(answer));
  }
  return `${JSON.stringify(Object.fromEntries(entries), null, 4)}\n`;
}
