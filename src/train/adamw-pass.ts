/** AdamW's pass over the elements of a parameter, by the program in adamw-program.ts. */
import { instantiate } from "../util/wasm-module.ts";
import { adamwProgram, BLOCK_LENGTH, BLOCKS, FACTORS, FACTORS_AT } from "./adamw-program.ts";

/** Weight, gradient, first and second moment. */
export type Moments = readonly [
  weight: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
];

/** What Adam's step of a parameter is made with. */
export interface AdamWFactors {
  readonly beta1: number;
  readonly beta2: number;
  /** Of the gradient: clipping, accumulation. */
  readonly scale: number;
  /** The learning rate with bias correction. */
  readonly rate: number;
  /** With bias correction. */
  readonly epsilon: number;
  /** The share of a weight that decay takes. */
  readonly decay: number;
}

/**
 * Below this float32 has ever fewer bits, and processors take many times as long: nine tenths of the smallest number round to
 * itself, so that the moments of a row whose token never comes again would stay there for good.
 */
const SMALLEST_NORMAL = 2 ** -126;

interface Program {
  readonly memory: { readonly buffer: ArrayBuffer };
  update(bytes: number): void;
}

/** The program with the views of its memory: one for each thread. */
class BlockUpdater {
  readonly #program: Program;
  readonly #factors: Float32Array;
  readonly #blocks: Moments;

  constructor(program: Program) {
    const { buffer } = program.memory;
    const [w, g, m, v] = BLOCKS.map((at) => new Float32Array(buffer, at, BLOCK_LENGTH));
    this.#program = program;
    this.#factors = new Float32Array(buffer, FACTORS_AT, FACTORS.length);
    this.#blocks = [w, g, m, v] as unknown as Moments;
  }

  update(arrays: Moments, { beta1, beta2, ...others }: AdamWFactors): void {
    const factors = { beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2, smallest: SMALLEST_NORMAL, ...others };
    this.#factors.set(FACTORS.map((name) => factors[name]));
    const { length } = arrays[0];
    for (let at = 0; at < length; at += BLOCK_LENGTH) {
      const size = Math.min(BLOCK_LENGTH, length - at);
      arrays.forEach((array, i) => {
        this.#blocks[i]?.set(array.subarray(at, at + size));
      });
      // What lies behind the last element is computed with it, and read by nobody.
      this.#program.update((4 * size + 15) & ~15);
      for (const i of [0, 2, 3] as const) arrays[i].set(this.#blocks[i].subarray(0, size), at);
    }
  }
}

let updater: BlockUpdater | undefined;

/**
 * w = w - (rate m / (sqrt(v) + epsilon) + decay w), with m and v moved towards the gradient and its square; in float32.
 * @throws {RuntimeError} where WebAssembly with vectors is missing or forbidden.
 */
export function updateByAdamW(arrays: Moments, factors: AdamWFactors): void {
  updater ??= new BlockUpdater(instantiate(adamwProgram(), "optimiser", "makes AdamW's steps"));
  updater.update(arrays, factors);
}
