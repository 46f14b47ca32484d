/**
 * Which words are alike, by the cosine of their vectors: each word against each other of equal length, once. Of 20,000 words of
 * 300 numbers that takes 24 MB twice and at most 40 seconds of processor time; the table that comes out has at most 5 words for each.
 */
import type { WordVectors } from "./word-vectors.ts";

/** How many similar words are kept; with more passes over the text more of them are seen. */
const NEIGHBOURS = 5;
/** Words further apart are not similar in any useful sense; those without a nearer one are replaced token by token. */
const MIN_COSINE = 0.5;
/** Vectors that are compared with one at a time. */
const ROWS = 4;
/** Words between two pauses. */
const WORDS_A_TURN = 64;

/**
 * For each word itself and those similar to it, the most similar first. The result depends on the vectors alone.
 * @param pause - called now and then, since this takes long; it may throw to stop.
 */
export async function findSimilarWords(
  { words, lengths, dim, vectors }: WordVectors,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly (readonly string[])[]> {
  const nearest = new Nearest(words.length);
  const cosines = new Float64Array(ROWS);
  for (const length of new Set(lengths)) {
    const members = Array.from(lengths.keys()).filter((word) => lengths[word] === length);
    const group = gather(vectors, members, dim);
    for (let a = 0; a < members.length; a++) {
      for (let b = a + 1; b < members.length; b += ROWS) {
        dotRows(group, a * dim, b * dim, dim, cosines);
        for (let row = 0; row < ROWS; row++) {
          const cosine = cosines[row] as number;
          if (cosine < MIN_COSINE) continue;
          nearest.add(members[a] as number, members[b + row] as number, cosine);
          nearest.add(members[b + row] as number, members[a] as number, cosine);
        }
      }
      if (a % WORDS_A_TURN === 0) await pause();
    }
  }
  return words.map((word, i) => [word, ...nearest.of(i).map((other) => words[other] as string)]);
}

/** The vectors of some words one after the other, so that memory is read in order; behind them zeros, which are like nothing. */
function gather(vectors: Float32Array, members: readonly number[], dim: number): Float32Array {
  const group = new Float32Array((members.length + ROWS) * dim);
  members.forEach((word, i) => {
    group.set(vectors.subarray(word * dim, (word + 1) * dim), i * dim);
  });
  return group;
}

/** The products of the vector at `a` with the ROWS vectors from `b` on: its numbers are read once for all of them. */
function dotRows(values: Float32Array, a: number, b: number, dim: number, products: Float64Array): void {
  const [b1, b2, b3] = [b + dim, b + 2 * dim, b + 3 * dim];
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0; i < dim; i++) {
    const value = values[a + i]!;
    s0 += value * values[b + i]!;
    s1 += value * values[b1 + i]!;
    s2 += value * values[b2 + i]!;
    s3 += value * values[b3 + i]!;
  }
  products[0] = s0;
  products[1] = s1;
  products[2] = s2;
  products[3] = s3;
}

/** The few nearest others of each word, kept in order as they are found. */
class Nearest {
  /** int32 [words, NEIGHBOURS]; -1 where there is none. */
  readonly #others: Int32Array;
  readonly #cosines: Float64Array;

  constructor(words: number) {
    this.#others = new Int32Array(words * NEIGHBOURS).fill(-1);
    this.#cosines = new Float64Array(words * NEIGHBOURS).fill(Number.NEGATIVE_INFINITY);
  }

  add(word: number, other: number, cosine: number): void {
    const [others, cosines] = [this.#others, this.#cosines];
    const first = word * NEIGHBOURS;
    let at = first + NEIGHBOURS - 1;
    if (cosine <= cosines[at]!) return;
    for (; at > first && cosine > cosines[at - 1]!; at--) {
      others[at] = others[at - 1]!;
      cosines[at] = cosines[at - 1]!;
    }
    others[at] = other;
    cosines[at] = cosine;
  }

  of(word: number): number[] {
    const found = this.#others.subarray(word * NEIGHBOURS, (word + 1) * NEIGHBOURS);
    return Array.from(found.filter((other) => other >= 0));
  }
}
