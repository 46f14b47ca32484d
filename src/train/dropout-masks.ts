/** The dropout masks of a training run, in memory that is kept from one step to the next. */
import { Random } from "../util/random.ts";
import { elementCount, type HostTensor, hostTensor } from "../util/tensor.ts";
import type { PassRunner } from "./pass-runner.ts";
import type { PassTask } from "./passes.ts";

/** A place in the model where dropout acts. */
export interface DropoutSite {
  /** The name of the graph's uint8 input for its mask. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The share that is dropped, in [0, 1). */
  readonly rate: number;
}

/** Keeps the masks' random numbers apart from those of the order of the data. */
const DROPOUT_STREAM = 0x64726f70;

/** A site's memory: as large as its largest mask so far. */
interface SiteMemory {
  readonly buffer: Uint8Array;
  /** One array for each length, since threads know arrays by identity. */
  readonly masks: Map<number, Uint8Array>;
}

/** Draws masks by numbers: the same ones on every engine and any number of threads. */
export class DropoutMasks {
  readonly #seed: number;
  readonly #passes: PassRunner;
  readonly #memory = new Map<string, SiteMemory>();

  /** @param passes - who draws. */
  constructor(seed: number, passes: PassRunner) {
    this.#seed = seed;
    this.#passes = passes;
  }

  /**
   * Masks of all sites by the names of their inputs; they hold until the next call.
   * @param sites - their order names the streams. @param index - the micro-batch's number since the start of training.
   * @param pass - tells passes over the same micro-batch apart.
   */
  async draw(sites: readonly DropoutSite[], index: number, pass: number): Promise<Record<string, HostTensor>> {
    const passes = pass === 0 ? [] : [pass];
    const seed = Random.derive(this.#seed, DROPOUT_STREAM, ...passes).uint32();
    const masks = sites.map(({ name, shape }) => this.#mask(name, elementCount(shape)));
    const tasks = sites.map(({ rate }, site): PassTask<"keepMask"> => {
      return { arrays: [masks[site] as Uint8Array], factors: { rate, seed, step: index, site } };
    });
    // A thread draws all of a mask: with the large ones first the threads end at nearly the same time.
    tasks.sort(({ arrays: [a] }, { arrays: [b] }) => b.length - a.length);
    await this.#passes.run("keepMask", tasks);
    return Object.fromEntries(
      sites.map(({ name, shape }, site) => [name, hostTensor("uint8", shape, masks[site] as Uint8Array)]),
    );
  }

  #mask(name: string, length: number): Uint8Array {
    let memory = this.#memory.get(name);
    if (memory === undefined || memory.buffer.length < length) {
      memory = { buffer: new Uint8Array(length), masks: new Map() };
      this.#memory.set(name, memory);
    }
    let mask = memory.masks.get(length);
    if (mask === undefined) {
      mask = memory.buffer.subarray(0, length);
      memory.masks.set(length, mask);
    }
    return mask;
  }
}
