/** Adam with decoupled weight decay, in BERT's form and in PyTorch's, as one pass over the parameters. */
import type { NamedTensors } from "../util/tensor.ts";
import { MomentOptimizer, momentArrays, type OptimizerOptions, type SlotUpdate } from "./optimizer.ts";
import type { PassTask } from "./passes.ts";

/** `adamw-bert`: no bias correction, epsilon 1e-6. `adamw`: PyTorch's, with bias correction, epsilon 1e-8. */
export type AdamWName = "adamw-bert" | "adamw";

/** What may be set; the defaults are those of the published programs. */
export interface AdamWOptions extends OptimizerOptions {
  readonly name?: AdamWName;
}

const EPSILON: Readonly<Record<AdamWName, number>> = { "adamw-bert": 1e-6, adamw: 1e-8 };

/**
 * Adam with decoupled weight decay; updates the weights' arrays in place.
 * BERT's `w - lr (m / (sqrt(v) + eps) + decay w)` is PyTorch's `(1 - lr decay) w - lr m / (sqrt(v) + eps)`. Computed in float32.
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

  protected override async updateSlots(updates: readonly SlotUpdate[], scale: number): Promise<void> {
    await this.passes.run(
      "adamw",
      updates.map((update) => this.#task(update, scale)),
    );
  }

  #task(update: SlotUpdate, scale: number): PassTask<"adamw"> {
    const { beta1, beta2 } = this;
    const { number, learningRate, slot } = update;
    const isBert = this.name === "adamw-bert";
    const correction1 = isBert ? 1 : 1 - beta1 ** number;
    const correction2 = isBert ? 1 : Math.sqrt(1 - beta2 ** number);
    const factors = {
      beta1,
      beta2,
      scale,
      // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
      rate: (learningRate * correction2) / correction1,
      epsilon: correction2 * this.epsilon,
      decay: learningRate * slot.decay,
    };
    return { arrays: momentArrays(update), factors };
  }
}
