/** The units that carry tags, characters or words of the data, as places in a text. */
import type { Span } from "../examples.ts";

/** A text and its units, in order and without overlap. */
export interface TextUnits {
  readonly text: string;
  readonly units: readonly Span[];
}

/** Data sets have millions of characters at the same few places: their spans are made once. */
const SINGLE: readonly Span[] = Array.from({ length: 512 }, (_, at) => [at, at + 1] as const);

function spanOf(start: number, length: number): Span {
  return (length === 1 ? SINGLE[start] : undefined) ?? [start, start + length];
}

/** Every character (code point) of a text. */
export function characterUnits(text: string): Span[] {
  const units: Span[] = [];
  for (let at = 0; at < text.length; ) {
    const length = (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
    units.push(spanOf(at, length));
    at += length;
  }
  return units;
}

const ENDS_IN_LETTER = /[\p{Script=Latin}\p{N}]$/u;
const BEGINS_WITH_LETTER = /^[\p{Script=Latin}\p{N}]/u;

/**
 * The text of units that stand by themselves in the data. Words of Latin letters and numbers are parted by a space;
 * single letters are not, as data sets that tag characters cut words into them.
 */
export function joinUnits(tokens: readonly string[]): TextUnits {
  const units: Span[] = [];
  const parts: string[] = [];
  let [at, before] = [0, ""];
  for (const token of tokens) {
    const areLatin = ENDS_IN_LETTER.test(before) && BEGINS_WITH_LETTER.test(token);
    if (areLatin && (before.length > 1 || token.length > 1)) {
      parts.push(" ");
      at += 1;
    }
    parts.push(token);
    units.push(spanOf(at, token.length));
    at += token.length;
    before = token;
  }
  return { text: parts.join(""), units };
}

/**
 * What plain text is cut into: characters; or characters with runs of Latin letters and of digits whole; or words
 * between spaces.
 */
export type UnitKind = "characters" | "runs" | "words";

/** The pattern of a unit of each kind but characters. */
const PATTERNS = {
  runs: /[\p{Script=Latin}\p{M}]+|\p{Nd}+(?:[.,]\p{Nd}+)*|\S/gu,
  words: /\S+/gu,
} as const;

/**
 * The units of plain text. White space is none, unless characters are asked for and it stands within the text: data
 * sets tag it too.
 */
export function unitsOfText(text: string, kind: UnitKind): Span[] {
  if (kind === "characters") return characterUnits(text);
  return Array.from(text.matchAll(PATTERNS[kind]), (match) => spanOf(match.index, match[0].length));
}

/**
 * Units of data tell how text is to be cut that comes without: by whether Latin words, and whether Chinese ones, are
 * one unit.
 */
export function unitKindOf(examples: Iterable<TextUnits>): UnitKind {
  let [runs, words, count] = [0, 0, 0];
  for (const { text, units } of examples) {
    for (const [start, end] of units) {
      count += 1;
      if (end - start < 2) continue;
      const unit = text.slice(start, end);
      if (/\p{Script=Han}\p{Script=Han}/u.test(unit)) words += 1;
      else if (/^[\p{Script=Latin}\p{Nd}]{2}/u.test(unit)) runs += 1;
    }
  }
  // A stray one among thousands of characters is a slip of the data.
  if (words > count * MIN_SHARE_OF_WORDS) return "words";
  return runs > 0 ? "runs" : "characters";
}

const MIN_SHARE_OF_WORDS = 0.01;
