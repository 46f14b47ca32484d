/**
 * How well entities and words were found: precision, recall and F1 over whole spans, by type and over all, as seqeval counts
 * them; the share of right tags; word segmentation as SIGHAN's bake-offs score it; and what went wrong.
 */
import { ArgumentError } from "../../errors.ts";
import type { TagSpan } from "../ner/tag-schemes.ts";

/** Shares in [0, 1]; 0 where nothing was predicted, or nothing was to be found. */
export interface SpanScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** How many there are in truth. */
  readonly support: number;
}

/** The scores of all spans. */
export interface EntityReport {
  /** By type, in the order of their names. */
  readonly types: ReadonlyMap<string, SpanScores>;
  /** Over all spans, whatever their type; what papers report. */
  readonly micro: SpanScores;
  /** The mean over types; 0 without any. */
  readonly macro: SpanScores;
  /** The mean over types, each by its support. */
  readonly weighted: SpanScores;
}

interface Counts {
  right: number;
  predicted: number;
  true: number;
}

const keyOf = ({ type, start, end }: TagSpan) => `${start} ${end} ${type}`;

/**
 * Scores of predicted spans: one is right when type, start and end are. Equal ones of a sentence count once.
 * @param expected - the true spans of each sentence.
 * @param predicted - of the same sentences.
 * @throws {ArgumentError} when there are not as many sentences.
 * Source: seqeval 1.2.2 (precision_recall_fscore_support), zero_division 0.
 */
export function scoreSpans(
  expected: readonly (readonly TagSpan[])[],
  predicted: readonly (readonly TagSpan[])[],
): EntityReport {
  expectSameLength("entity metrics", "sentences", expected.length, predicted.length);
  const byType = new Map<string, Counts>();
  const countsOf = (type: string) => {
    const counts = byType.get(type) ?? { right: 0, predicted: 0, true: 0 };
    byType.set(type, counts);
    return counts;
  };
  expected.forEach((spans, sentence) => {
    const truth = new Map(spans.map((span) => [keyOf(span), span]));
    const found = new Map((predicted[sentence] ?? []).map((span) => [keyOf(span), span]));
    for (const { type } of truth.values()) countsOf(type).true += 1;
    for (const [key, { type }] of found) {
      countsOf(type).predicted += 1;
      if (truth.has(key)) countsOf(type).right += 1;
    }
  });
  const types = [...byType]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, counts]) => [type, scores(counts)] as const);
  const sum = (name: keyof Counts) => [...byType.values()].reduce((total, counts) => total + counts[name], 0);
  const micro = scores({ right: sum("right"), predicted: sum("predicted"), true: sum("true") });
  const each = types.map(([, score]) => score);
  return {
    types: new Map(types),
    micro,
    macro: average(
      each,
      each.map(() => 1),
    ),
    weighted: average(
      each,
      each.map(({ support }) => support),
    ),
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function scores({ right, predicted, true: support }: Counts): SpanScores {
  const [precision, recall] = [share(right, predicted), share(right, support)];
  return { precision, recall, f1: share(2 * precision * recall, precision + recall), support };
}

function average(each: readonly SpanScores[], weights: readonly number[]): SpanScores {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (name: keyof SpanScores) =>
    share(
      each.reduce((sum, score, i) => sum + score[name] * (weights[i] as number), 0),
      total,
    );
  const support = each.reduce((sum, score) => sum + score.support, 0);
  return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1"), support };
}

function expectSameLength(where: string, what: string, expected: number, got: number): void {
  if (expected === got) return;
  throw new ArgumentError({ where, expected: `as many predicted ${what} as true ones, ${expected}`, got });
}

/**
 * The share of tags that are right; 0 when there are none.
 * @throws {ArgumentError} when a sentence has not as many predicted tags as true ones.
 */
export function tagAccuracy(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
): number {
  expectSameLength("tag accuracy", "sentences", expected.length, predicted.length);
  let [right, count] = [0, 0];
  expected.forEach((tags, sentence) => {
    const found = predicted[sentence] ?? [];
    expectSameLength(`tag accuracy: sentence ${sentence + 1}`, "tags", tags.length, found.length);
    right += tags.filter((tag, i) => tag === found[i]).length;
    count += tags.length;
  });
  return share(right, count);
}

/** Scores of word segmentation. */
export interface SegmentationScores extends SpanScores {
  /** Recall of words that training did not hold; only where its words are given. */
  readonly unknownRecall?: number;
  /** The share of such words. */
  readonly unknownShare?: number;
}

/**
 * Precision, recall and F1 of words by their places.
 * @param texts - the characters (units) of each sentence.
 * @param known - the words of training, for the recall of those that it did not hold.
 * @throws {ArgumentError} when there are not as many sentences.
 * Source: the script `score` of the second SIGHAN bake-off (Emerson 2005).
 */
export function scoreSegmentation(
  expected: readonly (readonly TagSpan[])[],
  predicted: readonly (readonly TagSpan[])[],
  texts: readonly (readonly string[])[],
  known?: ReadonlySet<string>,
): SegmentationScores {
  const { micro } = scoreSpans(expected, predicted);
  if (known === undefined) return micro;
  let [unknown, found] = [0, 0];
  expected.forEach((words, sentence) => {
    const places = new Set((predicted[sentence] ?? []).map(({ start, end }) => `${start} ${end}`));
    for (const { start, end } of words) {
      if (known.has((texts[sentence] ?? []).slice(start, end).join(""))) continue;
      unknown += 1;
      if (places.has(`${start} ${end}`)) found += 1;
    }
  });
  return { ...micro, unknownRecall: share(found, unknown), unknownShare: share(unknown, micro.support) };
}

/** What is wrong about a span: not found, not there, or there with another type or other ends. */
export type SpanErrorKind = "missed" | "spurious" | "type" | "boundary";

/** One thing that a prediction got wrong. */
export interface SpanError {
  readonly kind: SpanErrorKind;
  readonly expected?: TagSpan;
  readonly predicted?: TagSpan;
}

/** What a sentence's predicted spans got wrong, in the order of the text. */
export function spanErrors(expected: readonly TagSpan[], predicted: readonly TagSpan[]): SpanError[] {
  const [truth, found] = [new Set(expected.map(keyOf)), new Set(predicted.map(keyOf))];
  const left = predicted.filter((span) => !truth.has(keyOf(span)));
  const errors: SpanError[] = [];
  for (const span of expected.filter((one) => !found.has(keyOf(one)))) {
    const overlaps = left.filter(({ start, end }) => start < span.end && span.start < end);
    const partner = overlaps.find((one) => one.start === span.start && one.end === span.end) ?? overlaps[0];
    if (partner === undefined) {
      errors.push({ kind: "missed", expected: span });
      continue;
    }
    left.splice(left.indexOf(partner), 1);
    const isType = partner.start === span.start && partner.end === span.end;
    errors.push({ kind: isType ? "type" : "boundary", expected: span, predicted: partner });
  }
  for (const span of left) errors.push({ kind: "spurious", predicted: span });
  const place = ({ expected: one, predicted: other }: SpanError) => (one ?? other)?.start ?? 0;
  return errors.sort((a, b) => place(a) - place(b));
}
