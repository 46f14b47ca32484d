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

interface Node {
  readonly children: Map<number, Node>;
  id: number;
}

const newNode = (): Node => ({ children: new Map(), id: -1 });

/**
 * Builds the trie.
 * @param alphabetSize - the largest symbol.
 */
export function buildPieceTrie(pieces: Iterable<TriePiece>, alphabetSize: number): PieceTrie {
  const roots = [newNode(), newNode()] as const;
  for (const piece of pieces) {
    let node: Node = roots[piece.isContinuation ? 1 : 0];
    for (const symbol of piece.symbols) {
      let child = node.children.get(symbol);
      if (child === undefined) {
        child = newNode();
        node.children.set(symbol, child);
      }
      node = child;
    }
    node.id = piece.id;
  }
  return place(roots, alphabetSize);
}

/** Gives each node's children slots that no other node uses, breadth first. */
function place(roots: readonly [Node, Node], alphabetSize: number): PieceTrie {
  const slots = new SlotArrays(alphabetSize);
  const queue: [Node, number][] = [
    [roots[0], START_STATE],
    [roots[1], CONTINUATION_STATE],
  ];
  for (let head = 0; head < queue.length; head++) {
    const [node, state] = queue[head] as [Node, number];
    slots.value[state] = node.id;
    const symbols = [...node.children.keys()].sort((a, b) => a - b);
    if (symbols.length === 0) continue;
    const base = slots.claim(state, symbols);
    for (const [symbol, child] of node.children) queue.push([child, base + symbol]);
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

  /** Takes slots for the children of a state. @param symbols - ascending. @returns the base of the state. */
  claim(state: number, symbols: readonly number[]): number {
    while (this.check[this.#firstFree] !== 0 && this.#firstFree < this.#end) this.#firstFree++;
    const first = symbols[0] as number;
    let base = Math.max(0, this.#firstFree - first);
    this.#grow(base + this.#alphabetSize + 1);
    while (symbols.some((symbol) => this.check[base + symbol] !== 0)) {
      base++;
      this.#grow(base + this.#alphabetSize + 1);
    }
    this.base[state] = base;
    for (const symbol of symbols) this.check[base + symbol] = state;
    this.#end = Math.max(this.#end, base + (symbols.at(-1) as number) + 1);
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
