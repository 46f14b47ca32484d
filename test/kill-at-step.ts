/** A training process that ends itself by SIGKILL after a step: tsx test/kill-at-step.ts data output config steps killAt */
import { pretrain } from "../src/node/pretrain.ts";

const [data = "", output = "", config = "", steps, killAt] = process.argv.slice(2);
await pretrain({
  data,
  output,
  config,
  steps: Number(steps),
  saveSteps: 10,
  loggingSteps: 3,
  seed: 7,
  learningRate: 3e-3,
  batchSize: 8,
  gradientAccumulationSteps: 2,
  dynamicMasking: true,
  threads: 2,
  onStep: (step) => {
    if (step === Number(killAt)) process.kill(process.pid, "SIGKILL");
  },
});
