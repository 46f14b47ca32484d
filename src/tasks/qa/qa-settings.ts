/** The settings of reading comprehension, their defaults and checks. */
import { ConfigError } from "../../errors.ts";
import { ANSWER_METRICS, type AnswerMetric } from "../metrics/qa-metrics.ts";
import type { TaskSettings } from "../task.ts";
import { SPAN_RULES, type SpanOptions, type SpanRule } from "./qa-decode.ts";
import type { WindowOptions } from "./qa-windows.ts";

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

/**
 * The settings with their defaults.
 * @throws {ConfigError} when one is out of its range: a task.json may say anything.
 */
export function completeSettings(settings: QuestionAnsweringSettings): CompleteSettings {
  const { maxSeqLength, windowOverlap, maxAnswerCharacters, noAnswerThreshold = 0 } = settings;
  const whole = (name: keyof QuestionAnsweringSettings, otherwise: number, from = 1) => {
    const value = settings[name] ?? otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= from) return value;
    throw new ConfigError({
      where: `question answering: ${name}`,
      expected: `a whole number from ${from} on`,
      got: value,
    });
  };
  const truth = (name: keyof QuestionAnsweringSettings, otherwise = false) => {
    const value = settings[name] ?? otherwise;
    if (typeof value === "boolean") return value;
    throw new ConfigError({ where: `question answering: ${name}`, expected: "true or false", got: value });
  };
  const oneOf = <T extends string>(name: keyof QuestionAnsweringSettings, known: readonly T[], otherwise: T): T => {
    const found = known.find((choice) => choice === (settings[name] ?? otherwise));
    if (found !== undefined) return found;
    throw new ConfigError({ where: `question answering: ${name}`, expected: known.join(" or "), got: settings[name] });
  };
  if (typeof noAnswerThreshold !== "number" || Number.isNaN(noAnswerThreshold)) {
    throw new ConfigError({
      where: "question answering: noAnswerThreshold",
      expected: "a number",
      got: noAnswerThreshold,
    });
  }
  return {
    maxSeqLength,
    docStride: whole("docStride", DEFAULT_DOC_STRIDE),
    // A short row keeps half of itself for the passage.
    maxQueryLength: whole("maxQueryLength", Math.min(DEFAULT_MAX_QUERY_LENGTH, maxSeqLength >> 1), 0),
    maxAnswerLength: whole("maxAnswerLength", DEFAULT_MAX_ANSWER_LENGTH),
    nBest: whole("nBest", DEFAULT_N_BEST),
    ...(windowOverlap === undefined ? {} : { windowOverlap: whole("windowOverlap", 0, 0) }),
    ...(maxAnswerCharacters === undefined ? {} : { maxAnswerCharacters: whole("maxAnswerCharacters", 1) }),
    spanRule: oneOf("spanRule", SPAN_RULES, "sum"),
    widestContextOnly: truth("widestContextOnly", true),
    mergeSame: true,
    noAnswer: truth("noAnswer"),
    noAnswerThreshold,
    answerKinds: truth("answerKinds"),
    maskScores: truth("maskScores"),
    answerMetric: oneOf("answerMetric", ANSWER_METRICS, "cmrc"),
  };
}
