/**
 * The CMRC 2018 evaluation: exact match, and F1 by the longest common run of segments, each the best over the references.
 * Source: baseline/cmrc2018_evaluate.py of ymcui/cmrc2018 (Cui et al. 2019); equal to it on every question.
 */
import { strip } from "../../util/python-space.ts";
import { englishWords } from "./english-words.ts";

/** What counts as a mark: left out before comparing. A single `…` and the marks of ASCII that are not here stay. */
const MARKS = new Set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』");

/** How an answer compares with its references. */
export interface AnswerScore {
  /** 1 where it is a reference but for marks and letter case; CJRC's may be between 0 and 1. */
  readonly exactMatch: number;
  /** In [0, 1]. */
  readonly f1: number;
}

/**
 * The segments of a text: each Chinese character by itself (U+4E00 to U+9FA5), what stands between them as English words.
 * @param options.keepMarks - marks are segments and end English words; else they vanish, and `e-mail` becomes `email`.
 */
export function mixedSegments(text: string, { keepMarks = false }: { readonly keepMarks?: boolean } = {}): string[] {
  const segments: string[] = [];
  let between = "";
  const close = () => {
    if (between !== "") segments.push(...englishWords(between));
    between = "";
  };
  for (const character of strip(text.toLowerCase())) {
    const isMark = MARKS.has(character);
    if (isMark && !keepMarks) continue;
    if (isMark || (character >= "\u4e00" && character <= "\u9fa5")) {
      close();
      segments.push(character);
    } else {
      between += character;
    }
  }
  close();
  return segments;
}

/** The text in lower case without marks; white space within stays. */
export function withoutMarks(text: string): string {
  let kept = "";
  for (const character of strip(text.toLowerCase())) if (!MARKS.has(character)) kept += character;
  return kept;
}

/**
 * The score of one answer.
 * @param references - what annotators gave; without any, an empty answer is right and every other one wrong.
 */
export function scoreCmrcAnswer(answer: string, references: readonly string[]): AnswerScore {
  if (references.length === 0) {
    const right = strip(answer) === "" ? 1 : 0;
    return { exactMatch: right, f1: right };
  }
  const segments = mixedSegments(answer);
  const plain = withoutMarks(answer);
  let exactMatch = 0;
  let f1 = 0;
  for (const reference of new Set(references)) {
    f1 = Math.max(f1, commonRunF1(mixedSegments(reference), segments));
    if (withoutMarks(reference) === plain) exactMatch = 1;
  }
  return { exactMatch, f1 };
}

/** F1 of the longest run of segments that both have, as shares of each. */
function commonRunF1(reference: readonly string[], answer: readonly string[]): number {
  const common = longestCommonRun(reference, answer);
  if (common === 0) return 0;
  // The order of operations is the script's, so that floats agree to the last bit.
  const precision = common / answer.length;
  const recall = common / reference.length;
  return (2 * precision * recall) / (precision + recall);
}

/** The length of the longest run that both lists hold (the script calls this its longest common string). */
function longestCommonRun(a: readonly string[], b: readonly string[]): number {
  // runs[j]: the run that ends at a[i] and b[j - 1]; from the right, so that one row is enough.
  const runs = new Int32Array(b.length + 1);
  let longest = 0;
  for (const segment of a) {
    for (let j = b.length; j > 0; j--) {
      const run = segment === b[j - 1] ? (runs[j - 1] as number) + 1 : 0;
      runs[j] = run;
      if (run > longest) longest = run;
    }
  }
  return longest;
}

/** A question and what annotators answered. */
export interface ReferenceAnswers {
  readonly id: string;
  readonly answers: readonly string[];
}

/** The numbers over a whole data set. */
export interface CmrcScores {
  /** Mean over all questions, in [0, 1]. */
  readonly f1: number;
  readonly exactMatch: number;
  /** The mean of the two. */
  readonly average: number;
  readonly total: number;
  /** Questions without an answer given: they count as wrong. */
  readonly skipped: number;
  /** By question, those without an answer left out. */
  readonly questions: ReadonlyMap<string, AnswerScore>;
}

/**
 * The scores of answers by question.
 * @param predictions - the answer of each question's id; "" is an answer, an absent id is none.
 */
export function scoreCmrc(
  references: Iterable<ReferenceAnswers>,
  predictions: ReadonlyMap<string, string>,
): CmrcScores {
  const questions = new Map<string, AnswerScore>();
  let [f1, exactMatch, total, skipped] = [0, 0, 0, 0];
  for (const { id, answers } of references) {
    total += 1;
    const answer = predictions.get(id);
    if (answer === undefined) {
      skipped += 1;
      continue;
    }
    const score = scoreCmrcAnswer(answer, answers);
    questions.set(id, score);
    f1 += score.f1;
    exactMatch += score.exactMatch;
  }
  const count = Math.max(1, total);
  const shares = { f1: f1 / count, exactMatch: exactMatch / count };
  return { ...shares, average: (shares.f1 + shares.exactMatch) / 2, total, skipped, questions };
}

/** The line that the official script prints: per cent with three decimals, as JSON. */
export function officialCmrcLine(scores: CmrcScores, predictionFile: string): string {
  const shown = (share: number) => JSON.stringify((100 * share).toFixed(3));
  const { average, f1, exactMatch, total, skipped } = scores;
  const numbers = `"AVERAGE": ${shown(average)}, "F1": ${shown(f1)}, "EM": ${shown(exactMatch)}`;
  return `{${numbers}, "TOTAL": ${total}, "SKIP": ${skipped}, "FILE": ${JSON.stringify(predictionFile)}}`;
}
