/** The most memory that a process takes for training steps of BERT-base: engine, weights, optimiser, activations, all of it. */
import { stepBench } from "./pretraining.ts";

export default stepBench({
  summary: "peak memory of training steps of BERT-base; the processes from their start on",
  size: "base",
  cases: ["bf16", "f32"].flatMap((precision) => [
    { batch: 32, seq: 128, masked: 19, precision },
    { batch: 8, seq: 512, masked: 77, precision },
  ]),
  rounds: 1,
  peers: { torch: { "sparse-mlm": true } },
  comparisons: [{ theirs: "torch", memoryGoal: 0.8 }],
  same: ["tokens", "examples", "flop"],
});
