/**
 * Finds lines that were read before, in memory that does not grow: a Bloom filter over what a line says.
 *
 * Two lines are the same when their letters are: spaces, punctuation, digits and case do not count, so that dates and
 * page numbers do not hide a copy. Of lines that are the same the first stays; a line without letters always stays.
 */

/** Bits of the filter: 64 MiB. Up to 20 million lines fewer than 1 in 10,000 is taken for another. */
const FILTER_BITS = 2 ** 29;
const HASHES = 6;
const NO_LETTERS = /[^\p{L}]+/gu;

/** Remembers lines. Source: Bloom 1970; two hashes stand for all (Kirsch and Mitzenmacher 2006). */
export class DuplicateFilter {
  readonly #words: Int32Array;
  readonly #mask: number;
  #bitsSet = 0;

  /** @param bits - of the filter, a power of two; 2^29 unless said. */
  constructor(bits: number = FILTER_BITS) {
    this.#words = new Int32Array(bits / 32);
    this.#mask = bits - 1;
  }

  /** Remembers a line. @returns whether it is new; false for about `errorRate` of new lines too. */
  add(line: string): boolean {
    const letters = line.replace(NO_LETTERS, "").toLowerCase();
    if (letters === "") return true;
    const first = hash(letters, 0x9747b28c);
    const step = hash(letters, 0x3c6ef372) | 1;
    let isNew = false;
    for (let i = 0, at = first; i < HASHES; i++, at = (at + step) | 0) {
      const bit = at & this.#mask;
      const flag = 1 << (bit & 31);
      if ((this.#words[bit >>> 5]! & flag) !== 0) continue;
      this.#words[bit >>> 5]! |= flag;
      this.#bitsSet += 1;
      isNew = true;
    }
    return isNew;
  }

  /** The chance that a line that is new now is taken for a duplicate. */
  get errorRate(): number {
    return (this.#bitsSet / (this.#mask + 1)) ** HASHES;
  }
}

/** MurmurHash3 over UTF-16 units, two at a time. */
function hash(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i += 2) {
    let k = text.charCodeAt(i) | ((i + 1 < text.length ? text.charCodeAt(i + 1) : 0) << 16);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
