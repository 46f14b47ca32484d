/**
 * The CJRC evaluation: exact match and F1 of characters; with several references the mean over leaving out each of them once,
 * as people are measured who gave one of them.
 * Source: evaluate.py of CAIL2019's reading comprehension (Duan et al. 2019), after CoQA's.
 */
import type { AnswerScore } from "./cmrc-metrics.ts";
import { overlapF1 } from "./overlap-f1.ts";

/** The letters and digits of a text in lower case; all else is left out, `Ⅲ` too, which Python counts as neither. */
function plainCharacters(text: string): string[] {
  return text.toLowerCase().match(LETTER_OR_DIGIT) ?? [];
}

/** str.isalpha() or str.isdigit(): letters, decimal digits, and those that are raised, lowered or in circles. */
const LETTER_OR_DIGIT =
  /[\p{L}\p{Nd}²³¹\u1369-\u1371\u19da⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]/gu;

/** How a model's answer compares with the references; without any, an empty answer is right. */
export function scoreCjrcAnswer(answer: string, references: readonly string[]): AnswerScore {
  const given = references.length === 0 ? [""] : references;
  const own = plainCharacters(answer);
  const scores = given.map((reference) => scoreOf(plainCharacters(reference), own));
  if (scores.length === 1) return scores[0] as AnswerScore;
  let [exactMatch, f1] = [0, 0];
  for (const left of scores) {
    const others = scores.filter((score) => score !== left);
    exactMatch += Math.max(...others.map((score) => score.exactMatch));
    f1 += Math.max(...others.map((score) => score.f1));
  }
  return { exactMatch: exactMatch / scores.length, f1: f1 / scores.length };
}

function scoreOf(reference: readonly string[], answer: readonly string[]): AnswerScore {
  return { exactMatch: reference.join("") === answer.join("") ? 1 : 0, f1: overlapF1(reference, answer) };
}
