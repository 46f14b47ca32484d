/** A BERT's configuration: config.json as published models have it, checked, with our names inside of the program. */
import { ConfigError, verbatim } from "../errors.ts";
import { expectBertShaped } from "./foreign-models.ts";
import { parseQuantization, type QuantizationConfig } from "./quantization-config.ts";

/** Activations that published BERT models use; `gelu` is the exact form, `gelu_new` the tanh form of Google's code. */
export type Activation = "gelu" | "gelu_new" | "relu";

/** How positions enter: learned vectors (BERT), or the fixed sinusoids of the Transformer. */
export type PositionEmbeddingType = "absolute" | "sinusoidal";

/** The sizes and rates of a BERT. */
export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: Activation;
  /** In 0 .. 1; after embeddings, attention output and feed-forward output. */
  readonly hiddenDropoutProb: number;
  /** In 0 .. 1; on the attention's probabilities. */
  readonly attentionProbsDropoutProb: number;
  /** In 0 .. 1; before the classifier of a fine-tuned model; the rate of hidden states when left out. */
  readonly classifierDropout?: number;
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  /** Standard deviation of the truncated normal that matrices start from. */
  readonly initializerRange: number;
  readonly layerNormEps: number;
  readonly padTokenId: number;
  readonly positionEmbeddingType: PositionEmbeddingType;
  /** How the weights and the arithmetic are rounded to 8 bits; in float when left out. */
  readonly quantization?: QuantizationConfig;
}

/** Sizes that have a name: BERT-base and -large, RBT3, and the four-layer student of TextBrewer. */
export const builtinSizes = {
  tiny: { hiddenSize: 312, numHiddenLayers: 4, numAttentionHeads: 12, intermediateSize: 1200 },
  rbt3: { hiddenSize: 768, numHiddenLayers: 3, numAttentionHeads: 12, intermediateSize: 3072 },
  base: { hiddenSize: 768, numHiddenLayers: 12, numAttentionHeads: 12, intermediateSize: 3072 },
  large: { hiddenSize: 1024, numHiddenLayers: 24, numAttentionHeads: 16, intermediateSize: 4096 },
} as const;

/** The name of a built-in size. */
export type BuiltinSize = keyof typeof builtinSizes;

/** What BERT's own code takes where config.json is silent. Source: modeling.py (BertConfig) of google-research/bert. */
const defaults = {
  hiddenAct: "gelu",
  hiddenDropoutProb: 0.1,
  attentionProbsDropoutProb: 0.1,
  maxPositionEmbeddings: 512,
  typeVocabSize: 2,
  initializerRange: 0.02,
  layerNormEps: 1e-12,
  padTokenId: 0,
  positionEmbeddingType: "absolute",
} as const satisfies Partial<BertConfig>;

/** Guards against hostile files: no published BERT comes near these. */
const MAX_SIZE = 1 << 24;
export const MAX_LAYERS = 1 << 10;

/**
 * A built-in size over a vocabulary.
 * @throws {ConfigError} for an unknown name.
 */
export function builtinConfig(name: string, vocabSize: number): BertConfig {
  if (!Object.hasOwn(builtinSizes, name)) {
    throw new ConfigError({
      where: "config",
      expected: `one of ${Object.keys(builtinSizes).join(", ")}, or a config.json`,
      got: name,
    });
  }
  return { ...defaults, ...builtinSizes[name as BuiltinSize], vocabSize };
}

/** PaddleNLP nests the fields of the encoder in those of the model around it; two levels are published. */
const MAX_NESTING = 8;

/** The LayerNorm epsilon of Paddle's own layers, which ERNIE was trained with; its configs do not name one. */
const ERNIE_LAYER_NORM_EPS = 1e-5;

/**
 * Reads and checks a config: Transformers' config.json, Google's bert_config.json, PaddleNLP's model_config.json (its
 * fields are inside `init_args[0]`), ERNIE 1.0's (which has no intermediate_size: it is 4 * hidden_size).
 * @param json - the parsed file.
 * @param where - its name, for messages.
 * @throws {ConfigError} naming the field that is missing or cannot be, or the kind of model that it is of.
 */
export function parseConfig(json: unknown, where: string): BertConfig {
  const fields = flattened(json, where);
  expectBertShaped(fields, where);
  const read = new FieldReader(fields, where);
  const hiddenSize = read.size("hidden_size", MAX_SIZE);
  const initClass = fields["init_class"];
  const isErnie = typeof initClass === "string" && initClass.startsWith("Ernie");
  const classifierDropout = read.optionalNumber("classifier_dropout", 1);
  const quantization = parseQuantization(fields["quantization_config"]);
  const config: BertConfig = {
    vocabSize: read.size("vocab_size", MAX_SIZE),
    hiddenSize,
    numHiddenLayers: read.size("num_hidden_layers", MAX_LAYERS),
    numAttentionHeads: read.size("num_attention_heads", MAX_SIZE),
    intermediateSize: read.size("intermediate_size", MAX_SIZE, 4 * hiddenSize),
    hiddenAct: read.choice(
      "hidden_act",
      { gelu: "gelu", gelu_new: "gelu_new", gelu_pytorch_tanh: "gelu_new", relu: "relu" },
      defaults.hiddenAct,
    ),
    hiddenDropoutProb: read.number("hidden_dropout_prob", defaults.hiddenDropoutProb, 1),
    attentionProbsDropoutProb: read.number("attention_probs_dropout_prob", defaults.attentionProbsDropoutProb, 1),
    ...(classifierDropout === undefined ? {} : { classifierDropout }),
    maxPositionEmbeddings: read.size("max_position_embeddings", MAX_SIZE, defaults.maxPositionEmbeddings),
    typeVocabSize: read.size("type_vocab_size", MAX_SIZE, defaults.typeVocabSize),
    initializerRange: read.number("initializer_range", defaults.initializerRange, 10),
    layerNormEps: read.number("layer_norm_eps", isErnie ? ERNIE_LAYER_NORM_EPS : defaults.layerNormEps, 1),
    padTokenId: read.number("pad_token_id", defaults.padTokenId, MAX_SIZE),
    positionEmbeddingType: read.choice(
      "position_embedding_type",
      { absolute: "absolute", sinusoidal: "sinusoidal" },
      defaults.positionEmbeddingType,
    ),
    ...(quantization === undefined ? {} : { quantization }),
  };
  expectHeadsDivide(config, where);
  return config;
}

/** The fields of a config, with those of PaddleNLP's innermost `init_args[0]` in one object. */
function flattened(json: unknown, where: string): Record<string, unknown> {
  let fields = expectObject(json, where);
  for (let depth = 0; Array.isArray(fields["init_args"]); depth++) {
    const { init_args: nested, ...own } = fields as { init_args: unknown[] };
    if (nested[0] === undefined || depth === MAX_NESTING) {
      throw new ConfigError({ where: `${where}: init_args`, expected: "a list with the model's fields", got: nested });
    }
    fields = { ...own, ...expectObject(nested[0], `${where}: init_args[0]`) };
  }
  return fields;
}

function expectObject(json: unknown, where: string): Record<string, unknown> {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new ConfigError({ where, expected: "a JSON object", got: json });
}

function expectHeadsDivide({ hiddenSize, numAttentionHeads }: BertConfig, where: string): void {
  if (hiddenSize % numAttentionHeads === 0) return;
  throw new ConfigError({
    where: `${where}: num_attention_heads`,
    expected: `a divisor of hidden_size ${hiddenSize}`,
    got: numAttentionHeads,
  });
}

class FieldReader {
  private readonly json: Record<string, unknown>;
  private readonly where: string;

  constructor(json: Record<string, unknown>, where: string) {
    this.json = json;
    this.where = where;
  }

  size(name: string, max: number, fallback?: number): number {
    const value = this.json[name] ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw this.wrong(name, `an integer in 1 .. ${max}`, value);
  }

  /** Undefined where the field is not there, or null. */
  optionalNumber(name: string, max: number): number | undefined {
    return this.json[name] === undefined || this.json[name] === null ? undefined : this.number(name, 0, max);
  }

  number(name: string, fallback: number, max: number): number {
    const value = this.json[name] ?? fallback;
    if (typeof value === "number" && value >= 0 && value <= max) return value;
    throw this.wrong(name, `a number in 0 .. ${max}`, value);
  }

  choice<T extends string>(name: string, choices: Readonly<Record<string, T>>, fallback: T): T {
    const value = this.json[name] ?? fallback;
    if (typeof value === "string" && Object.hasOwn(choices, value)) return choices[value] as T;
    throw this.wrong(name, `one of ${Object.keys(choices).join(", ")}`, value);
  }

  private wrong(name: string, expected: string, got: unknown): ConfigError {
    return new ConfigError({
      where: `${this.where}: ${name}`,
      expected,
      got: got === undefined ? verbatim("nothing") : got,
      hint: "config.json must be that of a BERT; see the model's page for the original",
    });
  }
}

/** config.json as Transformers reads it. */
export function configToJson(config: BertConfig): Record<string, unknown> {
  return {
    architectures: ["BertForPreTraining"],
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    ...(config.classifierDropout === undefined ? {} : { classifier_dropout: config.classifierDropout }),
    hidden_act: config.hiddenAct,
    hidden_dropout_prob: config.hiddenDropoutProb,
    hidden_size: config.hiddenSize,
    initializer_range: config.initializerRange,
    intermediate_size: config.intermediateSize,
    layer_norm_eps: config.layerNormEps,
    max_position_embeddings: config.maxPositionEmbeddings,
    model_type: "bert",
    num_attention_heads: config.numAttentionHeads,
    num_hidden_layers: config.numHiddenLayers,
    pad_token_id: config.padTokenId,
    position_embedding_type: config.positionEmbeddingType,
    type_vocab_size: config.typeVocabSize,
    vocab_size: config.vocabSize,
  };
}
