/**
 * The SQuAD evaluation: exact match and F1 of words, without letter case, ASCII marks and English articles.
 * Source: evaluate-v1.1.py and evaluate-v2.0.py of SQuAD (Rajpurkar et al. 2016 and 2018).
 */
import type { AnswerScore } from "./cmrc-metrics.ts";
import { overlapF1 } from "./overlap-f1.ts";

/** string.punctuation of Python. */
const MARKS = /[!-/:-@[-`{-~]/g;
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** The words that are compared. */
function plainWords(text: string): string[] {
  const words = text.toLowerCase().replace(MARKS, "").replace(ARTICLES, " ").split(/\s+/);
  return words.filter((word) => word !== "");
}

/** How a model's answer compares with the references, the best of them; without any, an empty answer is right. */
export function scoreSquadAnswer(answer: string, references: readonly string[]): AnswerScore {
  const own = plainWords(answer);
  // The script compares with answers alone that are more than marks and articles.
  const wanted = references.map(plainWords).filter((words) => words.length > 0);
  const scores = (wanted.length === 0 ? [[]] : wanted).map((words) => ({
    exactMatch: words.join(" ") === own.join(" ") ? 1 : 0,
    f1: overlapF1(words, own),
  }));
  return {
    exactMatch: Math.max(...scores.map((score) => score.exactMatch)),
    f1: Math.max(...scores.map((score) => score.f1)),
  };
}
