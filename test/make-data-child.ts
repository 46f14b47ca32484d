/**
 * A process that makes training data and ends itself by SIGKILL after some milliseconds, unless it is done before:
 * tsx test/make-data-child.ts corpus output workers killAfterMs. Prints how many milliseconds the work has taken.
 */
import { makeData } from "../src/node/make-data.ts";
import { smallDataOptions } from "./small-data.ts";

const [corpus = "", output = "", workers, killAfterMs] = process.argv.slice(2);
const options = await smallDataOptions(corpus, output);
const began = performance.now();
setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(killAfterMs)).unref();
await makeData({ ...options, dupeFactor: 10, workers: Number(workers) });
console.log(performance.now() - began);
