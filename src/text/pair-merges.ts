/**
 * Merges of neighbouring pieces by frequency, the training of WordPiece as the tokenizers library does it.
 * Source: Sennrich et al. 2016, Algorithm 1, with pair counts kept up to date and a heap in place of the search.
 */

/** A word as pieces, by their numbers, and how often it occurs. */
export interface CountedWord {
  readonly pieces: number[];
  readonly count: number;
}

/** One merge: two pieces become a third. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** Two piece numbers as one exact number. */
const PAIR_BASE = 2 ** 24;

/**
 * Merges the most frequent pair again and again; of equal pairs the one with the lower numbers.
 * @param words - changed in place.
 * @param merge - names a pair's piece: a new number, or that of an equal piece; undefined ends the training.
 * @param minFrequency - pairs that are rarer stay apart.
 */
export function mergePairs(
  words: readonly CountedWord[],
  minFrequency: number,
  merge: (left: number, right: number) => number | undefined,
): void {
  const counts = new Map<number, number>();
  const places = new Map<number, number[]>();
  const heap = new PairHeap(counts);
  const addPair = (pair: number, word: number): void => {
    counts.set(pair, (counts.get(pair) ?? 0) + (words[word] as CountedWord).count);
    const list = places.get(pair);
    if (list === undefined) places.set(pair, [word]);
    else if (list.at(-1) !== word) list.push(word);
  };
  words.forEach((_, word) => {
    for (const pair of pairsOf(words[word] as CountedWord)) addPair(pair, word);
  });
  for (const pair of counts.keys()) heap.push(pair);

  for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
    if ((counts.get(pair) ?? 0) < minFrequency) return;
    const [left, right] = [Math.floor(pair / PAIR_BASE), pair % PAIR_BASE];
    const merged = merge(left, right);
    if (merged === undefined) return;
    const touched = new Set<number>();
    for (const word of places.get(pair) ?? []) {
      const counted = words[word] as CountedWord;
      const before = pairsOf(counted);
      if (!before.includes(pair)) continue;
      for (const old of before) counts.set(old, (counts.get(old) as number) - counted.count);
      replacePair(counted.pieces, { left, right, merged });
      for (const now of pairsOf(counted)) {
        addPair(now, word);
        touched.add(now);
      }
    }
    counts.delete(pair);
    places.delete(pair);
    for (const changed of touched) heap.push(changed);
  }
}

function pairsOf({ pieces }: CountedWord): number[] {
  const pairs: number[] = [];
  for (let i = 1; i < pieces.length; i++) pairs.push((pieces[i - 1] as number) * PAIR_BASE + (pieces[i] as number));
  return pairs;
}

/** Replaces every occurrence of a pair, from the left, in place. */
function replacePair(pieces: number[], { left, right, merged }: Merge): void {
  let to = 0;
  for (let from = 0; from < pieces.length; from++, to++) {
    const isPair = pieces[from] === left && pieces[from + 1] === right;
    pieces[to] = isPair ? merged : (pieces[from] as number);
    if (isPair) from++;
  }
  pieces.length = to;
}

/** A binary heap of pairs by count; entries that are out of date are put right when they come up. */
class PairHeap {
  readonly #counts: ReadonlyMap<number, number>;
  readonly #pairs: number[] = [];
  readonly #keys: number[] = [];

  constructor(counts: ReadonlyMap<number, number>) {
    this.#counts = counts;
  }

  push(pair: number): void {
    this.#pairs.push(pair);
    this.#keys.push(this.#counts.get(pair) ?? 0);
    let at = this.#pairs.length - 1;
    while (at > 0 && this.#isBefore(at, (at - 1) >> 1)) {
      this.#swap(at, (at - 1) >> 1);
      at = (at - 1) >> 1;
    }
  }

  /** The most frequent pair, or undefined when none is left. */
  pop(): number | undefined {
    while (this.#pairs.length > 0) {
      const [pair, key] = [this.#pairs[0] as number, this.#keys[0] as number];
      this.#removeFirst();
      const count = this.#counts.get(pair) ?? 0;
      if (count === key && count > 0) return pair;
      if (count > 0 && count < key) this.push(pair);
    }
    return undefined;
  }

  #removeFirst(): void {
    this.#swap(0, this.#pairs.length - 1);
    this.#pairs.pop();
    this.#keys.pop();
    for (let at = 0; ; ) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#pairs.length && this.#isBefore(child, first)) first = child;
      }
      if (first === at) return;
      this.#swap(at, first);
      at = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#keys[a] as number) - (this.#keys[b] as number);
    return difference === 0 ? (this.#pairs[a] as number) < (this.#pairs[b] as number) : difference > 0;
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#pairs, this.#keys]) [list[a], list[b]] = [list[b] as number, list[a] as number];
  }
}
