/** A config as other programs want it: Google's bert_config.json and PaddleNLP's model_config.json, besides config.json. */
import { type BertConfig, configToJson } from "./config.ts";

/** A config file, and what it cannot say. */
export interface ConfigFile {
  readonly json: Readonly<Record<string, unknown>>;
  /** For people; empty where the file says everything. */
  readonly notes: readonly string[];
}

/** What Google's and PaddleNLP's code take without being told. */
const GOOGLE_EPS = 1e-12;
const PADDLE_EPS = 1e-5;

/**
 * config.json of Transformers.
 * @param architecture - `BertForPreTraining`. @param original - fields of the file that the model came with; those that
 *   zhbert does not know are kept.
 */
export function transformersConfig(config: BertConfig, architecture: string, original: unknown): ConfigFile {
  const known = configToJson(config);
  const isFlat = typeof original === "object" && original !== null && !("init_args" in original);
  // The original's dtype says how the weights were stored, and Transformers asks the weights themselves.
  const { torch_dtype: _, dtype: __, ...kept } = (isFlat ? original : {}) as Record<string, unknown>;
  return { json: { ...kept, ...known, architectures: [architecture] }, notes: [] };
}

/**
 * bert_config.json of google-research/bert.
 * Source: BertConfig and get_activation in modeling.py of google-research/bert.
 */
export function googleConfig(config: BertConfig): ConfigFile {
  const notes = [...unsaid(config, "bert_config.json", GOOGLE_EPS)];
  // Google's code knows one gelu, the tanh form, under the plain name.
  if (config.hiddenAct === "gelu_new") {
    notes.push(
      'bert_config.json says "gelu", which in Google\'s code is the tanh form (gelu_new); Transformers and zhbert read it as the exact one',
    );
  }
  return { json: { ...shared(config), hidden_act: config.hiddenAct === "relu" ? "relu" : "gelu" }, notes };
}

/**
 * model_config.json of PaddleNLP 2.2.
 * @param initClass - of the whole model: `BertForPretraining`; its `BertModel` is inside.
 */
export function paddleConfig(config: BertConfig, initClass: string): ConfigFile {
  const fields = { ...shared(config), pad_token_id: config.padTokenId };
  const json =
    initClass === "BertModel"
      ? { ...fields, init_class: "BertModel" }
      : { init_args: [{ ...fields, init_class: "BertModel" }], init_class: initClass };
  const notes = unsaid(config, "model_config.json", PADDLE_EPS);
  if (config.layerNormEps !== GOOGLE_EPS) {
    notes.push(
      "model_config.json: zhbert reads a BERT's without layer_norm_eps as one of 1e-12, which this model does not have",
    );
  }
  return { json, notes };
}

/** The fields that all have under these names. */
function shared(config: BertConfig) {
  const { architectures, layer_norm_eps, model_type, pad_token_id, position_embedding_type, ...fields } =
    configToJson(config);
  return fields;
}

function unsaid({ layerNormEps, positionEmbeddingType }: BertConfig, file: string, eps: number): string[] {
  return [
    ...(layerNormEps === eps ? [] : [`${file} has no field for layer_norm_eps ${layerNormEps}; its code takes ${eps}`]),
    ...(positionEmbeddingType === "absolute" ? [] : [`${file} has no field for position_embedding_type sinusoidal`]),
  ];
}
