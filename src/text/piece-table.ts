/**
 * What the tokeniser does at each code point, as one number: a table for direct look-up, made once for a vocabulary and
 * a set of rules. Chinese characters and punctuation map straight to their ids, the others to symbols of the piece trie.
 */
import type { AddedTokenMatcher } from "./added-tokens.ts";
import { codePointsOf } from "./characters.ts";
import { Action, type FoldPlan, type FoldPlanOptions, foldPlan, TABLE_SIZE } from "./fold-plan.ts";
import { buildPieceTrie, type PieceTrie, type TriePiece } from "./piece-trie.ts";
import { CONTINUATION_PREFIX, type Vocabulary } from "./vocabulary.ts";

/** The action of symbol 0, which no piece holds; symbol k is `FIRST_SYMBOL - k`. */
export const FIRST_SYMBOL = -16;

/** What distinguishes one table from another. */
export interface PieceTableOptions extends FoldPlanOptions {
  readonly addedTokens: AddedTokenMatcher;
}

/** The table of actions and the trie that its symbols walk. */
export class PieceTable {
  /** int32 [TABLE_SIZE]: an Action, the id of a token that stands alone, or a symbol, for each code point. */
  readonly actions: Int32Array;
  readonly trie: PieceTrie;
  readonly unkId: number;
  readonly options: PieceTableOptions;
  readonly #plan: FoldPlan;
  /** By twice the code point: the symbol's action; plus 1: the id. What is missing is unknown. */
  readonly #resolved = new Map<number, number>();
  readonly #sequences = new Map<number, Int32Array>();

  constructor(vocabulary: Vocabulary, options: PieceTableOptions) {
    this.options = options;
    this.unkId = vocabulary.ids.unk;
    this.#plan = foldPlan(options);
    const pieces: TriePiece[] = [];
    let symbols = 0;
    const actionOf = (code: number): number => {
      let action = this.#resolved.get(2 * code);
      if (action === undefined) {
        action = FIRST_SYMBOL - ++symbols;
        this.#resolved.set(2 * code, action);
      }
      return action;
    };
    for (const [token, id] of vocabulary.entries()) {
      const isContinuation = token.startsWith(CONTINUATION_PREFIX) && token.length > CONTINUATION_PREFIX.length;
      const characters = codePointsOf(isContinuation ? token.slice(CONTINUATION_PREFIX.length) : token);
      if (characters.length === 1 && !isContinuation) this.#resolved.set(2 * (characters[0] as number) + 1, id);
      // A piece with any other character can never be met: such characters end a word.
      if (characters.length === 0 || !characters.every((code) => this.#plan.isWordCharacter(code))) continue;
      pieces.push({ symbols: characters.map((code) => FIRST_SYMBOL - actionOf(code)), isContinuation, id });
    }
    this.trie = buildPieceTrie(pieces, symbols);
    this.actions = this.#resolveAll();
    for (const head of options.addedTokens.heads) if (head < TABLE_SIZE) this.actions[head] = Action.head;
  }

  /** The action of any code point. */
  action(codePoint: number): number {
    if (codePoint < TABLE_SIZE) return this.actions[codePoint] as number;
    return this.options.addedTokens.heads.has(codePoint) ? Action.head : this.plainAction(codePoint);
  }

  /** The action of a code point where no added token begins. */
  plainAction(codePoint: number): number {
    return this.#resolve(this.#plan.at(codePoint));
  }

  /** The action of a code point whose place no longer matters. */
  settledAction(codePoint: number): number {
    return this.#resolve(this.#plan.settled(codePoint));
  }

  /** The actions of the characters that a code point with `Action.sequence` folds to. */
  sequence(codePoint: number): Int32Array {
    let actions = this.#sequences.get(codePoint);
    if (actions === undefined) {
      actions = Int32Array.from(this.#plan.sequence(codePoint), (plan) => this.#resolve(plan));
      this.#sequences.set(codePoint, actions);
    }
    return actions;
  }

  #resolveAll(): Int32Array {
    const byPlan = new Int32Array(2 * TABLE_SIZE).fill(FIRST_SYMBOL);
    for (let plan = 1; plan < byPlan.length; plan += 2) byPlan[plan] = this.unkId;
    for (const [plan, action] of this.#resolved) byPlan[plan] = action;
    return this.#plan.table.map((plan) => (plan < 0 ? plan : (byPlan[plan] as number)));
  }

  #resolve(plan: number): number {
    if (plan < 0) return plan;
    return this.#resolved.get(plan) ?? ((plan & 1) === 1 ? this.unkId : FIRST_SYMBOL);
  }
}
