/** What every optimiser is to the training loop, and the two moments that all of them keep for each weight. */
import { CheckpointError, TrainingError } from "../errors.ts";
import { formatType, type HostTensor, type NamedTensors, zeros } from "../util/tensor.ts";
import type { Gradients } from "./clipping.ts";
import { type PassRunner, serialPasses } from "./pass-runner.ts";

/** Changes weights in place by their gradients. */
export interface Optimizer {
  /** Updates done so far. */
  readonly updates: number;
  /**
   * One update of all weights.
   * @param gradients - float32 by parameter name, the size of the parameter; not changed.
   * @param learningRate - of this update. @param scale - factor for every gradient (clipping, accumulation).
   * @throws {RuntimeError} when a thread that has part in it ends: the weights may be changed in part.
   */
  update(gradients: Gradients, learningRate: number, scale?: number): Promise<void>;
  /** All that the next update depends on besides the weights, by name, not copied; for a checkpoint. */
  state(): NamedTensors;
  /**
   * Takes over what `state` gave.
   * @param updates - how many updates had been done.
   * @throws {CheckpointError} when a tensor is missing or has another shape.
   */
  restore(state: NamedTensors, updates: number, where?: string): void;
}

/** What may be set; the defaults are those of the published programs. */
export interface OptimizerOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Applied to every tensor but biases and LayerNorm; 0.01. */
  readonly weightDecay?: number;
  /** A factor on a parameter's learning rate; 1 for each. */
  readonly rateFactor?: (name: string) => number;
  /** The number of updates before a parameter's own first one; 0 for each. */
  readonly beginsAt?: (name: string) => number;
  /** Who makes the passes over the parameters; this thread alone when left out. */
  readonly passes?: PassRunner;
}

/** Whether weight decay applies to a parameter. Source: exclude_from_weight_decay in BERT's optimization.py. */
export function hasWeightDecay(name: string): boolean {
  return !/LayerNorm|layer_norm|bias/.test(name);
}

/** A weight with its moments. */
export interface Slot {
  readonly name: string;
  readonly weight: HostTensor<"float32">;
  readonly first: HostTensor<"float32">;
  readonly second: HostTensor<"float32">;
  /** 0 where weight decay does not apply. */
  readonly decay: number;
  readonly rateFactor: number;
  /** Updates before its first one. */
  readonly begin: number;
}

/** What one update is to a weight. */
export interface SlotUpdate {
  readonly slot: Slot;
  readonly gradient: Float32Array;
  readonly learningRate: number;
  /** The number of the weight's update, counted from 1: what its bias correction goes by. */
  readonly number: number;
}

/** What a pass over the moments works on. */
export function momentArrays({ slot: { weight, first, second }, gradient }: SlotUpdate) {
  return [weight.data, gradient, first.data, second.data] as const;
}

/** An optimiser of moving averages of the gradient and of its square: Adam and what follows from it. */
export abstract class MomentOptimizer implements Optimizer {
  protected readonly beta1: number;
  protected readonly beta2: number;
  protected readonly epsilon: number;
  protected readonly passes: PassRunner;
  readonly #slots: readonly Slot[];
  #updates = 0;

  /**
   * @param weights - float32 tensors, kept and changed by `update`.
   * @throws {TrainingError} when a weight is not float32.
   */
  constructor(weights: NamedTensors, options: OptimizerOptions & { readonly epsilon: number }) {
    this.beta1 = options.beta1 ?? 0.9;
    this.beta2 = options.beta2 ?? 0.999;
    this.epsilon = options.epsilon;
    this.passes = options.passes ?? serialPasses;
    const weightDecay = options.weightDecay ?? 0.01;
    this.#slots = [...weights].map(([name, weight]) => ({
      name,
      weight: expectFloat32(name, weight),
      first: zeros("float32", weight.shape),
      second: zeros("float32", weight.shape),
      decay: hasWeightDecay(name) ? weightDecay : 0,
      rateFactor: options.rateFactor?.(name) ?? 1,
      begin: options.beginsAt?.(name) ?? 0,
    }));
  }

  get updates(): number {
    return this.#updates;
  }

  async update(gradients: Gradients, learningRate: number, scale = 1): Promise<void> {
    this.#updates++;
    const updates = this.#slots.flatMap((slot): SlotUpdate[] => {
      const number = this.#updates - slot.begin;
      if (number <= 0) return [];
      const gradient = gradients.get(slot.name) as Float32Array;
      return [{ slot, gradient, learningRate: learningRate * slot.rateFactor, number }];
    });
    await this.updateSlots(updates, scale);
  }

  /** Changes weights and moments. @param scale - factor for every gradient. */
  protected abstract updateSlots(updates: readonly SlotUpdate[], scale: number): Promise<void>;

  /** The moments as tensors `first.<parameter>` and `second.<parameter>`. */
  state(): NamedTensors {
    const moments = this.#slots.flatMap(({ name, first, second }): [string, HostTensor][] => [
      [`first.${name}`, first],
      [`second.${name}`, second],
    ]);
    return new Map(moments);
  }

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

function expectFloat32(name: string, weight: HostTensor): HostTensor<"float32"> {
  if (weight.dtype === "float32") return weight as HostTensor<"float32">;
  throw new TrainingError({
    where: `optimizer: ${name}`,
    expected: "a float32 weight",
    got: { verbatim: formatType(weight.dtype, weight.shape) },
    hint: "Convert the weights to float32 before training.",
  });
}
