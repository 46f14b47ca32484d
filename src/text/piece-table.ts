/**
 * What the tokeniser does at each code point, as one number: a table for direct look-up, made once for a vocabulary and
 * a set of rules. Chinese characters and punctuation map straight to their ids, the others to symbols of the piece trie.
 */
import type { AddedTokenMatcher } from "./added-tokens.ts";
import { CharacterKind, type CharacterRules, codePointsOf, type FoldOptions } from "./characters.ts";
import { buildPieceTrie, type PieceTrie, type TriePiece } from "./piece-trie.ts";
import { CONTINUATION_PREFIX, type Vocabulary } from "./vocabulary.ts";

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
  /** Folds to several characters; see `sequence`. */
  sequence: -6,
} as const;

/** The action of symbol 0, which no piece holds; symbol k is `FIRST_SYMBOL - k`. */
export const FIRST_SYMBOL = -16;

/** Code points below this are looked up directly; above are private use, tags and variation selectors. */
export const TABLE_SIZE = 0x30000;

const CAPITAL_SIGMA = 0x3a3;
/** Hangul syllables, which decompose into two or three letters each. */
const FIRST_HANGUL = 0xac00;
const LAST_HANGUL = 0xd7a3;

/** What distinguishes one table from another. */
export interface PieceTableOptions extends FoldOptions {
  readonly rules: CharacterRules;
  /** Whether each Chinese character is a word of its own. */
  readonly splitChinese: boolean;
  /** Whether the lower case of a final capital sigma is ς (whole words are lowered) or always σ. */
  readonly hasFinalSigma: boolean;
  readonly addedTokens: AddedTokenMatcher;
}

/** The table of actions and the trie that its symbols walk. */
export class PieceTable {
  /** int32 [TABLE_SIZE]: the action of each code point. */
  readonly actions: Int32Array;
  readonly trie: PieceTrie;
  readonly unkId: number;
  readonly options: PieceTableOptions;
  readonly #symbols: ReadonlyMap<number, number>;
  readonly #standalone: ReadonlyMap<number, number>;
  readonly #sequences = new Map<number, Int32Array>();

  constructor(vocabulary: Vocabulary, options: PieceTableOptions) {
    this.options = options;
    this.unkId = vocabulary.ids.unk;
    const symbols = new Map<number, number>();
    const standalone = new Map<number, number>();
    const pieces: TriePiece[] = [];
    for (const [token, id] of vocabulary.entries()) {
      const isContinuation = token.startsWith(CONTINUATION_PREFIX) && token.length > CONTINUATION_PREFIX.length;
      const characters = codePointsOf(isContinuation ? token.slice(CONTINUATION_PREFIX.length) : token);
      if (characters.length === 1 && !isContinuation) standalone.set(characters[0] as number, id);
      // A piece with any other character can never be met: such characters end a word.
      if (characters.length === 0 || !characters.every((code) => this.#kind(code) === CharacterKind.word)) continue;
      for (const code of characters) if (!symbols.has(code)) symbols.set(code, symbols.size + 1);
      pieces.push({ symbols: characters.map((code) => symbols.get(code) as number), isContinuation, id });
    }
    this.#symbols = symbols;
    this.#standalone = standalone;
    this.trie = buildPieceTrie(pieces, symbols.size);
    this.actions = new Int32Array(TABLE_SIZE);
    for (let code = 0; code < TABLE_SIZE; code++) this.actions[code] = this.#compute(code);
  }

  /** The action of any code point. */
  action(codePoint: number): number {
    return codePoint < TABLE_SIZE ? (this.actions[codePoint] as number) : this.#compute(codePoint);
  }

  /** The action of a code point where no added token begins. */
  plainAction(codePoint: number): number {
    const { rules, hasFinalSigma, lowercase, stripAccents } = this.options;
    if (hasFinalSigma && lowercase && codePoint === CAPITAL_SIGMA) return Action.sigma;
    if (stripAccents && rules.isReordered(codePoint)) return Action.reordered;
    return this.settledAction(codePoint);
  }

  /** The action of a code point whose place no longer matters. */
  settledAction(codePoint: number): number {
    const { rules } = this.options;
    const kind = this.#kind(codePoint);
    if (kind === CharacterKind.space) return Action.space;
    if (kind === CharacterKind.dropped) return Action.dropped;
    const isChinese = kind === CharacterKind.chinese;
    if (!rules.isFolded(codePoint, this.options)) return this.#actionOfFolded(codePoint, isChinese);
    if (codePoint >= FIRST_HANGUL && codePoint <= LAST_HANGUL) return Action.sequence;
    const parts = rules.fold(codePoint, this.options);
    if (parts.length === 0) return Action.dropped;
    return parts.length === 1 ? this.#actionOfFolded(parts[0] as number, isChinese) : Action.sequence;
  }

  /** The actions of the characters that a code point with `Action.sequence` folds to. */
  sequence(codePoint: number): Int32Array {
    let actions = this.#sequences.get(codePoint);
    if (actions === undefined) {
      const parts = this.options.rules.fold(codePoint, this.options);
      actions = Int32Array.from(parts, (part) => this.#actionOfFolded(part, false));
      this.#sequences.set(codePoint, actions);
    }
    return actions;
  }

  #compute(codePoint: number): number {
    return this.options.addedTokens.heads.has(codePoint) ? Action.head : this.plainAction(codePoint);
  }

  #actionOfFolded(codePoint: number, isChinese: boolean): number {
    if (isChinese || this.#kind(codePoint) === CharacterKind.punctuation) {
      return this.#standalone.get(codePoint) ?? this.unkId;
    }
    return FIRST_SYMBOL - (this.#symbols.get(codePoint) ?? 0);
  }

  #kind(codePoint: number): CharacterKind {
    const kind = this.options.rules.kind(codePoint);
    return kind === CharacterKind.chinese && !this.options.splitChinese ? CharacterKind.word : kind;
  }
}
