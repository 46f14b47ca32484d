/**
 * What becomes of each code point before the vocabulary is asked: the part of a piece table that tokenisers with the same
 * rules share. Made once for each set of rules (20 ms), then looked up.
 */
import {
  CharacterKind,
  type CharacterRules,
  characterRules,
  type FoldOptions,
  type TokenizationRules,
} from "./characters.ts";

/** Actions; a number >= 0 is the id of a token that stands alone, one <= FIRST_SYMBOL a character of a word. */
export const Action = {
  space: -1,
  dropped: -2,
  /** An added token may begin here. */
  head: -3,
  /** A capital sigma whose lower case depends on its place. */
  sigma: -4,
  /** A mark that canonical ordering may move. */
  reordered: -5,
  /** Folds to several characters. */
  sequence: -6,
} as const;

/** Code points below this are looked up directly; above are private use, tags and variation selectors. */
export const TABLE_SIZE = 0x30000;

/** What becomes of “ ” ‘ ’, which the published Chinese vocabularies lack: kept as they are, or read as " and '. */
export const CURLY_QUOTES = ["keep", "map"] as const;
/** What becomes of “ ” ‘ ’. */
export type CurlyQuotes = (typeof CURLY_QUOTES)[number];

/** Each curly quote with the straight one that it is read as under `map`. */
export const STRAIGHT_QUOTES: ReadonlyMap<string, string> = new Map([
  ["“", '"'],
  ["”", '"'],
  ["‘", "'"],
  ["’", "'"],
]);
const STRAIGHT_CODES = new Map(
  [...STRAIGHT_QUOTES].map(([curly, straight]) => [curly.charCodeAt(0), straight.charCodeAt(0)]),
);

const CAPITAL_SIGMA = 0x3a3;
/** Hangul syllables, which decompose into two or three letters each. */
const FIRST_HANGUL = 0xac00;
const LAST_HANGUL = 0xd7a3;

/** What distinguishes one plan from another. */
export interface FoldPlanOptions extends FoldOptions {
  readonly rules: TokenizationRules;
  /** Whether each Chinese character is a word of its own. */
  readonly splitChinese: boolean;
  readonly curlyQuotes: CurlyQuotes;
}

/** A plan for every code point: an Action, or twice the folded code point, plus 1 where it stands alone. */
export class FoldPlan {
  /** int32 [TABLE_SIZE]. */
  readonly table: Int32Array;
  readonly #options: FoldPlanOptions;
  readonly #characters: CharacterRules;

  constructor(options: FoldPlanOptions) {
    this.#options = options;
    this.#characters = characterRules(options.rules);
    this.table = new Int32Array(TABLE_SIZE);
    for (let code = 0; code < TABLE_SIZE; code++) this.table[code] = this.#compute(code);
  }

  /** The plan of any code point. */
  at(codePoint: number): number {
    return codePoint < TABLE_SIZE ? (this.table[codePoint] as number) : this.#compute(codePoint);
  }

  /** The plan of a code point whose place no longer matters. */
  settled(codePoint: number): number {
    const characters = this.#characters;
    const kind = characters.kind(codePoint);
    if (kind === CharacterKind.space) return Action.space;
    if (kind === CharacterKind.dropped) return Action.dropped;
    const isChinese = kind === CharacterKind.chinese && this.#options.splitChinese;
    if (!characters.isFolded(codePoint, this.#options)) return this.#folded(codePoint, isChinese);
    if (codePoint >= FIRST_HANGUL && codePoint <= LAST_HANGUL) return Action.sequence;
    const parts = characters.fold(codePoint, this.#options);
    if (parts.length === 0) return Action.dropped;
    return parts.length === 1 ? this.#folded(parts[0] as number, isChinese) : Action.sequence;
  }

  /** The plans of the characters that a code point with `Action.sequence` folds to. */
  sequence(codePoint: number): readonly number[] {
    return this.#characters.fold(codePoint, this.#options).map((part) => this.#folded(part, false));
  }

  /** Whether a code point can be a part of a word. */
  isWordCharacter(codePoint: number): boolean {
    const kind = this.#characters.kind(codePoint);
    return kind === CharacterKind.word || (kind === CharacterKind.chinese && !this.#options.splitChinese);
  }

  #compute(codePoint: number): number {
    const { rules, lowercase, stripAccents, curlyQuotes } = this.#options;
    const straight = curlyQuotes === "map" ? STRAIGHT_CODES.get(codePoint) : undefined;
    if (straight !== undefined) return this.settled(straight);
    // Google's rules lower whole words, which makes a final sigma; Hugging Face's lower single characters.
    if (codePoint === CAPITAL_SIGMA && lowercase && rules === "google") return Action.sigma;
    if (stripAccents && this.#characters.isReordered(codePoint)) return Action.reordered;
    return this.settled(codePoint);
  }

  #folded(codePoint: number, isChinese: boolean): number {
    const isAlone = isChinese || this.#characters.kind(codePoint) === CharacterKind.punctuation;
    return codePoint * 2 + Number(isAlone);
  }
}

const cache = new Map<string, FoldPlan>();

/** The plan of a set of options; made once and shared. */
export function foldPlan(options: FoldPlanOptions): FoldPlan {
  const key = [
    options.rules,
    options.lowercase,
    options.stripAccents,
    options.splitChinese,
    options.curlyQuotes,
  ].join();
  let plan = cache.get(key);
  if (plan === undefined) {
    plan = new FoldPlan(options);
    cache.set(key, plan);
  }
  return plan;
}
