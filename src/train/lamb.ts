/**
 * LAMB (You et al. 2020, Large Batch Optimization for Deep Learning): Adam's step, made as long for each tensor as its
 * weights are large. Published in two forms that differ in bias correction and in which tensors are scaled so.
 */
import type { NamedTensors } from "../util/tensor.ts";
import { MomentOptimizer, momentArrays, type OptimizerOptions, type SlotUpdate } from "./optimizer.ts";
import type { PassSums, PassTask } from "./passes.ts";

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

  protected override async updateSlots(updates: readonly SlotUpdate[], scale: number): Promise<void> {
    const moments = updates.map((update) => this.#task(update, scale));
    const sums = await this.passes.run("lambMoments", moments);
    const steps = moments.map(({ arrays, factors }, i): PassTask<"lambWeights"> => {
      const { slot, learningRate } = updates[i] as SlotUpdate;
      const isScaled = this.name === "lamb" || slot.decay !== 0;
      const ratio = isScaled ? trustRatio(sums[i] as PassSums) : 1;
      return { arrays, factors: { ...factors, rate: learningRate * ratio } };
    });
    await this.passes.run("lambWeights", steps);
  }

  #task(update: SlotUpdate, scale: number): PassTask<"lambMoments"> {
    const { beta1, beta2 } = this;
    const { number, slot } = update;
    const isNvidia = this.name === "lamb-nvidia";
    const correction1 = isNvidia ? 1 - beta1 ** number : 1;
    const correction2 = isNvidia ? Math.sqrt(1 - beta2 ** number) : 1;
    const factors = {
      beta1,
      beta2,
      scale,
      // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
      factor: correction2 / correction1,
      epsilon: correction2 * this.epsilon,
      decay: slot.decay,
    };
    return { arrays: momentArrays(update), factors };
  }
}

/** The norm of the weights by that of the steps; 1 where either is 0. */
function trustRatio([weightSquares, stepSquares]: PassSums): number {
  return weightSquares > 0 && stepSquares > 0 ? Math.sqrt(weightSquares / stepSquares) : 1;
}
