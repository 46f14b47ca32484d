/**
 * A fine-tuning process that ends itself by SIGKILL, or not: tsx test/kill-fine-tuning.ts model folder output event count
 * goes on with a fine-tuning that is in the output folder; at the given count of an event (step, evaluation, result), or so many
 * milliseconds after its first start (time), it is gone. At its end it prints the milliseconds from there on.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type FineTuneOptions, fineTune, resumeFineTuning } from "../src/node/fine-tune.ts";

const [model = "", folder = "", output = "", event, count] = process.argv.slice(2);
const counts: Record<string, number> = {};
let began = 0;

function happened(name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
  if (name === event && counts[name] === Number(count)) process.kill(process.pid, "SIGKILL");
}

const environment = {
  threads: 2,
  onStart: () => {
    began ||= performance.now();
    if (event === "time") setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(count));
  },
  onStep: () => happened("step"),
  onEvaluate: () => happened("evaluation"),
  onResult: () => happened("result"),
};
const options: FineTuneOptions = {
  ...{ model, output, ...environment, runs: 2, seed: 5 },
  data: { name: "classify", ...files(["train", "dev", "test"]) },
  task: { maxSeqLength: 16 },
  ...{ epochs: 4, batchSize: 8, gradientAccumulationSteps: 2, learningRate: 3e-3, dropout: 0.1, evalBatchSize: 8 },
  ...{ optimizer: "lamb-nvidia", averageDecay: 0.8, layerDecay: 0.9, rDropAlpha: 0.5, patience: 100 },
  ...{ saveSteps: 2, evalSteps: 3, loggingSteps: 2 },
};

function files(splits: readonly string[]): Record<string, string> {
  return Object.fromEntries(splits.map((split) => [split, join(folder, `${split}.tsv`)]));
}

if (existsSync(join(output, "fine-tuning.json"))) await resumeFineTuning(output, environment);
else await fineTune(options);
console.log(performance.now() - began);
