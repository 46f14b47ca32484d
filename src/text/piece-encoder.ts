/**
 * Text to pieces: one pass over UTF-16 that cleans, splits, folds and looks up at once, with the offsets of each piece
 * in the original text. Equal to the chain of steps in the reference tokenisers, without their intermediate strings.
 */
import { isFinalSigma, orderMarks } from "./character-context.ts";
import { characterRules } from "./characters.ts";
import { Action, TABLE_SIZE } from "./fold-plan.ts";
import { FIRST_SYMBOL, type PieceTable } from "./piece-table.ts";
import { CONTINUATION_STATE, START_STATE } from "./piece-trie.ts";

const SMALL_SIGMA = 0x3c3;
const FINAL_SIGMA = 0x3c2;

/** Encodes one text at a time into buffers that the next text reuses. */
export class PieceEncoder {
  /** The number of pieces of the last text; the arrays are longer. */
  count = 0;
  /** int32 [count]; ids, UTF-16 offsets and the index of the word that each piece belongs to. */
  ids = new Int32Array(256);
  starts = new Int32Array(256);
  ends = new Int32Array(256);
  words = new Int32Array(256);

  readonly #table: PieceTable;
  readonly #maxCharacters: number;
  /** The word being read: symbols and the offsets of their characters. */
  readonly #symbols: Int32Array;
  readonly #symbolStarts: Int32Array;
  readonly #symbolEnds: Int32Array;
  #pending = 0;
  #lastEnd = 0;
  #word = 0;

  constructor(table: PieceTable, maxCharactersPerWord: number) {
    this.#table = table;
    this.#maxCharacters = maxCharactersPerWord;
    this.#symbols = new Int32Array(maxCharactersPerWord);
    this.#symbolStarts = new Int32Array(maxCharactersPerWord);
    this.#symbolEnds = new Int32Array(maxCharactersPerWord);
  }

  /** Encodes a text; the result is in the public fields until the next call. */
  encode(text: string): void {
    this.#reset();
    if (this.#scan(text, false)) return;
    const ordered = orderMarks(text, characterRules(this.#table.options.rules));
    this.#reset();
    this.#scan(ordered.text, true);
    for (let i = 0; i < this.count; i++) {
      this.starts[i] = ordered.offsets[this.starts[i] as number] as number;
      this.ends[i] = ordered.offsets[this.ends[i] as number] as number;
    }
  }

  #reset(): void {
    this.count = 0;
    this.#pending = 0;
    this.#word = 0;
  }

  /** @returns false when the text holds marks that must first be put into canonical order. */
  #scan(text: string, isOrdered: boolean): boolean {
    const table = this.#table;
    const actions = table.actions;
    const length = text.length;
    let i = 0;
    while (i < length) {
      const start = i;
      let code = text.charCodeAt(i++);
      if ((code & 0xfc00) === 0xd800 && i < length) {
        const low = text.charCodeAt(i);
        if ((low & 0xfc00) === 0xdc00) {
          code = ((code - 0xd800) << 10) + low - 0xdc00 + 0x10000;
          i++;
        }
      }
      const action = code < TABLE_SIZE ? (actions[code] as number) : table.action(code);
      if (action >= Action.dropped || action <= FIRST_SYMBOL) {
        this.#apply(action, start, i);
      } else {
        i = this.#applyRare(action, code, text, start, i, isOrdered);
        if (i < 0) return false;
      }
    }
    if (this.#pending > 0) this.#endWord();
    return true;
  }

  #apply(action: number, start: number, end: number): void {
    if (action >= 0) {
      if (this.#pending > 0) this.#endWord();
      this.#push(action, start, end);
      this.#word++;
    } else if (action <= FIRST_SYMBOL) {
      const n = this.#pending++;
      this.#lastEnd = end;
      if (n >= this.#maxCharacters) return;
      this.#symbols[n] = FIRST_SYMBOL - action;
      this.#symbolStarts[n] = start;
      this.#symbolEnds[n] = end;
    } else if (action === Action.space && this.#pending > 0) {
      this.#endWord();
    }
  }

  /** Everything that depends on more than the code point. @returns where to go on, or -1 to order marks first. */
  #applyRare(action: number, code: number, text: string, start: number, end: number, isOrdered: boolean): number {
    const table = this.#table;
    switch (action) {
      case Action.head: {
        const match = table.options.addedTokens.matchAt(text, start);
        if (match !== undefined) {
          this.#apply(match.id, match.start, match.end);
          return match.end;
        }
        const plain = table.plainAction(code);
        if (plain < Action.dropped && plain > FIRST_SYMBOL) {
          return this.#applyRare(plain, code, text, start, end, isOrdered);
        }
        this.#apply(plain, start, end);
        return end;
      }
      case Action.sigma: {
        const isFinal = isFinalSigma(text, start, characterRules(table.options.rules));
        this.#apply(table.settledAction(isFinal ? FINAL_SIGMA : SMALL_SIGMA), start, end);
        return end;
      }
      case Action.reordered:
        if (!isOrdered) return -1;
        this.#apply(table.settledAction(code), start, end);
        return end;
      default:
        for (const part of table.sequence(code)) this.#apply(part, start, end);
        return end;
    }
  }

  /** WordPiece: the longest piece first, from the left; a word with a gap is unknown as a whole. */
  #endWord(): void {
    const { base, check, value } = this.#table.trie;
    const symbols = this.#symbols;
    const n = this.#pending;
    const first = this.count;
    this.#pending = 0;
    let position = n > this.#maxCharacters ? -1 : 0;
    while (position >= 0 && position < n) {
      let state = position === 0 ? START_STATE : CONTINUATION_STATE;
      let id = -1;
      let next = position;
      for (let j = position; j < n; j++) {
        const to = (base[state] as number) + (symbols[j] as number);
        if (check[to] !== state) break;
        state = to;
        if ((value[to] as number) >= 0) {
          id = value[to] as number;
          next = j + 1;
        }
      }
      if (id < 0) position = -1;
      else {
        this.#push(id, this.#symbolStarts[position] as number, this.#symbolEnds[next - 1] as number);
        position = next;
      }
    }
    if (position < 0) {
      this.count = first;
      this.#push(this.#table.unkId, this.#symbolStarts[0] as number, this.#lastEnd);
    }
    this.#word++;
  }

  #push(id: number, start: number, end: number): void {
    const n = this.count++;
    if (n >= this.ids.length) this.#grow();
    this.ids[n] = id;
    this.starts[n] = start;
    this.ends[n] = end;
    this.words[n] = this.#word;
  }

  #grow(): void {
    const grown = (array: Int32Array) => {
      const next = new Int32Array(array.length * 2);
      next.set(array);
      return next;
    };
    this.ids = grown(this.ids);
    this.starts = grown(this.starts);
    this.ends = grown(this.ends);
    this.words = grown(this.words);
  }
}
