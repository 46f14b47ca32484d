/** How fast memory is: the limit of what does little arithmetic, such as the update of weights, or one text at a time. */
import type { Worker } from "node:worker_threads";
import type { CopyJob, CopyReply } from "./bandwidth-worker.ts";
import { startThread } from "./threads.ts";

/** More threads than these find no more memory to wait for. */
const MOST_THREADS = 16;
/** Of all arrays together: several times what caches hold. */
const TOTAL_BYTES = 512 * 2 ** 20;
const LEAST_BYTES = 32 * 2 ** 20;

/** What was measured. */
export interface MemoryBandwidth {
  /** Bytes read and bytes written a second, over all threads. */
  readonly bytesPerSecond: number;
  readonly threads: number;
  /** Of one array; each thread copies one to another. */
  readonly arrayBytes: number;
}

/** Copies arrays in worker threads, all at once. */
export async function measureMemoryBandwidth(processors: number, milliseconds = 500): Promise<MemoryBandwidth> {
  const threads = Math.max(1, Math.min(MOST_THREADS, processors));
  const arrayBytes = Math.max(LEAST_BYTES, Math.floor(TOTAL_BYTES / (2 * threads) / 8) * 8);
  const workerData: CopyJob = { bytes: arrayBytes, milliseconds };
  const workers = Array.from({ length: threads }, () => startThread("bandwidth-worker", { workerData }));
  try {
    await Promise.all(workers.map(nextReply));
    const rates = workers.map(nextReply);
    for (const worker of workers) worker.postMessage("begin");
    const measured = await Promise.all(rates);
    const bytesPerSecond = measured.reduce((sum, one) => sum + ("bytesPerSecond" in one ? one.bytesPerSecond : 0), 0);
    return { bytesPerSecond, threads, arrayBytes };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function nextReply(worker: Worker): Promise<CopyReply> {
  return new Promise((done, fail) => {
    worker.once("message", done);
    worker.once("error", fail);
  });
}
