/** A moving average of the weights, which often predicts better than the weights that it follows. */
import { CheckpointError, verbatim } from "../errors.ts";
import { formatType, type NamedTensors, zeros } from "../util/tensor.ts";
import { type PassRunner, serialPasses } from "./pass-runner.ts";

/** The exponential moving average of weights over the updates. */
export class MovingAverage {
  readonly #weights: NamedTensors;
  readonly #decay: number;
  readonly #passes: PassRunner;
  /** float32 by the names of the weights; changed by `update`. */
  readonly average: NamedTensors;
  #isEmpty = true;

  /**
   * @param weights - float32, followed from now on. @param decay - the share that stays at each update, in (0, 1).
   * @param passes - who goes over them.
   */
  constructor(weights: NamedTensors, decay: number, passes: PassRunner = serialPasses) {
    this.#weights = weights;
    this.#decay = decay;
    this.#passes = passes;
    this.average = new Map([...weights].map(([name, { shape }]) => [name, zeros("float32", shape)]));
  }

  /**
   * Takes the weights in; the first time it becomes them.
   * Source: torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn.
   */
  async update(): Promise<void> {
    const keep = this.#isEmpty ? 0 : this.#decay;
    this.#isEmpty = false;
    const arrays = (name: string, data: Float32Array) => [this.average.get(name)?.data as Float32Array, data] as const;
    const tasks = [...this.#weights].map(([name, { data }]) => ({
      arrays: arrays(name, data as Float32Array),
      factors: { keep },
    }));
    await this.#passes.run("follow", tasks);
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
