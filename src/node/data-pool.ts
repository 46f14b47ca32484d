/** Who works on blocks: worker threads, each with a short queue so that memory is bounded, or this thread alone. */
import type { Worker } from "node:worker_threads";
import { fromFailure, workerFailed } from "./data-failure.ts";
import type { BlockTask, BlockWork, DataJob } from "./data-job.ts";
import type { WorkerReply } from "./data-worker.ts";
import { startThread } from "./threads.ts";

/** Takes blocks and works on them. */
export interface BlockPool {
  /** Settles when the block is taken, which may be before it is done. @throws what the work on any block has thrown. */
  submit(task: BlockTask): Promise<void>;
  /** Settles when all blocks are done. @throws what the work on any block has thrown. */
  drain(): Promise<void>;
  /** Stops the work. */
  close(): Promise<void>;
}

/** Called when a block is done. */
export type OnBlock = (block: number, instances: number) => void;

/** Works in this thread. */
export function inProcessPool(work: BlockWork, pause: () => Promise<void>, onBlock: OnBlock): BlockPool {
  return {
    submit: async (task) => onBlock(task.block.number, await work(task, pause)),
    drain: async () => undefined,
    close: async () => undefined,
  };
}

/** Blocks that a worker has: the one that it works on, and the next, so that it never waits. */
const BLOCKS_OF_WORKER = 2;

/** Works in threads. @param signal - stops them at once. */
export class WorkerPool implements BlockPool {
  readonly #workers: { readonly thread: Worker; readonly blocks: number[] }[] = [];
  readonly #onBlock: OnBlock;
  readonly #signal: AbortSignal | undefined;
  #failure: unknown;
  #hasFailed = false;
  #isClosing = false;
  /** Wakes those that wait for a block to be done. */
  #wake: () => void = () => undefined;

  constructor(count: number, job: DataJob, onBlock: OnBlock, signal?: AbortSignal) {
    this.#onBlock = onBlock;
    this.#signal = signal;
    for (let i = 0; i < count; i++) this.#start(job);
    signal?.addEventListener("abort", this.#abort);
  }

  async submit(task: BlockTask): Promise<void> {
    for (;;) {
      this.#check();
      const worker = this.#workers.reduce((a, b) => (b.blocks.length < a.blocks.length ? b : a));
      if (worker.blocks.length < BLOCKS_OF_WORKER) {
        worker.blocks.push(task.block.number);
        const buffers = [task.block.bytes.buffer, ...(task.isNew === undefined ? [] : [task.isNew.buffer])];
        worker.thread.postMessage(task, buffers);
        return;
      }
      await this.#change();
    }
  }

  async drain(): Promise<void> {
    for (;;) {
      this.#check();
      if (this.#workers.every(({ blocks }) => blocks.length === 0)) return;
      await this.#change();
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    await Promise.all(this.#workers.map(({ thread }) => thread.terminate()));
  }

  #start(job: DataJob): void {
    const thread = startThread("data-worker", { workerData: job, resourceLimits });
    const blocks: number[] = [];
    this.#workers.push({ thread, blocks });
    thread.on("message", (reply: WorkerReply) => {
      const block = blocks.shift() as number;
      if ("failure" in reply) return this.#fail(fromFailure(reply.failure));
      this.#onBlock(block, reply.instances);
      this.#wake();
    });
    thread.on("error", (error) => this.#fail(workerFailed(`its end: ${error.message}`, error)));
    thread.on("exit", (code) => {
      if (!this.#isClosing) this.#fail(workerFailed(`its end with status ${code}`));
    });
  }

  readonly #abort = (): void => this.#wake();

  #fail(error: unknown): void {
    // The first failure is the cause of those that follow.
    if (!this.#hasFailed) this.#failure = error;
    this.#hasFailed = true;
    this.#wake();
  }

  #check(): void {
    this.#signal?.throwIfAborted();
    if (this.#hasFailed) throw this.#failure;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Room for new objects: they are words and lines that are soon forgotten, and more room holds more of them. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };
