/** One pre-training step against Transformers' BertForPreTraining as users run it: it computes the logits of all places. */
import { stepBench } from "./pretraining.ts";

export default stepBench({
  summary: "one pre-training step (MLM + NSP), 20 masked of 128, dropout 0.1, AdamW, against logits of all tokens",
  size: "base",
  cases: [{ precision: "bf16" }, { precision: "f32" }],
  rounds: 5,
  peers: { BertForPreTraining: {}, "BertForPreTraining, compiled": { mode: "compile" } },
  comparisons: [{ theirs: ["BertForPreTraining", "BertForPreTraining, compiled"], goal: 1.5 }],
  same: ["tokens", "examples"],
});
