/** One training step of RBT3 and BERT-base in both precisions, short and long; the MLM head computes masked places alone on both sides. */
import type { Settings } from "./bench.ts";
import { stepBench } from "./pretraining.ts";

/** 15 % of the places are masked. */
const SHAPES: readonly Settings[] = [
  { batch: 32, seq: 128, masked: 19 },
  { batch: 8, seq: 512, masked: 77 },
];

export default stepBench({
  summary: "one training step (masked words + next sentences), 21,128 tokens, dropout 0.1, AdamW",
  size: "rbt3",
  cases: ["bf16", "f32"].flatMap((precision) =>
    ["rbt3", "base"].flatMap((size) => SHAPES.map((shape) => ({ size, ...shape, precision }))),
  ),
  rounds: 7,
  peers: {
    torch: { "sparse-mlm": true },
    "torch compile": { "sparse-mlm": true, mode: "compile" },
  },
  comparisons: [{ theirs: ["torch", "torch compile"], goal: 1.2 }],
  same: ["tokens", "examples", "flop"],
});
