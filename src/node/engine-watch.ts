/** How much of a run's time its engine works, and how fast that is beside what the machine can do. */
import type { CompileStep } from "../train/training-step.ts";

/** Shares of a stretch of training; what is not known is left out. */
export interface EngineShares {
  /** Of the time, how much the engine computed, in [0, 1]; the rest is optimiser, batches, masks. */
  readonly engineShare?: number;
  /** Of the machine's peak, how much the rate of the training was, in [0, 1]. */
  readonly peakShare?: number;
}

/** Counts what training programs do; evaluation does not count, since no rate of a log has its time. */
export class EngineWatch {
  #peakFlops: number | undefined;
  #milliseconds = 0;
  #flops = 0;

  /** @param peakFlops - floating-point operations a second that the machine reaches at best, where it is known. */
  constructor(peakFlops: number | undefined) {
    this.#peakFlops = peakFlops;
  }

  /** Compiles as the function that is given; the programs for training are timed. */
  timed<Shape>(compile: CompileStep<Shape>): CompileStep<Shape> {
    return async (shape, mode) => {
      const step = await compile(shape, mode);
      if (mode !== "train") return step;
      const { executable, flops = 0 } = step;
      const run: typeof executable.run = async (inputs, outputs) => {
        const began = performance.now();
        const result = await executable.run(inputs, outputs);
        this.#milliseconds += performance.now() - began;
        this.#flops += flops;
        return result;
      };
      return { ...step, executable: { run, dispose: () => executable.dispose() } };
    };
  }

  /** Shares since the last call. @param gigaflopsPerSecond - the rate of that time, by which its length is known. */
  take(gigaflopsPerSecond: number): EngineShares {
    const [flops, engineSeconds] = [this.#flops, this.#milliseconds / 1000];
    this.#flops = 0;
    this.#milliseconds = 0;
    if (flops === 0 || gigaflopsPerSecond === 0) return {};
    const flopsPerSecond = gigaflopsPerSecond * 1e9;
    // A peak that was measured while the machine was busy is too low: what was reached since then corrects it.
    if (this.#peakFlops !== undefined) this.#peakFlops = Math.max(this.#peakFlops, flopsPerSecond);
    return {
      engineShare: Math.min(1, (engineSeconds * flopsPerSecond) / flops),
      ...(this.#peakFlops === undefined ? {} : { peakShare: flopsPerSecond / this.#peakFlops }),
    };
  }
}
