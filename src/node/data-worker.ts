/** The program of a worker thread: blocks of text come in, their runs go to the disk. */
import { parentPort, workerData } from "node:worker_threads";
import { type Failure, toFailure } from "./data-failure.ts";
import { type BlockTask, type DataJob, prepareWork } from "./data-job.ts";

/** What a worker answers to each block. */
export type WorkerReply = { readonly instances: number } | { readonly failure: Failure };

const reply = (answer: WorkerReply): void => parentPort?.postMessage(answer);
const work = prepareWork(workerData as DataJob);
// Without a listener the failure would end the thread before a block asks for it.
work.catch(() => undefined);
let last: Promise<void> = Promise.resolve();

parentPort?.on("message", (task: BlockTask) => {
  // One block after the other, though the next is there already.
  last = last.then(async () => {
    try {
      reply({ instances: await (await work)(task, () => Promise.resolve()) });
    } catch (error) {
      reply({ failure: toFailure(error) });
    }
  });
});
