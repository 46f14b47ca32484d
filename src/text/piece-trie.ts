/**
 * The pieces of words as a double-array trie: one array look-up and one comparison for each character.
 * Source: Aoe 1989, An efficient digital search algorithm by using a double-array structure.
 */

/** A piece to be found: its characters as symbols from 1, and where it may stand. */
export interface TriePiece {
  readonly symbols: readonly number[];
  readonly isContinuation: boolean;
  readonly id: number;
}

/** The state in which a word begins. */
export const START_STATE = 1;
/** The state in which a word goes on after a piece. */
export const CONTINUATION_STATE = 2;

/**
 * State `s` goes by symbol `c` to `t = base[s] + c` when `check[t] === s`; `value[t]` is the id of the piece that ends
 * there, or -1. All int32 [states]; symbols up to the alphabet's size never index outside.
 */
export interface PieceTrie {
  readonly base: Int32Array;
  readonly check: Int32Array;
  readonly value: Int32Array;
}

/** A trie as lists: each node's first child and next sibling. Node 0 is the start, node 1 the continuation. */
class LinkedTrie {
  readonly symbol = [0, 0];
  readonly firstChild = [0, 0];
  readonly nextSibling = [0, 0];
  readonly id = [-1, -1];
  readonly #child = new Map<number, number>();

  add({ symbols, isContinuation, id }: TriePiece): void {
    let node = isContinuation ? 1 : 0;
    for (const symbol of symbols) {
      const edge = node * 2 ** 24 + symbol;
      let child = this.#child.get(edge);
      if (child === undefined) {
        child = this.symbol.push(symbol) - 1;
        this.firstChild.push(0);
        this.nextSibling.push(this.firstChild[node] as number);
        this.id.push(-1);
        this.firstChild[node] = child;
        this.#child.set(edge, child);
      }
      node = child;
    }
    this.id[node] = id;
  }

  children(node: number): number[] {
    const list: number[] = [];
    // Node 0 is nobody's child: it ends the list.
    for (let child = this.firstChild[node] as number; child !== 0; child = this.nextSibling[child] as number) {
      list.push(child);
    }
    return list;
  }
}

/**
 * Builds the trie.
 * @param alphabetSize - the largest symbol.
 */
export function buildPieceTrie(pieces: Iterable<TriePiece>, alphabetSize: number): PieceTrie {
  const trie = new LinkedTrie();
  for (const piece of pieces) trie.add(piece);
  const slots = new SlotArrays(alphabetSize);
  // Breadth first, each node's children get slots that no other node uses.
  const queue = [0, 1];
  const states = [START_STATE, CONTINUATION_STATE];
  for (let head = 0; head < queue.length; head++) {
    const node = queue[head] as number;
    const state = states[head] as number;
    slots.value[state] = trie.id[node] as number;
    const children = trie.children(node);
    if (children.length === 0) continue;
    const symbols = children.map((child) => trie.symbol[child] as number);
    const base = slots.claim(state, symbols);
    for (const child of children) {
      queue.push(child);
      states.push(base + (trie.symbol[child] as number));
    }
  }
  return slots.finish();
}

/** The growing arrays of a trie under construction. */
class SlotArrays {
  base: Int32Array;
  check: Int32Array;
  value: Int32Array;
  readonly #alphabetSize: number;
  /** Every slot below is taken. */
  #firstFree = CONTINUATION_STATE + 1;
  #end = CONTINUATION_STATE + 1;

  constructor(alphabetSize: number) {
    this.#alphabetSize = alphabetSize;
    this.base = new Int32Array(1024 + alphabetSize);
    this.check = new Int32Array(1024 + alphabetSize);
    this.value = new Int32Array(1024 + alphabetSize).fill(-1);
    // A state is never its own parent: the fixed slots count as taken and are never entered.
    this.check.fill(-1, 0, CONTINUATION_STATE + 1);
  }

  /** Takes slots for the children of a state. @returns the base of the state. */
  claim(state: number, symbols: readonly number[]): number {
    while (this.check[this.#firstFree] !== 0 && this.#firstFree < this.#end) this.#firstFree++;
    let base = Math.max(0, this.#firstFree - Math.min(...symbols));
    this.#grow(base + this.#alphabetSize + 1);
    while (symbols.some((symbol) => this.check[base + symbol] !== 0)) {
      base++;
      this.#grow(base + this.#alphabetSize + 1);
    }
    this.base[state] = base;
    for (const symbol of symbols) this.check[base + symbol] = state;
    this.#end = Math.max(this.#end, base + Math.max(...symbols) + 1);
    return base;
  }

  finish(): PieceTrie {
    const length = this.#end + this.#alphabetSize + 1;
    this.#grow(length);
    return {
      base: this.base.slice(0, length),
      check: this.check.slice(0, length),
      value: this.value.slice(0, length),
    };
  }

  #grow(length: number): void {
    if (length <= this.check.length) return;
    const grown = Math.max(length, this.check.length * 2);
    const copy = (array: Int32Array, rest: number) => {
      const next = new Int32Array(grown).fill(rest);
      next.set(array);
      return next;
    };
    this.base = copy(this.base, 0);
    this.check = copy(this.check, 0);
    this.value = copy(this.value, -1);
  }
}
