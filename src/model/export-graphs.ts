/** The graphs that leave zhbert as ONNX models: inputs, outputs and axes named as Optimum and transformers.js expect them. */
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { reshape } from "../graph/ops/reshape.ts";
import type { BertConfig } from "./config.ts";
import { type ModelContext, modelContext } from "./context.ts";
import { encoder } from "./encoder.ts";
import { maskedLmHead, nextSentenceHead, pooler } from "./heads.ts";

/** What an exported model computes. */
export type ExportTask = "features" | "fill-mask" | "pretraining";

const [BATCH, SEQUENCE] = ["batch_size", "sequence_length"] as const;

/** Makes a task's outputs by name. @param states - float32 [batch_size * sequence_length, hiddenSize]. */
type ExportHead = (context: ModelContext, config: BertConfig, states: Tensor) => Record<string, Tensor>;

const pooled: ExportHead = (context, config, states) => ({
  pooler_output: pooler(context, config, states, BATCH, SEQUENCE),
});

const lastHiddenState: ExportHead = (_, { hiddenSize }, states) => ({
  last_hidden_state: reshape(states, [BATCH, SEQUENCE, hiddenSize]),
});

const tokenScores =
  (name: string): ExportHead =>
  (context, config, states) => ({
    [name]: reshape(maskedLmHead(context, config, states), [BATCH, SEQUENCE, config.vocabSize]),
  });

const nextSentenceScores: ExportHead = (context, config, states) => {
  const { pooler_output } = pooled(context, config, states);
  return { seq_relationship_logits: nextSentenceHead(context, pooler_output as Tensor) };
};

const heads: Readonly<Record<ExportTask, readonly ExportHead[]>> = {
  features: [lastHiddenState, pooled],
  "fill-mask": [tokenScores("logits")],
  pretraining: [tokenScores("prediction_logits"), nextSentenceScores],
};

/** The tasks that a model can be exported for. */
export const exportTasks = Object.keys(heads) as readonly ExportTask[];

/**
 * The graph of an exported model.
 *
 * Inputs: every parameter by its Hugging Face name; `input_ids`, `attention_mask`, `token_type_ids` (int64 [batch_size,
 * sequence_length]). Outputs, float32: for `features` last_hidden_state [batch_size, sequence_length, hiddenSize] and
 * pooler_output [batch_size, hiddenSize]; for `fill-mask` logits [batch_size, sequence_length, vocabSize]; for
 * `pretraining` prediction_logits, of the same shape, and seq_relationship_logits [batch_size, 2].
 * @param options.pooler - false leaves pooler_output out, for models without a pooler; true when left out.
 * Source: modeling_bert.py (ModelOutput classes) of huggingface/transformers; exporters/onnx of huggingface/optimum.
 */
export function exportGraph(config: BertConfig, task: ExportTask, options: { readonly pooler?: boolean } = {}): Graph {
  const context = modelContext();
  const tokens = (name: string) => input(name, "int64", [BATCH, SEQUENCE]);
  const inputs = {
    inputIds: tokens("input_ids"),
    attentionMask: tokens("attention_mask"),
    tokenTypeIds: tokens("token_type_ids"),
  };
  const states = encoder(context, config, inputs).at(-1) as Tensor;
  const wanted = heads[task].filter((head) => head !== pooled || options.pooler !== false);
  return buildGraph(Object.assign({}, ...wanted.map((head) => head(context, config, states))));
}
