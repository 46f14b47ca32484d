/**
 * Threads that share the passes over all parameters and masks with the main thread. ONNX Runtime takes no arrays over shared memory, so
 * the threads look at the memory of the main thread's ordinary arrays instead, through koffi.
 */
import type { Worker } from "node:worker_threads";
import { RuntimeError, verbatim } from "../errors.ts";
import { type PassRunner, runBlocks, serialPasses, sumsBytes, sumsOfTasks } from "../train/pass-runner.ts";
import type { AnyPassTask, PassArray, PassName, PassSums, PassTask } from "../train/passes.ts";
import { loadKoffi } from "./koffi.ts";
import type { PassJob, SharedArray } from "./pass-worker.ts";
import { startThread } from "./threads.ts";

/** More of them than this wait for the memory of the machine. */
const MAX_THREADS = 8;
/** Below this a pass takes the main thread less than a millisecond, which threads would hardly shorten. */
const MIN_BYTES = 2 ** 20;
/** Room for new objects, in MiB: a message and the parts of arrays, soon forgotten. */
const YOUNG_GENERATION_MB = 2;

/** Passes over all parameters and masks on several threads, which start with the first pass that is worth it. */
export class PassWorkers implements PassRunner {
  readonly #helpers: number;
  readonly #address: ((array: PassArray) => bigint) | undefined;
  readonly #ids = new WeakMap<PassArray, number>();
  #threads: readonly PassThread[] = [];
  #lastId = 0;

  /** @param threads - the caller's among them; 1 starts none. Where koffi has no binary, the caller's works alone. */
  constructor(threads: number) {
    this.#helpers = Math.min(threads, MAX_THREADS) - 1;
    this.#address = this.#helpers > 0 ? addressing() : undefined;
  }

  async run<Name extends PassName>(name: Name, tasks: readonly PassTask<Name>[]): Promise<readonly PassSums[]> {
    const bytes = tasks.reduce((sum, { arrays: [{ byteLength }] }) => sum + byteLength, 0);
    if (this.#address === undefined || bytes < MIN_BYTES) return serialPasses.run(name, tasks);
    if (this.#threads.length === 0) this.#threads = Array.from({ length: this.#helpers }, () => new PassThread());
    const next = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const sums = new Float64Array(new SharedArrayBuffer(sumsBytes(name, tasks)));
    const job = { name, ...this.#shared(tasks, this.#address), next, sums };
    const helped = this.#threads.map((thread) => thread.work(job));
    try {
      runBlocks(name, tasks, () => Atomics.add(next, 0, 1), sums);
    } finally {
      // Whatever has failed: as long as one of them works, the arrays must stay.
      await Promise.allSettled(helped);
    }
    await Promise.all(helped);
    return sumsOfTasks(name, tasks, sums);
  }

  /** Stops the threads. */
  async close(): Promise<void> {
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map((thread) => thread.close()));
  }

  /** Tasks as threads take them: arrays by numbers, with the memory of those that are new to them. */
  #shared(tasks: readonly AnyPassTask[], address: (array: PassArray) => bigint): Pick<PassJob, "tasks" | "added"> {
    const added: SharedArray[] = [];
    const idOf = (array: PassArray) => {
      const known = this.#ids.get(array);
      if (known !== undefined) return known;
      const id = ++this.#lastId;
      this.#ids.set(array, id);
      const type = array instanceof Float32Array ? "float32" : "uint8";
      added.push({ id, type, address: array.length === 0 ? 0n : address(array), length: array.length });
      return id;
    };
    return { tasks: tasks.map(({ arrays, factors }) => ({ ids: arrays.map(idOf), factors })), added };
  }
}

function addressing(): ((array: PassArray) => bigint) | undefined {
  try {
    return loadKoffi().address;
  } catch {
    return undefined;
  }
}

/** One thread, with at most one pass at a time. */
class PassThread {
  readonly #thread: Worker;
  #failure: RuntimeError | undefined;
  #settle: ((failure?: RuntimeError) => void) | undefined;

  constructor() {
    this.#thread = startThread("pass-worker", { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    // Between two passes it does not keep the process.
    this.#thread.unref();
    this.#thread.on("message", () => this.#settle?.());
    this.#thread.on("error", (error) => this.#fail(error.message, error));
    this.#thread.on("exit", (code) => this.#fail(`status ${code}`));
  }

  work(job: PassJob): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#thread.ref();
    this.#thread.postMessage(job);
    return new Promise((resolve, reject) => {
      this.#settle = (failure) => {
        this.#settle = undefined;
        this.#thread.unref();
        if (failure === undefined) resolve();
        else reject(failure);
      };
    });
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #fail(got: string, cause?: Error): void {
    // The first failure is the cause of those that follow.
    this.#failure ??= new RuntimeError({
      where: "training: worker thread",
      expected: "its part of a step",
      got: verbatim(`its end: ${got}`),
      hint: "the weights may be changed in part: go on from the last checkpoint with --resume; --threads 1 works without threads",
      cause,
    });
    this.#settle?.(this.#failure);
  }
}
