/**
 * Dropout masks: each element by itself, from streams that (seed, step, site) name, the same bits on every machine.
 *
 * The stream of a mask is one sequence, but each of its states is linear in the first (over bits): a table leads from a place
 * to the one a lane later, so that four lanes are drawn at once.
 */
import { ArgumentError } from "../errors.ts";
import { BLOCK, keepMaskProgram, LANE_BYTES, LANES, STATES, TIES } from "./keep-mask-program.ts";
import { Random, type RandomState } from "./random.ts";
import { instantiate } from "./wasm-module.ts";

const WORDS = 4;
const STATE_BITS = 32 * WORDS;
const BLOCK_BYTES = LANES * LANE_BYTES;

interface Program {
  readonly memory: { readonly buffer: ArrayBuffer };
  draw(bytesOfLane: number, high: number): void;
  settle(bytes: number, low: number): void;
}

let drawer: MaskDrawer | undefined;

/**
 * Fills a dropout mask: 0 with probability `dropRate`, else 1, each element by itself.
 *
 * A byte decides, four of them from a word; where one equals the threshold's first byte, 16 further bits from a second
 * stream do, so that the rate is exact to 2^-24 while most elements cost 8 random bits.
 * @param mask - uint8, any shape; overwritten. @param dropRate - in [0, 1).
 * @param seed @param step @param site - integers >= 0 that name the mask; equal ones give equal masks.
 * @throws {ArgumentError} when the rate is out of range.
 * @throws {RuntimeError} where WebAssembly with vectors is missing or forbidden.
 */
export function fillKeepMask(mask: Uint8Array, dropRate: number, seed: number, step: number, site: number): void {
  if (!(dropRate >= 0 && dropRate < 1)) {
    throw new ArgumentError({ where: "dropout: rate", expected: "a number in [0, 1)", got: dropRate });
  }
  const threshold = Math.min(Math.round(dropRate * 16777216), 16777215);
  const [first, ties] = [Random.derive(seed, step, site), Random.derive(seed, step, site, 1)];
  drawer ??= new MaskDrawer(instantiate(keepMaskProgram(), "dropout", "draws the masks"));
  drawer.fill(mask, threshold, first.getState(), ties.getState());
}

/** The program with the views of its memory. */
class MaskDrawer {
  readonly #program: Program;
  /** Word i of the state of lane j at 4 i + j. */
  readonly #states: Int32Array;
  readonly #ties: Int32Array;
  readonly #block: Uint8Array;
  /** What each bit of a state adds to the state a lane later: four words each. */
  readonly #jump: Int32Array;

  constructor(program: Program) {
    const { buffer } = program.memory;
    this.#program = program;
    this.#states = new Int32Array(buffer, STATES, WORDS * LANES);
    this.#ties = new Int32Array(buffer, TIES, WORDS);
    this.#block = new Uint8Array(buffer, BLOCK, BLOCK_BYTES);
    this.#jump = this.#drawJump();
  }

  /** @param threshold - in [0, 2^24): of as many values of 24 bits the lowest that are dropped. */
  fill(mask: Uint8Array, threshold: number, first: RandomState, ties: RandomState): void {
    first.forEach((word, i) => {
      this.#states[LANES * i] = word;
    });
    this.#ties.set(ties);
    for (let at = 0; at < mask.length; at += BLOCK_BYTES) {
      const length = Math.min(BLOCK_BYTES, mask.length - at);
      // A short mask, or what is left, may end within the first lanes.
      for (let lane = 1; lane * LANE_BYTES < length; lane++) this.#placeAfter(lane);
      this.#program.draw(Math.min(LANE_BYTES, (length + 15) & ~15), threshold >>> 16);
      this.#program.settle(length, threshold & 0xffff);
      mask.set(this.#block.subarray(0, length), at);
      // The next block begins where the last lane ended.
      for (let i = 0; i < WORDS; i++) this.#states[LANES * i] = this.#states[LANES * i + LANES - 1] as number;
    }
  }

  /** Sets a lane's state to the one that the lane before it will end with. */
  #placeAfter(lane: number): void {
    const [states, jump] = [this.#states, this.#jump];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let bit = 0; bit < STATE_BITS; bit++) {
      const chosen = -(((states[LANES * (bit >>> 5) + lane - 1] as number) >>> (bit & 31)) & 1);
      a ^= (jump[WORDS * bit] as number) & chosen;
      b ^= (jump[WORDS * bit + 1] as number) & chosen;
      c ^= (jump[WORDS * bit + 2] as number) & chosen;
      d ^= (jump[WORDS * bit + 3] as number) & chosen;
    }
    states[lane] = a;
    states[LANES + lane] = b;
    states[2 * LANES + lane] = c;
    states[3 * LANES + lane] = d;
  }

  /** Where the states with a single bit are after a lane. */
  #drawJump(): Int32Array {
    const jump = new Int32Array(STATE_BITS * WORDS);
    for (let first = 0; first < STATE_BITS; first += LANES) {
      this.#states.fill(0);
      const word = LANES * (first >>> 5);
      for (let lane = 0; lane < LANES; lane++) this.#states[word + lane] = 1 << ((first + lane) & 31);
      this.#program.draw(LANE_BYTES, 0);
      this.#states.forEach((value, i) => {
        jump[WORDS * (first + (i % LANES)) + Math.floor(i / LANES)] = value;
      });
    }
    return jump;
  }
}
