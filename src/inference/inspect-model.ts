/** What a model's files hold, without its weights: format, dialect, sizes, heads, and what a careless reader would risk. */
import { refusePlaceholders } from "../checkpoint/placeholders.ts";
import type { ModelFiles } from "../checkpoint/source.ts";
import { type BertConfig, configToJson } from "../model/config.ts";
import { inferConfig } from "../model/config-repairs.ts";
import { parameterShapes } from "../model/initialize.ts";
import { matchWeights } from "../model/match-weights.ts";
import { inspectMlmHead, type MlmHeadInspection } from "../model/mlm-head.ts";
import { dequantized } from "../model/quantized-weights.ts";
import { bytesPerElement, type DType, elementCount } from "../util/tensor.ts";
import { chooseCheckpoint, type OpenedModel, type OpenModelOptions, openModel } from "./load-model.ts";

/** One tensor as its file has it. */
export interface TensorFacts {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What is known of a model without computing with it. */
export interface ModelInspection {
  /** The checkpoint's path. */
  readonly where: string;
  readonly format: string;
  /** Whose names the weights bear. */
  readonly dialect: string;
  /** config.json with Transformers' names; assumed from shapes where there is none, undefined where that fails too. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  /** Entries of the vocabulary; undefined where there is none. */
  readonly vocabulary: number | undefined;
  /** Under the file's own names, in its order. */
  readonly tensors: readonly TensorFacts[];
  /** Numbers in the weights of the model, slots and copies not counted. */
  readonly parameters: number;
  readonly bytes: number;
  /** Parameters by what became of them; empty lists without a config. */
  readonly report: {
    readonly loaded: readonly string[];
    readonly missing: readonly string[];
    readonly unexpected: readonly string[];
    readonly reshaped: readonly string[];
  };
  /** Names left out, each with its reason. */
  readonly ignored: readonly string[];
  readonly mlmHead: MlmHeadInspection | undefined;
  readonly notes: readonly string[];
}

/**
 * What in a checkpoint could harm a less careful reader; nothing of it is executed or built.
 * @returns a line for each danger; empty where the format has none.
 * @throws {FileError} when there is no checkpoint among the files.
 */
export async function findDangers(given: ModelFiles, options: OpenModelOptions = {}): Promise<readonly string[]> {
  const files = refusePlaceholders(given);
  const { format, path } = await chooseCheckpoint(files, options.checkpoint);
  return (await format.findDangers?.(files, path)) ?? [];
}

/**
 * Looks at a model; of the weights only the small tensors of the MLM head are read.
 * @throws as `openModel`; {ConfigError} when a tensor's shape contradicts the config.
 */
export async function inspectModel(files: ModelFiles, options: OpenModelOptions = {}): Promise<ModelInspection> {
  const model = await openModel(files, options);
  const { config, notes } = configOf(model);
  const { named, checkpoint, where, format, tokenizer } = model;
  const foreign = [...named.tensors.keys()].some((name) => OF_BERT.test(name)) ? [] : [nothingOfBert(model)];
  const tensors = [...checkpoint.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const none = { loaded: [], missing: [], unexpected: [...named.tensors.keys()], reshaped: [] };
  const shapes = config && parameterShapes(config, { nextSentence: true });
  return {
    where,
    format: checkpoint.format || format.name,
    dialect: named.dialect,
    config: config && configToJson(config),
    vocabulary: tokenizer?.vocabulary.size,
    tensors,
    parameters: [...named.tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0),
    bytes: tensors.reduce((sum, { dtype, shape }) => sum + bytesPerElement(dtype) * elementCount(shape), 0),
    report: shapes ? matchWeights(dequantized(named.tensors, where), shapes, where).report : none,
    ignored: named.ignored,
    mlmHead: config && inspectMlmHead(dequantized(named.tensors, where), config),
    notes: [...notes, ...foreign],
  };
}

/** Names of BERT's encoder and of its heads from pre-training. */
const OF_BERT = /^(bert|cls)\./;

function nothingOfBert({ checkpoint, where }: OpenedModel): string {
  const names = [...checkpoint.tensors.keys()];
  const shown = names.slice(0, 3).join(", ");
  return `${where} holds nothing of a BERT: ${names.length === 0 ? "no tensors" : `its tensors are of another model (${shown}${names.length > 3 ? ", ..." : ""})`}`;
}

function configOf({ config, named, notes, tokenizer }: OpenedModel): {
  config: BertConfig | undefined;
  notes: readonly string[];
} {
  if (config) return { config, notes: [...notes, ...vocabularyNotes(config, tokenizer?.vocabulary.size)] };
  const inferred = inferConfig(named.tensors);
  return { config: inferred?.config, notes: [...notes, ...(inferred?.notes ?? [])] };
}

/** Loading such a model is an error; looking at it must say so. */
function vocabularyNotes({ vocabSize }: BertConfig, size = 0): string[] {
  if (size <= vocabSize) return [];
  return [
    `the vocabulary has ${size} entries and the embeddings have ${vocabSize} rows: the model does not load with it; take both from the same folder`,
  ];
}
