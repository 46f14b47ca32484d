/**
 * Adam with decoupled weight decay, in BERT's form and in PyTorch's, as one pass over typed arrays for each tensor.
 *
 * An element costs four loads, three stores, a root and a division: the pass runs near the speed of memory.
 */
import type { NamedTensors } from "../util/tensor.ts";
import { MomentOptimizer, type OptimizerOptions, type Slot } from "./optimizer.ts";

/** `adamw-bert`: no bias correction, epsilon 1e-6. `adamw`: PyTorch's, with bias correction, epsilon 1e-8. */
export type AdamWName = "adamw-bert" | "adamw";

/** What may be set; the defaults are those of the published programs. */
export interface AdamWOptions extends OptimizerOptions {
  readonly name?: AdamWName;
}

const EPSILON: Readonly<Record<AdamWName, number>> = { "adamw-bert": 1e-6, adamw: 1e-8 };

/**
 * Adam with decoupled weight decay; updates the weights' arrays in place.
 * Source: AdamWeightDecayOptimizer.apply_gradients of google-research/bert; torch.optim.AdamW.
 */
export class AdamW extends MomentOptimizer {
  readonly name: AdamWName;

  /** @throws {TrainingError} when a weight is not float32. */
  constructor(weights: NamedTensors, options: AdamWOptions = {}) {
    const name = options.name ?? "adamw-bert";
    super(weights, { ...options, epsilon: options.epsilon ?? EPSILON[name] });
    this.name = name;
  }

  protected override updateSlot(slot: Slot, gradient: Float32Array, learningRate: number, scale: number): void {
    const { beta1, beta2 } = this;
    const isBert = this.name === "adamw-bert";
    const correction1 = isBert ? 1 : 1 - beta1 ** this.updatesOf(slot);
    const correction2 = isBert ? 1 : Math.sqrt(1 - beta2 ** this.updatesOf(slot));
    updateTensor(slot.weight.data, gradient, slot.first.data, slot.second.data, {
      beta1,
      beta2,
      scale,
      // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
      rate: (learningRate * correction2) / correction1,
      epsilon: correction2 * this.epsilon,
      keep: 1 - learningRate * slot.decay,
    });
  }
}

interface Factors {
  readonly beta1: number;
  readonly beta2: number;
  readonly scale: number;
  readonly rate: number;
  readonly epsilon: number;
  readonly keep: number;
}

/**
 * w = keep w - rate m / (sqrt(v) + epsilon), with m and v moved towards the gradient and its square.
 * BERT's `w - lr (m / (sqrt(v) + eps) + decay w)` is the same with keep = 1 - lr decay.
 */
function updateTensor(
  weight: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  { beta1, beta2, scale, rate, epsilon, keep }: Factors,
): void {
  const [rest1, rest2] = [(1 - beta1) * scale, (1 - beta2) * scale * scale];
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i] as number;
    const m = beta1 * (first[i] as number) + rest1 * g;
    const v = beta2 * (second[i] as number) + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    weight[i] = keep * (weight[i] as number) - (rate * m) / (Math.sqrt(v) + epsilon);
  }
}
