/**
 * CPython's random.Random, bit for bit: data made with a seed equals what Google's program makes with it.
 * Follows the Mersenne Twister of Matsumoto and Nishimura 1998 (MT19937) and CPython's Lib/random.py (3.2 and later).
 */
import { ArgumentError, verbatim } from "../errors.ts";

const STATE_WORDS = 624;
const SHIFT_WORDS = 397;
const UPPER_BIT = 0x80000000;
const LOWER_BITS = 0x7fffffff;
const TWIST = 0x9908b0df;
const TWO_26 = 2 ** 26;
const TWO_53 = 2 ** 53;

/** A generator with the methods and the numbers of CPython's `random.Random`. */
export class PythonRandom {
  readonly #state = new Uint32Array(STATE_WORDS);
  #index = STATE_WORDS;

  /**
   * @param seed - an integer of any size; as in CPython its sign is ignored.
   * @throws {ArgumentError} when a number is not a safe integer.
   */
  constructor(seed: number | bigint) {
    if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
      throw new ArgumentError({
        where: "random seed",
        expected: "an integer",
        got: seed,
        hint: "use a bigint above 2^53",
      });
    }
    this.#seed(seedWords(BigInt(seed)));
  }

  /** The next float64 in [0, 1), with 53 random bits. */
  random(): number {
    const high = this.#next() >>> 5;
    const low = this.#next() >>> 6;
    return (high * TWO_26 + low) / TWO_53;
  }

  /**
   * An integer of `bits` random bits, 1 to 53.
   * @throws {ArgumentError} when `bits` is out of range.
   */
  getrandbits(bits: number): number {
    if (!Number.isInteger(bits) || bits < 1 || bits > 53) {
      throw new ArgumentError({
        where: "getrandbits",
        expected: "1 to 53 bits",
        got: bits,
        hint: "use getrandbitsBig",
      });
    }
    if (bits <= 32) return this.#next() >>> (32 - bits);
    const low = this.#next();
    return (this.#next() >>> (64 - bits)) * 2 ** 32 + low;
  }

  /** An integer of any number of random bits (at least 1). */
  getrandbitsBig(bits: number): bigint {
    let value = 0n;
    for (let taken = 0; taken < bits; taken += 32) {
      const word = this.#next() >>> Math.max(0, 32 - (bits - taken));
      value |= BigInt(word) << BigInt(taken);
    }
    return value;
  }

  /** An integer in [0, limit), each equally likely; `limit` from 1 to 2^53. */
  below(limit: number): number {
    if (limit < 1 || limit > TWO_53 - 1) return Number(this.#belowBig(BigInt(limit)));
    const bits = limit > 0xffffffff ? bitLength(limit) : 32 - Math.clz32(limit);
    let value = this.getrandbits(bits);
    while (value >= limit) value = this.getrandbits(bits);
    return value;
  }

  /** An integer in [low, high], both ends included. */
  randint(low: number, high: number): number {
    if (!(low <= high)) throw emptyRange("randint", `${low} to ${high}`);
    const width = high - low + 1;
    if (width <= Number.MAX_SAFE_INTEGER) return low + this.below(width);
    return Number(BigInt(low) + this.#belowBig(BigInt(high) - BigInt(low) + 1n));
  }

  /** An element of range(start, stop, step), or of range(start) when called with one argument. */
  randrange(start: number, stop?: number, step = 1): number {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    const count = Math.ceil((to - from) / step);
    if (!(count > 0)) throw emptyRange("randrange", `${from} to ${to} by ${step}`);
    return from + step * this.below(count);
  }

  /** Shuffles an array in place (Fisher-Yates from the end). */
  shuffle<T>(items: { readonly length: number; [index: number]: T }): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const item = items[i] as T;
      items[i] = items[j] as T;
      items[j] = item;
    }
  }

  /** One of the items, each equally likely. */
  choice<T>(items: ArrayLike<T>): T {
    if (items.length === 0) throw emptyRange("choice", "no items");
    return items[this.below(items.length)] as T;
  }

  #belowBig(limit: bigint): bigint {
    if (limit < 1n) throw emptyRange("random number", `limit ${limit}`);
    const bits = limit.toString(2).length;
    let value = this.getrandbitsBig(bits);
    while (value >= limit) value = this.getrandbitsBig(bits);
    return value;
  }

  #next(): number {
    if (this.#index === STATE_WORDS) this.#regenerate();
    let y = this.#state[this.#index++] as number;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #regenerate(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_WORDS; i++) {
      const next = state[i + 1 === STATE_WORDS ? 0 : i + 1] as number;
      const y = ((state[i] as number) & UPPER_BIT) | (next & LOWER_BITS);
      const shifted = state[i + SHIFT_WORDS < STATE_WORDS ? i + SHIFT_WORDS : i + SHIFT_WORDS - STATE_WORDS] as number;
      state[i] = shifted ^ (y >>> 1) ^ (y & 1 ? TWIST : 0);
    }
    this.#index = 0;
  }

  /** The reference implementation's init_by_array. */
  #seed(key: readonly number[]): void {
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < STATE_WORDS; i++) state[i] = Math.imul(1812433253, mixed(state[i - 1] as number)) + i;
    let i = 1;
    for (let k = 0; k < Math.max(STATE_WORDS, key.length); k++) {
      const j = k % key.length;
      state[i] = ((state[i] as number) ^ Math.imul(mixed(state[i - 1] as number), 1664525)) + (key[j] as number) + j;
      i = this.#advance(i);
    }
    for (let k = 0; k < STATE_WORDS - 1; k++) {
      state[i] = ((state[i] as number) ^ Math.imul(mixed(state[i - 1] as number), 1566083941)) - i;
      i = this.#advance(i);
    }
    state[0] = UPPER_BIT;
    this.#index = STATE_WORDS;
  }

  #advance(i: number): number {
    if (i + 1 < STATE_WORDS) return i + 1;
    this.#state[0] = this.#state[STATE_WORDS - 1] as number;
    return 1;
  }
}

/** Rounds to the nearest integer, halves to the even one, as Python's round(). */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function mixed(word: number): number {
  return word ^ (word >>> 30);
}

/** The 32-bit words of an integer without its sign, lowest first; one word for 0. */
function seedWords(seed: bigint): number[] {
  const words: number[] = [];
  for (let rest = seed < 0n ? -seed : seed; rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words.length > 0 ? words : [0];
}

function bitLength(value: number): number {
  return 64 - Math.clz32(Math.floor(value / 2 ** 32));
}

function emptyRange(where: string, got: string): ArgumentError {
  return new ArgumentError({ where, expected: "a range that is not empty", got: verbatim(got) });
}
