/**
 * Seeded random numbers with the same bits on every machine: initialisation, shuffling, and the streams of dropout masks.
 *
 * Streams are derived by Threefry-2x32-20 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), folding
 * one number after the other into the key as jax.random.fold_in does; each stream is xoshiro128++ (Blackman and Vigna
 * 2019, "Scrambled Linear Pseudorandom Number Generators"). Only integer and basic IEEE 754 operations are used.
 */
import { ArgumentError } from "../errors.ts";
import { inverseNormal } from "./inverse-normal.ts";

const THREEFRY_ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const THREEFRY_PARITY = 0x1bd11bda;
const TWO_TO_32 = 4294967296;

/** The probability that a standard normal value lies below -2. */
const LOWER_TAIL = 0.022750131948179195;

/** The state of a generator: four 32-bit words. */
export type RandomState = readonly [number, number, number, number];

/**
 * The block cipher Threefry-2x32 with 20 rounds.
 * @param key - two 32-bit words. @param counter - two 32-bit words.
 * @returns two 32-bit words (signed).
 * Source: threefry2x32 of Random123 (Salmon et al. 2011).
 */
export function threefry2x32(
  key: readonly [number, number],
  counter: readonly [number, number],
): readonly [number, number] {
  const keys = [key[0] | 0, key[1] | 0, THREEFRY_PARITY ^ key[0] ^ key[1]] as const;
  let x0 = (counter[0] + keys[0]) | 0;
  let x1 = (counter[1] + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = THREEFRY_ROTATIONS[round % 8] as number;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 !== 3) continue;
    const injection = (round + 1) / 4;
    x0 = (x0 + (keys[injection % 3] as number)) | 0;
    x1 = (x1 + (keys[(injection + 1) % 3] as number) + injection) | 0;
  }
  return [x0, x1];
}

/** The state of the stream that a seed and further numbers (such as step and site) name; each a safe integer >= 0. */
function deriveState(seed: number, stream: readonly number[]): [number, number, number, number] {
  let key: readonly [number, number] = words(seed, "seed");
  for (const number of stream) key = threefry2x32(key, words(number, "stream"));
  const [a, b] = threefry2x32(key, [0, 0x7a68_6272]);
  const [c, d] = threefry2x32(key, [1, 0x7a68_6272]);
  return (a | b | c | d) === 0 ? [1, 2, 3, 4] : [a, b, c, d];
}

function words(value: number, what: string): readonly [number, number] {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ArgumentError({ where: `random: ${what}`, expected: "an integer from 0 to 2^53 - 1", got: value });
  }
  return [Math.floor(value / TWO_TO_32) | 0, value | 0];
}

/** A seeded generator; the same seed gives the same numbers on every machine. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /**
   * @param seed - an integer from 0 to 2^53 - 1.
   * @throws {ArgumentError} when it is none.
   */
  constructor(seed: number) {
    [this.#a, this.#b, this.#c, this.#d] = deriveState(seed, []);
  }

  /** An independent generator for each list of numbers, such as (seed, step, site). */
  static derive(seed: number, ...stream: number[]): Random {
    return Random.fromState(deriveState(seed, stream));
  }

  /** A generator that goes on where `getState` was called. */
  static fromState(state: RandomState): Random {
    const random = new Random(0);
    [random.#a, random.#b, random.#c, random.#d] = state;
    return random;
  }

  /** The state, for `fromState`; plain numbers, so that it can be stored as JSON. */
  getState(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (this.#a + this.#d) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + this.#a) | 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** A number of the standard normal distribution, by its inverse. */
  normal(): number {
    return inverseNormal(this.#open());
  }

  /**
   * A number of the normal distribution with standard deviation `std`, cut off at two standard deviations.
   * Source: truncated_normal_initializer as BERT uses it (values beyond are drawn anew; here by the inverse, the same law).
   */
  truncatedNormal(std: number): number {
    return std * inverseNormal(LOWER_TAIL + (1 - 2 * LOWER_TAIL) * this.#open());
  }

  /**
   * An integer from 0 to below - 1, without bias.
   * @throws {ArgumentError} when `below` is not an integer from 1 to 2^32.
   */
  integer(below: number): number {
    if (!Number.isInteger(below) || below < 1 || below > TWO_TO_32) {
      throw new ArgumentError({ where: "random: integer", expected: "a bound from 1 to 2^32", got: below });
    }
    const limit = TWO_TO_32 - (TWO_TO_32 % below);
    let drawn = this.uint32();
    while (drawn >= limit) drawn = this.uint32();
    return drawn % below;
  }

  /** Shuffles in place (Fisher and Yates, from the end) and returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = array[i];
      array[i] = array[j];
      array[j] = kept;
    }
    return array;
  }

  /** A number in (0, 1). */
  #open(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6) + 0.5) / 9007199254740992;
  }
}
