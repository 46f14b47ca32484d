/**
 * The loops over all elements of parameters: of optimisers, of the norm, of sums; and over dropout masks. Each goes over the same
 * range of some arrays, and its result depends on nothing else: threads may share a pass, and its numbers do not depend on how.
 *
 * The loops here index float32 arrays and compute in float64; destructuring within them would take three times the time. AdamW and the
 * masks have programs of their own, in vectors.
 */

import { fillKeepMask } from "../util/keep-mask.ts";
import { type AdamWFactors, type Moments, updateByAdamW } from "./adamw-pass.ts";

/** What a pass adds up over its elements, in float64; zeros where it adds up nothing. */
export type PassSums = readonly [number, number];

/** Of a pass that adds up nothing. */
export const NO_SUMS: PassSums = [0, 0];

/** AdamW's steps: four loads, three stores, a root and a division for each element. */
function adamw(arrays: Moments, factors: AdamWFactors): PassSums {
  updateByAdamW(arrays, factors);
  return NO_SUMS;
}

/** What LAMB's step of a parameter is made with. */
export interface LambFactors {
  readonly beta1: number;
  readonly beta2: number;
  /** Of the gradient: clipping, accumulation. */
  readonly scale: number;
  /** Of the first moment: bias correction. */
  readonly factor: number;
  /** With bias correction. */
  readonly epsilon: number;
  readonly decay: number;
}

/** Moves the moments. @returns the squares of the weights and of the steps to come. */
function lambMoments([w, g, m, v]: Moments, factors: LambFactors): PassSums {
  const { beta1, beta2, scale, factor, epsilon, decay } = factors;
  const rest1 = (1 - beta1) * scale;
  const rest2 = (1 - beta2) * scale * scale;
  let weightSquares = 0;
  let stepSquares = 0;
  for (let i = 0; i < w.length; i++) {
    const slope = g[i] as number;
    const value = w[i] as number;
    // As they are stored, and read again by the second pass.
    const mean = Math.fround(beta1 * (m[i] as number) + rest1 * slope);
    const square = Math.fround(beta2 * (v[i] as number) + rest2 * slope * slope);
    m[i] = mean;
    v[i] = square;
    const step = lambStep(value, mean, square, factor, epsilon, decay);
    weightSquares += value * value;
    stepSquares += step * step;
  }
  return [weightSquares, stepSquares];
}

/**
 * Takes the steps, computed anew: to keep them would take as much memory as the weights.
 * @param factors.rate - the learning rate with the trust ratio.
 */
function lambWeights(
  [w, , m, v]: Moments,
  { factor, epsilon, decay, rate }: LambFactors & { readonly rate: number },
): PassSums {
  for (let i = 0; i < w.length; i++) {
    const value = w[i] as number;
    w[i] = value - rate * lambStep(value, m[i] as number, v[i] as number, factor, epsilon, decay);
  }
  return NO_SUMS;
}

function lambStep(w: number, m: number, v: number, factor: number, epsilon: number, decay: number): number {
  return (factor * m) / (Math.sqrt(v) + epsilon) + decay * w;
}

/** The sum of squares, by four running sums, since one alone would wait for the latency of every addition. */
function sumOfSquares([values]: readonly [Float32Array]): PassSums {
  const whole = values.length & ~3;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < whole; i += 4) {
    const w = values[i] as number;
    const x = values[i + 1] as number;
    const y = values[i + 2] as number;
    const z = values[i + 3] as number;
    a += w * w;
    b += x * x;
    c += y * y;
    d += z * z;
  }
  for (let i = whole; i < values.length; i++) a += (values[i] as number) ** 2;
  return [a + b + (c + d), 0];
}

/** Adds the second array to the first. */
function add([sums, values]: readonly [Float32Array, Float32Array]): PassSums {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (values[i] as number);
  return NO_SUMS;
}

/** Moves the first array towards the second. @param factors.keep - the share that stays, in [0, 1). */
function follow([means, values]: readonly [Float32Array, Float32Array], { keep }: { readonly keep: number }): PassSums {
  const take = 1 - keep;
  for (let i = 0; i < means.length; i++) means[i] = keep * (means[i] as number) + take * (values[i] as number);
  return NO_SUMS;
}

/** What names a dropout mask. */
export interface MaskFactors {
  /** The share that is dropped, in [0, 1). */
  readonly rate: number;
  readonly seed: number;
  readonly step: number;
  readonly site: number;
}

/** Draws a dropout mask. */
function keepMask([mask]: readonly [Uint8Array], { rate, seed, step, site }: MaskFactors): PassSums {
  fillKeepMask(mask, rate, seed, step, site);
  return NO_SUMS;
}

/** All of them by name. */
export const PASSES = { adamw, lambMoments, lambWeights, sumOfSquares, add, follow, keepMask } as const;

/** In these an element's result depends on its place in the array, which can only be worked on as a whole. */
export const WHOLE_ARRAY_PASSES: ReadonlySet<PassName> = new Set(["keepMask"]);

/** The name of a pass. */
export type PassName = keyof typeof PASSES;

type ParametersOf<Name extends PassName> = Parameters<(typeof PASSES)[Name]>;

/** What a pass works on. */
export type PassArray = Float32Array | Uint8Array;

/** The arrays of one parameter or mask, all of its length, and the numbers that a pass computes them with. */
export interface PassTask<Name extends PassName> extends AnyPassTask {
  readonly arrays: ParametersOf<Name>[0];
  readonly factors: ParametersOf<Name> extends [unknown, infer Factors extends object] ? Factors : object;
}

/** As `PassTask`, of whatever pass. */
export interface AnyPassTask {
  readonly arrays: readonly [PassArray, ...PassArray[]];
  readonly factors: object;
}
