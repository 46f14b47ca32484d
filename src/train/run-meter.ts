/** What a run measures between two lines of its log: means over the updates, and rates by the clock. */
import { addSums, emptySums, type MetricSums, means } from "./metrics.ts";

/** Sums since the last line, and the time that training took. */
export class RunMeter {
  readonly #clock: () => number;
  readonly #window = emptySums();
  /** What this process has done since the last line: a resumed run's window begins before it. */
  #tokens = 0;
  #flops = 0;
  #since: number;

  /** @param clock - milliseconds from any origin. @param window - of a run that goes on. */
  constructor(clock: () => number, window: Readonly<MetricSums> = emptySums()) {
    this.#clock = clock;
    this.#since = clock();
    addSums(this.#window, window);
  }

  /** Takes in an update. */
  add(sums: Readonly<MetricSums>): void {
    addSums(this.#window, sums);
    this.#tokens += sums.tokens;
    this.#flops += sums.flops;
  }

  /** Does work whose time does not count: evaluating, saving. */
  async aside(work: () => Promise<void>): Promise<void> {
    const began = this.#clock();
    await work();
    this.#since += this.#clock() - began;
  }

  /** The sums since the last line, for a checkpoint. */
  window(): MetricSums {
    return { ...this.#window };
  }

  /** Means and rates since the last line. */
  read() {
    const seconds = Math.max(1e-6, (this.#clock() - this.#since) / 1000);
    const { tokens, places } = this.#window;
    return {
      ...means(this.#window),
      tokensPerSecond: this.#tokens / seconds,
      gigaflopsPerSecond: this.#flops / seconds / 1e9,
      paddingShare: places === 0 ? 0 : 1 - tokens / places,
    };
  }

  /** Begins a new line. */
  restart(): void {
    Object.assign(this.#window, emptySums());
    this.#tokens = 0;
    this.#flops = 0;
    this.#since = this.#clock();
  }
}
