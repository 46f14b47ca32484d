/** What is stripped from the names of a file before they are looked up, and what is no weight of the model at all. */
import type { Dialect } from "./table.ts";

/**
 * Prefixes that wrap a model and say nothing about it: DataParallel's `module.`, the module of TensorFlow Hub, ERNIE
 * (BERT's network, of which both Transformers and PaddleNLP write the weights so), Keras's layer and class.
 */
const PREFIXES: Readonly<Record<Dialect, readonly (readonly [RegExp, string])[]>> = {
  huggingface: [
    [/^(module\.)+/, ""],
    [/^ernie\./, "bert."],
    [/^(?=(embeddings|encoder|pooler)\.)/, "bert."],
  ],
  "pytorch-2019": [
    [/^(module\.)+/, ""],
    [/^ernie\./, "bert."],
    [/^(?=(embeddings|encoder|pooler)\.)/, "bert."],
  ],
  tensorflow: [
    [/^module\//, ""],
    [/:0$/, ""],
  ],
  keras: [
    [/^([^/]+\/)?tf_[a-z0-9_]+\//, ""],
    [/:0$/, ""],
  ],
  paddle: [
    [/^ernie\./, "bert."],
    [/^(?=(embeddings|encoder|pooler)\.)/, "bert."],
  ],
};

/** A file's name as the table has it. */
export function stripped(raw: string, dialect: Dialect): string {
  return PREFIXES[dialect].reduce((name, [pattern, prefix]) => name.replace(pattern, prefix), raw);
}

/** Names that no model needs, with the reason, in every dialect. */
const IGNORED: readonly (readonly [RegExp, string])[] = [
  // Slots of TensorFlow's optimisers, Google's and ymcui's, with NVIDIA's and of Keras.
  [/(^|\/)(adam_[mv]|lamb_[mv]|adam[mv]_\d+|m|v|momentum|power)(:0)?$/i, "optimiser slot"],
  [
    /(^|\/)(Adam|AdamW|LAMB|Lamb|AdamWeightDecay|AdamWeightDecayOptimizer|LAMBOptimizer)[A-Za-z]*(_\d+)?(:0|\/|$)/,
    "optimiser slot",
  ],
  [/_(moment[12]|beta[12]_pow_acc)_\d+$/, "optimiser slot"],
  [/(^|\/)ExponentialMovingAverage(:0)?$/, "moving average of another weight"],
  [
    /(^|\/)(global_step|good_steps|bad_steps|(current_)?loss_scale|beta[12]_power|save_counter|is_overall_finite)(\/|:0|$)/,
    "state of training",
  ],
  [/^(_CHECKPOINTABLE_OBJECT_GRAPH|StructuredToParameterName@@|LR_Scheduler|master_weights)/, "bookkeeping"],
  [/(^|\.)embeddings\.(position_ids|token_type_ids)$/, "buffer"],
];

/** Why a tensor of this name is left out, or undefined when it may be a weight. */
export function reasonToIgnore(raw: string): string | undefined {
  return IGNORED.find(([pattern]) => pattern.test(raw))?.[1];
}

/** The embeddings of the encoder that Keras stores once more with the MLM head; the encoder's own name of each. */
export function kerasCopy(raw: string): string | undefined {
  return /^mlm___cls\/(?:tf_[a-z0-9_]+\/)?(bert\/embeddings\/.+?)(?::0)?$/.exec(raw)?.[1];
}
