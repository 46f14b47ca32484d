/** The settings of reading comprehension, their defaults and checks. */
import { ConfigError } from "../../errors.ts";
import { ANSWER_METRICS, type AnswerMetric } from "../metrics/qa-metrics.ts";
import type { TaskSettings } from "../task.ts";
import { number, oneOf, readingRules, type SettingRules, truth, whole } from "../task-settings.ts";
import { SPAN_RULES, type SpanOptions, type SpanRule } from "./qa-decode.ts";
import { QUESTION_SPECIAL_TOKENS, type WindowOptions } from "./qa-windows.ts";

/** What a model for reading comprehension is fine-tuned and asked by; what is left out takes the default. */
export interface QuestionAnsweringSettings extends TaskSettings {
  /** 128; passage tokens from one window to the next. Transformers' `stride`, the overlap, is `windowOverlap`. */
  readonly docStride?: number;
  /** Passage tokens that windows share; instead of docStride. */
  readonly windowOverlap?: number;
  /** 64; tokens that are kept of a question, at most half of a row. */
  readonly maxQueryLength?: number;
  /** 30; tokens of the longest answer that is given. */
  readonly maxAnswerLength?: number;
  /** UTF-16 units of the longest answer that is given; no limit. */
  readonly maxAnswerCharacters?: number;
  /** 20; answers that are kept, and starts and ends that are tried in each window. */
  readonly nBest?: number;
  /** "sum"; "product" answers as the pipeline of Transformers 4 does. */
  readonly spanRule?: SpanRule;
  /** true: a span counts only in the window that sees its start in the widest context. */
  readonly widestContextOnly?: boolean;
  /**
   * Whether questions may have no answer: the score of [CLS] as start and end speaks for it. No answer is given where that
   * score, less the best span's, is above the threshold.
   */
  readonly noAnswer?: boolean;
  /** 0; the best one over a dev set is among the metrics. */
  readonly noAnswerThreshold?: number;
  /** Whether a classifier over [CLS] tells spans, yes, no and unknown apart (CJRC). */
  readonly answerKinds?: boolean;
  /** Whether training leaves out the question and padding as starts and ends, as the Chinese baseline does; false. */
  readonly maskScores?: boolean;
  /** "cmrc"; "cjrc" where answers may be yes and no, "squad" where passages are not Chinese. */
  readonly answerMetric?: AnswerMetric;
}

/** Settings with nothing left out. */
export interface CompleteSettings extends WindowOptions, Omit<SpanOptions, "rule"> {
  readonly spanRule: SpanRule;
  readonly noAnswer: boolean;
  readonly noAnswerThreshold: number;
  readonly answerKinds: boolean;
  readonly maskScores: boolean;
  readonly answerMetric: AnswerMetric;
}

/** Published with 384 tokens of a row, of which 64 for the question, and a step of 128. */
export const DEFAULT_MAX_SEQ_LENGTH = 384;
const DEFAULT_DOC_STRIDE = 128;
const DEFAULT_MAX_QUERY_LENGTH = 64;
const DEFAULT_MAX_ANSWER_LENGTH = 30;
export const DEFAULT_N_BEST = 20;

/** What the settings may be. */
export const questionAnsweringRules: SettingRules<QuestionAnsweringSettings> = {
  ...readingRules,
  docStride: whole(1),
  windowOverlap: whole(0),
  maxQueryLength: whole(0),
  maxAnswerLength: whole(1),
  maxAnswerCharacters: whole(1),
  nBest: whole(1),
  spanRule: oneOf(SPAN_RULES),
  widestContextOnly: truth,
  noAnswer: truth,
  noAnswerThreshold: number(),
  answerKinds: truth,
  maskScores: truth,
  answerMetric: oneOf(ANSWER_METRICS),
};

/**
 * The settings with their defaults.
 * @throws {ConfigError} when windows would not move on.
 */
export function completeSettings(settings: QuestionAnsweringSettings): CompleteSettings {
  const { maxSeqLength, windowOverlap, maxAnswerCharacters } = settings;
  // A short row keeps half of itself for the passage.
  const { maxQueryLength = Math.min(DEFAULT_MAX_QUERY_LENGTH, maxSeqLength >> 1) } = settings;
  // A question of fewer tokens leaves more room: which one leaves too little is known with the question.
  const most = maxSeqLength - QUESTION_SPECIAL_TOKENS;
  if (windowOverlap !== undefined && windowOverlap >= most) {
    const expected = `below the ${most} tokens of a window`;
    throw new ConfigError({ where: "qa: windowOverlap", expected, got: windowOverlap });
  }
  return {
    maxSeqLength,
    docStride: settings.docStride ?? DEFAULT_DOC_STRIDE,
    maxQueryLength,
    maxAnswerLength: settings.maxAnswerLength ?? DEFAULT_MAX_ANSWER_LENGTH,
    nBest: settings.nBest ?? DEFAULT_N_BEST,
    ...(windowOverlap === undefined ? {} : { windowOverlap }),
    ...(maxAnswerCharacters === undefined ? {} : { maxAnswerCharacters }),
    spanRule: settings.spanRule ?? "sum",
    widestContextOnly: settings.widestContextOnly ?? true,
    mergeSame: true,
    noAnswer: settings.noAnswer ?? false,
    noAnswerThreshold: settings.noAnswerThreshold ?? 0,
    answerKinds: settings.answerKinds ?? false,
    maskScores: settings.maskScores ?? false,
    answerMetric: settings.answerMetric ?? "cmrc",
  };
}
