/** From the scores of starts and ends to answers: the best spans over all windows of a passage. */
import type { Pieces } from "../../text/encoding.ts";
import { type PassageWindow, widestContext } from "./qa-windows.ts";

/** How the score of a span is made of those of its start and its end. */
export const SPAN_RULES = ["sum", "product"] as const;
/**
 * sum: start + end, as Google's and the baselines' code; probabilities are over the spans that are kept. product: of the
 * probabilities in a window, [CLS] included, and answers are widened to whole words, as the pipeline of Transformers 4.
 */
export type SpanRule = (typeof SPAN_RULES)[number];

/** Which spans are considered. */
export interface SpanOptions {
  readonly rule: SpanRule;
  /** Spans that are kept; also the starts, and the ends, that are tried in each window. */
  readonly nBest: number;
  /** Tokens of the longest answer. */
  readonly maxAnswerLength: number;
  /** UTF-16 units of the longest answer. */
  readonly maxAnswerCharacters?: number;
  /** Whether a span counts only in the window that sees its start in the widest context. */
  readonly widestContextOnly: boolean;
  /** Whether a span that several windows found is kept once, with its best score. */
  readonly mergeSame: boolean;
}

/** The scores of a window's row: float32 [tokens] each. */
export interface WindowScores {
  readonly start: Float32Array;
  readonly end: Float32Array;
}

/** A span of the passage. */
export interface ScoredSpan {
  /** UTF-16 offsets in the passage. */
  readonly start: number;
  readonly end: number;
  /** By the rule: a sum of logits, or a product of probabilities. */
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
  readonly window: number;
  /** The first and the last token in the window's row; [CLS] twice where there is no answer. */
  readonly positions: readonly [first: number, last: number];
}

/**
 * The best spans, the best first; none where the passage has no tokens.
 * @param scores - of each window.
 * Source: run_squad.py (write_predictions) of google-research/bert; QuestionAnsweringPipeline of Transformers 4.
 */
export function bestSpans(
  windows: readonly PassageWindow[],
  pieces: Pieces,
  scores: readonly WindowScores[],
  options: SpanOptions,
): ScoredSpan[] {
  const widest = options.widestContextOnly ? widestContext(windows, pieces.ids.length) : undefined;
  const spansAmong = (positions: TriedPositions) =>
    windows.flatMap((window, place) => {
      const found = spansOf(window, place, pieces, scores[place] as WindowScores, options, positions);
      return found.filter(({ first }) => widest === undefined || widest[first] === place);
    });
  const byRow = options.rule === "sum" ? spansAmong("row") : [];
  // A model that has learned nothing may score every word of the question higher than the passage.
  const spans = byRow.length > 0 ? byRow : spansAmong("passage");
  const ranked = spans.sort((a, b) => b.score - a.score);
  const kept = options.mergeSame ? withoutRepeats(ranked, options.nBest) : ranked.slice(0, options.nBest);
  return kept.map(({ first: _, ...span }) => span);
}

/** Where the best starts and ends are looked for: Google's rule takes them from the whole row, then drops what is no passage. */
type TriedPositions = "row" | "passage";

interface Candidate extends ScoredSpan {
  /** The piece that it starts with. */
  readonly first: number;
}

function spansOf(
  { from, to, offset }: PassageWindow,
  window: number,
  pieces: Pieces,
  { start, end }: WindowScores,
  { rule, nBest, maxAnswerLength, maxAnswerCharacters = Number.POSITIVE_INFINITY }: SpanOptions,
  positions: TriedPositions,
): Candidate[] {
  const found: Candidate[] = [];
  const [startScores, endScores] =
    rule === "sum" ? [start, end] : [start, end].map((s) => shares(s, offset, to - from));
  if (startScores === undefined || endScores === undefined) return found;
  const pair = (a: number, b: number) => (rule === "sum" ? a + b : a * b);
  const after = offset + to - from;
  const [low, high] = positions === "row" ? [0, start.length] : [offset, after];
  const ends = largest(endScores, low, high, nBest).filter((e) => e < after);
  for (const s of largest(startScores, low, high, nBest)) {
    if (s < offset) continue;
    for (const e of ends) {
      if (e < s || e >= s + maxAnswerLength) continue;
      const first = s - offset + from;
      const place = placeOf(pieces, first, e - offset + from, rule === "product");
      if (place.end - place.start > maxAnswerCharacters) continue;
      const score = pair(startScores[s] as number, endScores[e] as number);
      const [startLogit, endLogit] = [start[s] as number, end[e] as number];
      found.push({ ...place, score, startLogit, endLogit, window, positions: [s, e], first });
    }
  }
  return found;
}

/** The characters of a run of pieces; with whole words, from the beginning of the first one's word to the end of the last one's. */
function placeOf({ starts, ends, words }: Pieces, first: number, last: number, wholeWords: boolean) {
  let [from, to] = [first, last];
  if (wholeWords) {
    while (from > 0 && words[from - 1] === words[from]) from -= 1;
    while (to + 1 < words.length && words[to + 1] === words[to]) to += 1;
  }
  return { start: starts[from] as number, end: ends[to] as number };
}

/** The positions of the largest scores in a range, the largest first; the earlier of equal ones. */
function largest(scores: ArrayLike<number>, from: number, to: number, count: number): number[] {
  const kept: number[] = [];
  for (let i = from; i < to; i++) {
    const score = scores[i] as number;
    if (kept.length === count && score <= (scores[kept[count - 1] as number] as number)) continue;
    let at = kept.length;
    while (at > 0 && (scores[kept[at - 1] as number] as number) < score) at -= 1;
    kept.splice(at, 0, i);
    if (kept.length > count) kept.pop();
  }
  return kept;
}

/** Probabilities of the passage's positions next to [CLS], whose own is left out. */
function shares(logits: Float32Array, offset: number, length: number): Float64Array {
  const probabilities = new Float64Array(logits.length);
  const passage = logits.subarray(offset, offset + length);
  const top = passage.reduce((most, logit) => Math.max(most, logit), logits[0] as number);
  let sum = Math.exp((logits[0] as number) - top);
  passage.forEach((logit, i) => {
    const power = Math.exp(logit - top);
    probabilities[offset + i] = power;
    sum += power;
  });
  return probabilities.map((power) => power / sum);
}

function withoutRepeats(ranked: readonly Candidate[], count: number): Candidate[] {
  const seen = new Set<string>();
  const kept: Candidate[] = [];
  for (const span of ranked) {
    if (kept.length === count) break;
    const key = `${span.start},${span.end}`;
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push(span);
  }
  return kept;
}
