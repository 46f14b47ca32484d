/** The program of a worker thread that copies one array to another for a while. */
import { parentPort, workerData } from "node:worker_threads";

/** What is copied, and how long. */
export interface CopyJob {
  /** Of one array. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** First that the arrays are there; after the signal to begin, the rate of bytes read and written. */
export type CopyReply = { readonly isReady: true } | { readonly bytesPerSecond: number };

const reply = (answer: CopyReply): void => parentPort?.postMessage(answer);

const { bytes, milliseconds } = workerData as CopyJob;
const from = new Float64Array(bytes / 8).fill(1);
const to = new Float64Array(bytes / 8);
// The system gives memory when it is first written to.
to.set(from);

parentPort?.once("message", () => {
  const began = performance.now();
  let copies = 0;
  do {
    to.set(from);
    copies += 1;
  } while (performance.now() - began < milliseconds);
  reply({ bytesPerSecond: (2000 * copies * bytes) / (performance.now() - began) });
});
reply({ isReady: true });
