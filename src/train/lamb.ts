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

  /** @throws {TrainingError} when a weight is not float32. */
  constructor(weights: NamedTensors, options: LambOptions = {}) {
    super(weights, { ...options, epsilon: options.epsilon ?? EPSILON });
    this.name = options.name ?? "lamb";
  }

  protected override updateSlot(slot: Slot, gradient: Float32Array, learningRate: number, scale: number): void {
    const { beta1, beta2 } = this;
    const isNvidia = this.name === "lamb-nvidia";
    const correction1 = isNvidia ? 1 - beta1 ** this.updates : 1;
    const correction2 = isNvidia ? Math.sqrt(1 - beta2 ** this.updates) : 1;
    const [weight, first, second] = [slot.weight.data, slot.first.data, slot.second.data];
    const step = {
      // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
      factor: correction2 / correction1,
      epsilon: correction2 * this.epsilon,
      decay: slot.decay,
    };
    moveMoments(gradient, first, second, (1 - beta1) * scale, (1 - beta2) * scale * scale, beta1, beta2);
    const isScaled = !isNvidia || slot.decay !== 0;
    const ratio = isScaled ? trustRatio(weight, first, second, step) : 1;
    takeStep(weight, first, second, step, learningRate * ratio);
  }
}

/** The step is factor m / (sqrt(v) + epsilon) + decay w. */
interface Step {
  readonly factor: number;
  readonly epsilon: number;
  readonly decay: number;
}

function moveMoments(
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  rest1: number,
  rest2: number,
  beta1: number,
  beta2: number,
): void {
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i] as number;
    first[i] = beta1 * (first[i] as number) + rest1 * g;
    second[i] = beta2 * (second[i] as number) + rest2 * g * g;
  }
}

/** The norm of the weights by that of the step, summed in float64; 1 where either is 0. */
function trustRatio(weight: Float32Array, first: Float32Array, second: Float32Array, step: Step): number {
  const { factor, epsilon, decay } = step;
  let [weights, steps] = [0, 0];
  for (let i = 0; i < weight.length; i++) {
    const w = weight[i] as number;
    const u = (factor * (first[i] as number)) / (Math.sqrt(second[i] as number) + epsilon) + decay * w;
    weights += w * w;
    steps += u * u;
  }
  return weights > 0 && steps > 0 ? Math.sqrt(weights / steps) : 1;
}

/** Computes the steps again instead of keeping them: memory for the largest tensor would be as large as its weights. */
function takeStep(weight: Float32Array, first: Float32Array, second: Float32Array, step: Step, rate: number): void {
  const { factor, epsilon, decay } = step;
  for (let i = 0; i < weight.length; i++) {
    const w = weight[i] as number;
    const u = (factor * (first[i] as number)) / (Math.sqrt(second[i] as number) + epsilon) + decay * w;
    weight[i] = w - rate * u;
  }
}
