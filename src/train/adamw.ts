/**
 * Adam with decoupled weight decay, in BERT's form and in PyTorch's, as one pass over typed arrays for each tensor.
 *
 * An element costs four loads, three stores, a root and a division: the pass runs near the speed of memory.
 */
import { CheckpointError, TrainingError } from "../errors.ts";
import { formatType, type HostTensor, type NamedTensors, zeros } from "../util/tensor.ts";
import type { Gradients } from "./clipping.ts";

/** `adamw-bert`: no bias correction, epsilon 1e-6. `adamw`: PyTorch's, with bias correction, epsilon 1e-8. */
export type OptimizerName = "adamw-bert" | "adamw";

/** What may be set; the defaults are those of the published programs. */
export interface AdamWOptions {
  readonly name?: OptimizerName;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Applied to every tensor but biases and LayerNorm. */
  readonly weightDecay?: number;
}

const EPSILON: Readonly<Record<OptimizerName, number>> = { "adamw-bert": 1e-6, adamw: 1e-8 };

/** Whether weight decay applies to a parameter. Source: exclude_from_weight_decay in BERT's optimization.py. */
export function hasWeightDecay(name: string): boolean {
  return !/LayerNorm|layer_norm|bias/.test(name);
}

interface Slot {
  readonly name: string;
  readonly weight: HostTensor<"float32">;
  readonly first: HostTensor<"float32">;
  readonly second: HostTensor<"float32">;
  readonly decay: number;
}

/** The optimiser and its two moments for each weight; updates the weights' arrays in place. */
export class AdamW {
  readonly name: OptimizerName;
  readonly #slots: readonly Slot[];
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  #updates = 0;

  /**
   * @param weights - float32 tensors, kept and changed by `update`.
   * @throws {TrainingError} when a weight is not float32.
   */
  constructor(weights: NamedTensors, options: AdamWOptions = {}) {
    this.name = options.name ?? "adamw-bert";
    this.#beta1 = options.beta1 ?? 0.9;
    this.#beta2 = options.beta2 ?? 0.999;
    this.#epsilon = options.epsilon ?? EPSILON[this.name];
    const weightDecay = options.weightDecay ?? 0.01;
    this.#slots = [...weights].map(([name, weight]) => ({
      name,
      weight: expectFloat32(name, weight),
      first: zeros("float32", weight.shape),
      second: zeros("float32", weight.shape),
      decay: hasWeightDecay(name) ? weightDecay : 0,
    }));
  }

  /** Updates done so far. */
  get updates(): number {
    return this.#updates;
  }

  /**
   * One update of all weights.
   * @param gradients - float32 by parameter name, the size of the parameter; not changed.
   * @param learningRate - of this update. @param scale - factor for every gradient (clipping, accumulation).
   * Source: AdamWeightDecayOptimizer.apply_gradients of google-research/bert; torch.optim.AdamW.
   */
  update(gradients: Gradients, learningRate: number, scale = 1): void {
    this.#updates++;
    const [beta1, beta2] = [this.#beta1, this.#beta2];
    const isBert = this.name === "adamw-bert";
    const correction1 = isBert ? 1 : 1 - beta1 ** this.#updates;
    const correction2 = isBert ? 1 : Math.sqrt(1 - beta2 ** this.#updates);
    // m / c1 / (sqrt(v) / c2 + eps) = (c2 / c1) m / (sqrt(v) + c2 eps): one division for each element.
    const rate = (learningRate * correction2) / correction1;
    for (const slot of this.#slots) {
      updateTensor(slot.weight.data, gradients.get(slot.name) as Float32Array, slot.first.data, slot.second.data, {
        beta1,
        beta2,
        scale,
        rate,
        epsilon: correction2 * this.#epsilon,
        keep: 1 - learningRate * slot.decay,
      });
    }
  }

  /** The moments as tensors `first.<parameter>` and `second.<parameter>`, not copied; for a checkpoint. */
  state(): NamedTensors {
    const moments = this.#slots.flatMap(({ name, first, second }): [string, HostTensor][] => [
      [`first.${name}`, first],
      [`second.${name}`, second],
    ]);
    return new Map(moments);
  }

  /**
   * Takes over the moments that `state` gave.
   * @param updates - how many updates had been done.
   * @throws {CheckpointError} when a tensor is missing or has another shape.
   */
  restore(state: NamedTensors, updates: number, where = "optimizer state"): void {
    for (const [name, tensor] of this.state()) {
      const stored = state.get(name);
      const wanted = formatType(tensor.dtype, tensor.shape);
      const got = stored === undefined ? "nothing" : formatType(stored.dtype, stored.shape);
      if (stored === undefined || got !== wanted) {
        throw new CheckpointError({ where: `${where}: ${name}`, expected: wanted, got: { verbatim: got } });
      }
      (tensor.data as Float32Array).set(stored.data as Float32Array);
    }
    this.#updates = updates;
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

function expectFloat32(name: string, weight: HostTensor): HostTensor<"float32"> {
  if (weight.dtype === "float32") return weight as HostTensor<"float32">;
  throw new TrainingError({
    where: `optimizer: ${name}`,
    expected: "a float32 weight",
    got: { verbatim: formatType(weight.dtype, weight.shape) },
    hint: "Convert the weights to float32 before training.",
  });
}
