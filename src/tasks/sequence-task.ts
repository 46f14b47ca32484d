/** What the tasks share that give scores to whole texts or pairs: their rows, their labels, how their results name texts. */
import { ArgumentError, ConfigError, DataError, nearest, verbatim } from "../errors.ts";
import { encodeRows } from "../inference/token-rows.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { ClassFigures } from "./metrics/classification-metrics.ts";
import type { EncodedExample, RowScores, TaskChoices, TaskRow, TaskSettings } from "./task.ts";

/** A text, or two that enter the model together. */
export interface TextOrPairExample {
  readonly id?: string;
  readonly text: string;
  readonly textPair?: string;
}

/** A label and its probability. */
export interface ScoredLabel {
  readonly label: string;
  /** In [0, 1]. */
  readonly score: number;
}

/** Tokens of the longest row where nothing is said. Source: run_classifier.py of google-research/bert. */
const DEFAULT_MAX_SEQ_LENGTH = 128;

/** The settings that every task has. */
export function commonSettings(
  task: string,
  { maxSeqLength = DEFAULT_MAX_SEQ_LENGTH, layerMix, longTexts }: TaskChoices,
): TaskSettings {
  return {
    task,
    maxSeqLength,
    ...(layerMix === undefined ? {} : { layerMix }),
    ...(longTexts === undefined ? {} : { longTexts }),
  };
}

/** An example as one row; what is too long is cut as Google's code does, or a single text laid into windows that overlap by a quarter. */
export function encodeTexts(
  { text, textPair }: TextOrPairExample,
  tokenizer: BertTokenizer,
  { maxSeqLength, longTexts }: TaskSettings,
  labels?: TaskRow["labels"],
): EncodedExample {
  const truncate = textPair !== undefined || longTexts !== "windows";
  const options = { maxLength: maxSeqLength, overlap: maxSeqLength >> 2, truncate };
  const { rows, isTruncated } = encodeRows(tokenizer, textPair === undefined ? text : [text, textPair], options);
  const given = labels === undefined ? {} : { labels };
  return { rows: rows.map((row) => ({ sequences: [row], ...given })), isTruncated };
}

/** The scores of an example: the means over its windows, where it has several. */
export function meanLogits(rows: readonly RowScores[]): Float32Array {
  const [first = new Float32Array(), ...others] = rows.map(({ logits }) => logits as Float32Array);
  if (others.length === 0) return first;
  return first.map((logit, i) => others.reduce((sum, row) => sum + (row[i] as number), logit) / rows.length);
}

/** How an example's texts are called: `text`, or of a pair `textA` and `textB`. */
export function namedTexts({ text, textPair }: TextOrPairExample): Readonly<Record<string, string>> {
  return textPair === undefined ? { text } : { textA: text, textB: textPair };
}

/** How a result begins: with the example's id, where it has one, and its texts. */
export function namedExample(example: TextOrPairExample): Readonly<Record<string, string>> {
  const { id } = example;
  return { ...(id === undefined ? {} : { id }), ...namedTexts(example) };
}

/** An example as a list of errors shows it. */
export function shownExample({ id, text, textPair }: TextOrPairExample): {
  readonly id?: string;
  readonly text: string;
} {
  const shown = textPair === undefined ? text : `${text} | ${textPair}`;
  return { ...(id === undefined ? {} : { id }), text: shown };
}

/** A text can be found by its beginning. */
const SHOWN_CHARACTERS = 24;

/** The ids of labels: their places in the list. */
export class LabelIds {
  readonly labels: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /** @throws {ConfigError} when there are fewer labels than `least`, or one twice. */
  constructor(labels: readonly string[], least: number) {
    this.labels = labels;
    this.#ids = new Map(labels.map((label, id) => [label, id]));
    if (labels.length >= least && this.#ids.size === labels.length) return;
    const expected = `${least} different labels or more`;
    const hint = "check which column holds the labels: --label-column";
    throw new ConfigError({ where: "labels", expected, got: labels, hint });
  }

  /** @throws {DataError} for an unknown label. */
  idOf(label: string, { id, text }: TextOrPairExample): number {
    const found = this.#ids.get(label);
    if (found !== undefined) return found;
    const near = nearest(label, this.labels);
    throw new DataError({
      where: id === undefined ? `label of ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}` : `example ${id}: label`,
      expected: `one of ${this.labels.join(", ")}`,
      got: label,
      hint: `the task does not know this label: correct it${near === undefined ? "" : ` (did you mean ${near}?)`}, train with examples of it, or leave out what has it`,
    });
  }
}

/**
 * What every evaluation begins with.
 * @throws {DataError} when there are no examples. @throws {ArgumentError} when there are not as many predictions.
 */
export function expectExamples(examples: readonly unknown[], predictions: readonly unknown[]): void {
  if (examples.length === 0) {
    throw new DataError({
      where: "evaluation data",
      expected: "examples to measure on",
      got: verbatim("none"),
      hint: "check which file or split is evaluated",
    });
  }
  if (predictions.length === examples.length) return;
  throw new ArgumentError({
    where: "evaluate",
    expected: `a prediction for each of ${examples.length} examples`,
    got: predictions.length,
  });
}

/**
 * What an example of evaluation data must have.
 * @param what - in words, for the message: `a label`.
 * @throws {DataError} where it is missing.
 */
export function expectGiven<T>(value: T | undefined, { id }: { readonly id?: string }, what: string): T {
  if (value !== undefined) return value;
  throw new DataError({
    where: id === undefined ? "evaluation data" : `evaluation data: example ${id}`,
    expected: `${what} with every example`,
    got: verbatim("none"),
    hint: "predict needs no labels; evaluate compares with them",
  });
}

/** The likeliest label first; equal ones in the order of the labels. */
export function byScore(labels: readonly string[], scores: ArrayLike<number>): ScoredLabel[] {
  const scored = labels.map((label, i) => ({ label, score: scores[i] as number }));
  return scored.sort((a, b) => b.score - a.score);
}

/** The table of the figures of each label. */
export function labelTable(labels: readonly string[], figures: readonly ClassFigures[]) {
  return {
    title: "By label",
    columns: ["label", "precision", "recall", "f1", "examples"],
    rows: labels.map((label, i) => {
      const { precision, recall, f1, support } = figures[i] as ClassFigures;
      return [label, precision, recall, f1, support];
    }),
  };
}
