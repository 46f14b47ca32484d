/** From the scores of units to tags, how sure they are, and the entities or words that they make. */
import { type EncodedText, Role } from "../../inference/token-rows.ts";
import type { Span } from "../examples.ts";
import { unpackCrf } from "./crf.ts";
import { placeOf } from "./ner-evaluation.ts";
import type { LabelScheme } from "./ner-settings.ts";
import { spansOf, type TagSpan, tagsOf } from "./tag-schemes.ts";
import { addTransitions, bestPath, labelMarginals, logProbabilities, type Transitions } from "./viterbi.ts";

/** An entity, a word or a tagged unit in a text. */
export interface FoundEntity {
  /** The type (`LOC`), the tag of a part of speech, or `word`. */
  readonly entity: string;
  /** As it stands in the text. */
  readonly text: string;
  /** UTF-16 offsets in the text, the end after the last unit. */
  readonly start: number;
  readonly end: number;
  /** In [0, 1]: the mean of what the model gave to the tags of its units. */
  readonly score: number;
}

/** The tags of a text. */
export interface Tagging {
  readonly units: readonly Span[];
  /** One for each unit. */
  readonly tags: readonly string[];
  /** In [0, 1]; of each unit's tag, 0 for units that the tokenizer drops. */
  readonly scores: readonly number[];
  readonly entities: readonly FoundEntity[];
}

/** The scores of the units that have a piece. */
export interface UnitScores {
  /** Which unit, ascending. */
  readonly units: readonly number[];
  /** [units, labels], flat. */
  readonly logits: readonly number[];
}

/** By what paths are chosen. */
export interface TagRules {
  readonly labels: readonly string[];
  readonly scheme: LabelScheme;
  /** Which label may follow which; everything when left out. */
  readonly legal?: Transitions;
  /** The parameters of a CRF, as `packCrf` joins them. */
  readonly crf?: Float32Array;
}

/** The tags of a text's units and what they make. */
export function decodeTags(text: string, units: readonly Span[], found: UnitScores, rules: TagRules): Tagging {
  const { path, sureness } = pathOf(found.logits, rules);
  const names = path.map((label) => rules.labels[label] as string);
  const tags = found.units.length === units.length ? names : fillTags(units.length, found.units, names, rules);
  const scores = new Array<number>(units.length).fill(0);
  found.units.forEach((unit, i) => {
    scores[unit] = sureness[i] as number;
  });
  const known = new Set(found.units);
  const entities = spansOf(tags, rules.scheme).flatMap((span): FoundEntity[] => {
    const own = indices(span).filter((unit) => known.has(unit));
    if (own.length === 0) return [];
    const [start, end] = placeOf(span, units);
    const score = own.reduce((sum, unit) => sum + (scores[unit] as number), 0) / own.length;
    const entity = rules.scheme === "words" ? "word" : span.type;
    return [{ entity, text: text.slice(start, end), start, end, score }];
  });
  return { units, tags, scores, entities };
}

function indices({ start, end }: TagSpan): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** The chosen labels, and how likely each is: over all labels of the unit, with a CRF over all paths. */
function pathOf(logits: readonly number[], { labels, legal, crf }: TagRules) {
  const scores = logProbabilities(logits, labels.length);
  const learned = crf && unpackCrf(crf, labels.length);
  const transitions = learned && legal ? addTransitions(learned, legal) : (learned ?? legal);
  const path = transitions === undefined ? largest(scores, labels.length) : bestPath(scores, transitions);
  const shares = learned && transitions ? labelMarginals(scores, transitions) : scores.map(Math.exp);
  return { path, sureness: path.map((label, i) => shares[i * labels.length + label] as number) };
}

function largest(scores: Float64Array, labels: number): number[] {
  return Array.from({ length: scores.length / labels }, (_, i) => {
    const row = scores.subarray(i * labels, (i + 1) * labels);
    return row.indexOf(Math.max(...row));
  });
}

/** What a unit without pieces (white space, characters that the tokenizer drops) is tagged when it is within nothing. */
function outsideTag({ labels, scheme }: TagRules): string {
  if (scheme === "plain") return labels[0] as string;
  return scheme === "words" ? "S" : "O";
}

/** The tags of all units; those without pieces belong to the entity or word around them, or to nothing. */
function fillTags(count: number, units: readonly number[], names: readonly string[], rules: TagRules): string[] {
  const { scheme } = rules;
  const tags = new Array<string>(count).fill(outsideTag(rules));
  if (scheme !== "plain") {
    for (const { type, start, end } of spansOf(names, scheme)) {
      const [first, last] = [units[start] as number, units[end - 1] as number];
      const within = tagsOf([{ type, start: 0, end: last + 1 - first }], last + 1 - first, scheme);
      within.forEach((tag, i) => {
        tags[first + i] = tag;
      });
    }
  }
  units.forEach((unit, i) => {
    tags[unit] = names[i] as string;
  });
  return tags;
}

/** The units that a row decides: those whose first piece is there, and not deeper inside of another window. */
export function* decidedIn(
  { rows, pieces }: EncodedText,
  at: number,
): Generator<readonly [unit: number, token: number]> {
  const row = rows[at];
  if (row === undefined) return;
  for (let token = 1; token < row.ids.length - 1; token++) {
    const piece = row.firstPiece + token - 1;
    const unit = pieces.words[piece] as number;
    if (row.roles[token] === Role.Text && (piece === 0 || pieces.words[piece - 1] !== unit)) yield [unit, token];
  }
}
