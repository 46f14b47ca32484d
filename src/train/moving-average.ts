/** A moving average of the weights, which often predicts better than the weights that it follows. */
import { CheckpointError, verbatim } from "../errors.ts";
import { formatType, type NamedTensors, zeros } from "../util/tensor.ts";

/** The exponential moving average of weights over the updates. */
export class MovingAverage {
  readonly #weights: NamedTensors;
  readonly #decay: number;
  /** float32 by the names of the weights; changed by `update`. */
  readonly average: NamedTensors;
  #isEmpty = true;

  /** @param weights - float32, followed from now on. @param decay - the share that stays at each update, in (0, 1). */
  constructor(weights: NamedTensors, decay: number) {
    this.#weights = weights;
    this.#decay = decay;
    this.average = new Map([...weights].map(([name, { shape }]) => [name, zeros("float32", shape)]));
  }

  /**
   * Takes the weights in; the first time it becomes them.
   * Source: torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn.
   */
  update(): void {
    const keep = this.#isEmpty ? 0 : this.#decay;
    this.#isEmpty = false;
    for (const [name, { data }] of this.#weights) {
      follow(this.average.get(name)?.data as Float32Array, data as Float32Array, keep);
    }
  }

  /** Goes on from a stored average. @throws {CheckpointError} when a tensor is missing or has another shape. */
  restore(stored: NamedTensors | undefined, where = "moving average"): void {
    for (const [name, { dtype, shape, data }] of this.average) {
      const tensor = stored?.get(name);
      const wanted = formatType(dtype, shape);
      const got = tensor === undefined ? "nothing" : formatType(tensor.dtype, tensor.shape);
      if (tensor === undefined || got !== wanted) {
        throw new CheckpointError({ where: `${where}: ${name}`, expected: wanted, got: verbatim(got) });
      }
      (data as Float32Array).set(tensor.data as Float32Array);
    }
    this.#isEmpty = false;
  }
}

function follow(average: Float32Array, weights: Float32Array, keep: number): void {
  const take = 1 - keep;
  for (let i = 0; i < weights.length; i++) average[i] = keep * (average[i] as number) + take * (weights[i] as number);
}
