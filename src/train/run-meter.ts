/** What a run measures between two lines of its log: means over the updates, and rates by the clock. */

/** Sums over micro-batches that every kind of training has; losses are summed as means of their micro-batch. */
export type CommonSums = {
  microBatches: number;
  loss: number;
  /** Tokens without padding. */
  tokens: number;
  /** Places in the batches, padding among them. */
  places: number;
  /** Floating-point operations of the graphs. */
  flops: number;
  /** Labelled examples, where a batch holds such. */
  examples?: number;
};

/** Rates since the last line. */
export interface Rates {
  /** The share of places in the batches that held no token, in [0, 1). */
  readonly paddingShare: number;
  /** Tokens without padding. */
  readonly tokensPerSecond: number;
  /** 1e9 floating-point operations of the graphs a second, with those that padding costs; 0 where they are not counted. */
  readonly gigaflopsPerSecond: number;
  readonly examplesPerSecond?: number;
  /** The share of the time that the engine computed, in [0, 1], where it is known; the rest is optimiser, batches, masks. */
  readonly engineShare?: number;
  /** The rate as a share of the machine's measured peak, where that is known. */
  readonly peakShare?: number;
}

/** Adds sums to others in place; what is not given counts as 0. */
export function addSums<Sums extends CommonSums>(to: Sums, from: Readonly<Partial<Sums>>): void {
  const sums = to as Record<string, number>;
  for (const key of Object.keys(sums)) sums[key] = (sums[key] as number) + ((from as typeof sums)[key] ?? 0);
}

/** Sums since the last line, and the time that training took. */
export class RunMeter<Sums extends CommonSums> {
  readonly #clock: () => number;
  readonly #empty: () => Sums;
  #window: Sums;
  /** What this process has done since the last line: a resumed run's window begins before it. */
  #own: Sums;
  #since: number;

  /** @param clock - milliseconds from any origin. @param window - of a run that goes on. */
  constructor(clock: () => number, empty: () => Sums, window?: Readonly<Partial<Sums>>) {
    this.#clock = clock;
    this.#empty = empty;
    this.#since = clock();
    this.#window = empty();
    this.#own = empty();
    if (window !== undefined) addSums(this.#window, window);
  }

  /** Takes in an update. */
  add(sums: Readonly<Sums>): void {
    addSums(this.#window, sums);
    addSums(this.#own, sums);
  }

  /** Does work whose time does not count: evaluating, saving. */
  async aside(work: () => Promise<void>): Promise<void> {
    const began = this.#clock();
    await work();
    this.#since += this.#clock() - began;
  }

  /** The sums since the last line, for a checkpoint. */
  window(): Sums {
    return { ...this.#window };
  }

  /** Sums and rates since the last line. */
  read(): { readonly sums: Sums; readonly rates: Rates } {
    const seconds = Math.max(1e-6, (this.#clock() - this.#since) / 1000);
    const { tokens, places } = this.#window;
    const { examples } = this.#own;
    const rates = {
      ...(examples === undefined ? {} : { examplesPerSecond: examples / seconds }),
      tokensPerSecond: this.#own.tokens / seconds,
      gigaflopsPerSecond: this.#own.flops / seconds / 1e9,
      paddingShare: places === 0 ? 0 : 1 - tokens / places,
    };
    return { sums: this.window(), rates };
  }

  /** Begins a new line. */
  restart(): void {
    this.#window = this.#empty();
    this.#own = this.#empty();
    this.#since = this.#clock();
  }
}
