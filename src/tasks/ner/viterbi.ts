/**
 * Paths of labels through the scores of a sequence: the best one, and how likely each label is over all of them. With
 * the transitions of a tag scheme no illegal sequence comes out; with those of a CRF it is that model's decoding. In
 * double precision.
 */
import { mayFollow, type TagScheme } from "./tag-schemes.ts";

/** What is added to a path for each step from label to label, for its first and its last label. */
export interface Transitions {
  /** [labels]. */
  readonly start: Float64Array;
  /** [labels]. */
  readonly end: Float64Array;
  /** [from, to], flat. */
  readonly between: Float64Array;
}

/** Outweighs any scores, and still leaves a best path where the labels of a model allow no legal one. */
const ILLEGAL = -1e6;

/** 0 for what may follow one another in a scheme, and far below any score for what may not. */
export function legalTransitions(labels: readonly string[], scheme: TagScheme): Transitions {
  const cost = (before: string | undefined, after: string | undefined) =>
    mayFollow(scheme, before, after) ? 0 : ILLEGAL;
  return {
    start: Float64Array.from(labels, (label) => cost(undefined, label)),
    end: Float64Array.from(labels, (label) => cost(label, undefined)),
    between: Float64Array.from(labels.flatMap((before) => labels.map((after) => cost(before, after)))),
  };
}

/** Two kinds of transitions over the same labels at once. */
export function addTransitions(a: Transitions, b: Transitions): Transitions {
  const sum = (x: Float64Array, y: Float64Array) => x.map((value, i) => value + (y[i] as number));
  return { start: sum(a.start, b.start), end: sum(a.end, b.end), between: sum(a.between, b.between) };
}

/**
 * The labels of the path with the highest sum of scores and transitions; of equal ones the one with the lower labels at
 * its end.
 * @param scores - [length, labels], flat: log probabilities, or a CRF's emissions.
 * Source: Viterbi 1967.
 */
export function bestPath(scores: ArrayLike<number>, { start, end, between }: Transitions): number[] {
  const labels = start.length;
  const length = scores.length / labels;
  if (length === 0) return [];
  const cameFrom = new Int32Array(scores.length);
  let best = start.map((value, label) => value + (scores[label] as number));
  for (let t = 1; t < length; t++) {
    const next = new Float64Array(labels).fill(-Infinity);
    for (let to = 0; to < labels; to++) {
      for (let from = 0; from < labels; from++) {
        const value = (best[from] as number) + (between[from * labels + to] as number);
        if (value <= (next[to] as number)) continue;
        next[to] = value;
        cameFrom[t * labels + to] = from;
      }
      next[to] = (next[to] as number) + (scores[t * labels + to] as number);
    }
    best = next;
  }
  const totals = best.map((value, label) => value + (end[label] as number));
  const path = new Array<number>(length);
  path[length - 1] = totals.indexOf(Math.max(...totals));
  for (let t = length - 1; t > 0; t--) path[t - 1] = cameFrom[t * labels + (path[t] as number)] as number;
  return path;
}

/**
 * How likely each label is at each place, over all paths by their scores: float64 [length, labels], flat; each row sums
 * to 1.
 * @param scores - [length, labels], flat.
 * Source: the forward-backward algorithm (Lafferty et al. 2001, section 3).
 */
export function labelMarginals(scores: ArrayLike<number>, transitions: Transitions): Float64Array {
  const { start, end, between } = transitions;
  const labels = start.length;
  const length = scores.length / labels;
  const forward = new Float64Array(scores.length);
  const backward = new Float64Array(scores.length);
  const terms = new Float64Array(labels);
  for (let t = 0; t < length; t++) {
    for (let to = 0; to < labels; to++) {
      for (let from = 0; t > 0 && from < labels; from++) {
        terms[from] = (forward[(t - 1) * labels + from] as number) + (between[from * labels + to] as number);
      }
      forward[t * labels + to] =
        (t === 0 ? (start[to] as number) : logSum(terms)) + (scores[t * labels + to] as number);
    }
  }
  for (let t = length - 1; t >= 0; t--) {
    for (let from = 0; from < labels; from++) {
      for (let to = 0; t + 1 < length && to < labels; to++) {
        const at = (t + 1) * labels + to;
        terms[to] = (between[from * labels + to] as number) + (scores[at] as number) + (backward[at] as number);
      }
      backward[t * labels + from] = t === length - 1 ? (end[from] as number) : logSum(terms);
    }
  }
  return forward.map((value, i) => {
    const row = i - (i % labels);
    if (i === row)
      for (let k = 0; k < labels; k++) terms[k] = (forward[row + k] as number) + (backward[row + k] as number);
    return Math.exp(value + (backward[i] as number) - logSum(terms));
  });
}

function logSum(terms: Float64Array): number {
  let largest = -Infinity;
  for (const term of terms) if (term > largest) largest = term;
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  return largest + Math.log(sum);
}

/**
 * Log probabilities of scores, row by row.
 * @param scores - [length, labels], flat.
 * @returns float64 [length, labels], flat; at most 0.
 */
export function logProbabilities(scores: ArrayLike<number>, labels: number): Float64Array {
  const result = Float64Array.from(scores);
  for (let row = 0; row < result.length; row += labels) {
    const total = logSum(result.subarray(row, row + labels));
    for (let i = row; i < row + labels; i++) result[i] = (result[i] as number) - total;
  }
  return result;
}
