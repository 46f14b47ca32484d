/**
 * LAMB (You et al. 2020, Large Batch Optimization for Deep Learning): Adam's step, made as long for each tensor as its
 * weights are large. Published in two forms that differ in bias correction and in which tensors are scaled so.
 */
import type { NamedTensors } from "../util/tensor.ts";
import { MomentOptimizer, type OptimizerOptions, type Slot } from "./optimizer.ts";

/**
 * `lamb`: no bias correction, the trust ratio on every tensor. `lamb-nvidia`: bias correction, the trust ratio only on
 * tensors with weight decay. Epsilon is 1e-6 in both.
 */
export type LambName = "lamb" | "lamb-nvidia";

/** What may be set; the defaults are those of the published programs. */
export interface LambOptions extends OptimizerOptions {
  readonly name?: LambName;
}

const EPSILON = 1e-6;

/**
 * LAMB; updates the weights' arrays in place.
 * Source: LAMBOptimizer of ymcui/LAMB_Optimizer_TF; FusedLAMB of NVIDIA/apex with use_nvlamb off.
 */
export class Lamb extends MomentOptimizer {
  readonly name: LambName;
  /** Steps of one tensor, as long as the largest so far: the ratio is known only when all of them are. */
  #steps = new Float32Array(0);

  /** @throws {TrainingError} when a weight is not float32. */
  constructor(weights: NamedTensors, options: LambOptions = {}) {
    super(weights, { ...options, epsilon: options.epsilon ?? EPSILON });
    this.name = options.name ?? "lamb";
  }

  protected override updateSlot(slot: Slot, gradient: Float32Array, learningRate: number, scale: number): void {
    const { beta1, beta2 } = this;
    const isNvidia = this.name === "lamb-nvidia";
    const correction1 = isNvidia ? 1 - beta1 ** this.updatesOf(slot) : 1;
    const correction2 = isNvidia ? Math.sqrt(1 - beta2 ** this.updatesOf(slot)) : 1;
    const weight = slot.weight.data;
    if (this.#steps.length < weight.length) this.#steps = new Float32Array(weight.length);
    const ratio = computeSteps(weight, gradient, slot.first.data, slot.second.data, this.#steps, {
      beta1,
      beta2,
      scale,
      // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
      factor: correction2 / correction1,
      epsilon: correction2 * this.epsilon,
      decay: slot.decay,
    });
    const isScaled = !isNvidia || slot.decay !== 0;
    takeSteps(weight, this.#steps, isScaled ? learningRate * ratio : learningRate);
  }
}

interface Factors {
  readonly beta1: number;
  readonly beta2: number;
  readonly scale: number;
  readonly factor: number;
  readonly epsilon: number;
  readonly decay: number;
}

/**
 * Moves the moments and computes the steps factor m / (sqrt(v) + epsilon) + decay w.
 * @returns the trust ratio: the norm of the weights by that of the steps, summed in float64; 1 where either is 0.
 */
function computeSteps(
  weight: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  steps: Float32Array,
  { beta1, beta2, scale, factor, epsilon, decay }: Factors,
): number {
  const [rest1, rest2] = [(1 - beta1) * scale, (1 - beta2) * scale * scale];
  let weightSquares = 0;
  let stepSquares = 0;
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i] as number;
    const w = weight[i] as number;
    const m = beta1 * (first[i] as number) + rest1 * g;
    const v = beta2 * (second[i] as number) + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    const step = (factor * m) / (Math.sqrt(v) + epsilon) + decay * w;
    steps[i] = step;
    weightSquares += w * w;
    stepSquares += step * step;
  }
  return weightSquares > 0 && stepSquares > 0 ? Math.sqrt(weightSquares / stepSquares) : 1;
}

function takeSteps(weight: Float32Array, steps: Float32Array, rate: number): void {
  for (let i = 0; i < weight.length; i++) weight[i] = (weight[i] as number) - rate * (steps[i] as number);
}
