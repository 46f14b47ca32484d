/**
 * What each rule set does with a code point: drop it, split at it, let it stand alone, or fold it into a word.
 * Which code points fold comes from our own tables; what they fold to comes from the engine, whose answers for these are
 * frozen by Unicode's stability policy. Follows tokenization.py of google-research/bert and BertNormalizer of tokenizers.
 */
import { GOOGLE_DIFFERENCES, HUGGINGFACE_RANGES, type UnicodeProperty } from "./unicode-tables.ts";

/** The two published sets of tokenisation rules; they agree on ordinary text. */
export type TokenizationRules = "huggingface" | "google";

/** What a code point is to the tokeniser. */
export const CharacterKind = { word: 0, space: 1, dropped: 2, chinese: 3, punctuation: 4 } as const;
export type CharacterKind = (typeof CharacterKind)[keyof typeof CharacterKind];

/** The number of Unicode code points. */
export const CODE_POINTS = 0x110000;

/** One bit for each table, so that a byte holds all that is known of a code point. */
const BITS: Readonly<Record<UnicodeProperty, number>> = {
  dropped: 1,
  space: 2,
  chinese: 4,
  punctuation: 8,
  stripped: 16,
  lowered: 32,
  decomposed: 64,
  reordered: 128,
};

/** Which steps are taken when a code point is folded. */
export interface FoldOptions {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
}

/** The rules for single code points. */
export interface CharacterRules {
  kind(codePoint: number): CharacterKind;
  /** The code points that stand in the place of one; empty where it is an accent that is stripped. */
  fold(codePoint: number, options: FoldOptions): readonly number[];
  /** Whether a code point changes under `fold`. */
  isFolded(codePoint: number, options: FoldOptions): boolean;
  /** Whether a code point is a nonspacing mark, which accent stripping removes. */
  isStripped(codePoint: number): boolean;
  /** Whether a code point is a mark that stays and that canonical ordering can move. */
  isReordered(codePoint: number): boolean;
}

const cache = new Map<TokenizationRules, CharacterRules>();

/** The rules of a rule set; built once (1 ms) and shared. */
export function characterRules(rules: TokenizationRules): CharacterRules {
  const known = cache.get(rules);
  if (known !== undefined) return known;
  const built = buildRules(propertyBits(rules));
  cache.set(rules, built);
  return built;
}

function buildRules(bits: Uint8Array): CharacterRules {
  const has = (codePoint: number, flags: number) => ((bits[codePoint] ?? 0) & flags) !== 0;
  const kinds = Uint8Array.from({ length: 16 }, (_, low) => kindOf(low));
  const decompose = (codePoint: number): number[] =>
    has(codePoint, BITS.decomposed) ? codePointsOf(String.fromCodePoint(codePoint).normalize("NFD")) : [codePoint];
  const lower = (codePoint: number): number[] =>
    has(codePoint, BITS.lowered) ? codePointsOf(String.fromCodePoint(codePoint).toLowerCase()) : [codePoint];
  const isKept = (codePoint: number) => !has(codePoint, BITS.stripped);
  return {
    kind: (codePoint) => kinds[(bits[codePoint] ?? 0) & 15] as CharacterKind,
    isStripped: (codePoint) => has(codePoint, BITS.stripped),
    isReordered: (codePoint) => has(codePoint, BITS.reordered),
    isFolded: (codePoint, { lowercase, stripAccents }) =>
      has(codePoint, (lowercase ? BITS.lowered : 0) | (stripAccents ? BITS.stripped | BITS.decomposed : 0)),
    // The rule sets take the two steps in opposite orders, with one result: both are applied to fixed points.
    fold(codePoint, { lowercase, stripAccents }) {
      const parts = stripAccents ? decompose(codePoint).filter(isKept) : [codePoint];
      const lowered = lowercase ? parts.flatMap(lower) : parts;
      return stripAccents ? lowered.filter(isKept) : lowered;
    },
  };
}

/** Dropping is the first step of both rule sets, whatever else a character is; then come spaces and Chinese. */
function kindOf(bits: number): CharacterKind {
  if (bits & BITS.dropped) return CharacterKind.dropped;
  if (bits & BITS.space) return CharacterKind.space;
  if (bits & BITS.chinese) return CharacterKind.chinese;
  return bits & BITS.punctuation ? CharacterKind.punctuation : CharacterKind.word;
}

/** For each code point the bits of the tables that hold it. */
function propertyBits(rules: TokenizationRules): Uint8Array {
  const bits = new Uint8Array(CODE_POINTS);
  for (const property of Object.keys(BITS) as UnicodeProperty[]) {
    flipRanges(bits, BITS[property], HUGGINGFACE_RANGES[property]);
    if (rules === "google") flipRanges(bits, BITS[property], GOOGLE_DIFFERENCES[property]);
  }
  return bits;
}

/** Flips one bit of every code point in packed ranges. */
function flipRanges(bits: Uint8Array, flag: number, packed: string): void {
  let next = 0;
  for (const word of packed === "" ? [] : packed.split(" ")) {
    const [gap, more] = word.split(".");
    const low = next + Number.parseInt(gap as string, 36);
    const high = low + (more === undefined ? 0 : Number.parseInt(more, 36));
    for (let code = low; code <= high; code++) bits[code] = (bits[code] as number) ^ flag;
    next = high + 1;
  }
}

/** The code points of a string; an unpaired surrogate is one. */
export function codePointsOf(text: string): number[] {
  const codes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number;
    if (code > 0xffff) i++;
    codes.push(code);
  }
  return codes;
}
