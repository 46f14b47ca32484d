/** A model in another format: which files it becomes, in which names and layouts, and what does not come along. */
import { convertDType, type WeightDType } from "../checkpoint/convert-dtype.ts";
import type { CheckpointFormat, LazyTensors, OutputFile } from "../checkpoint/format.ts";
import { checkpointFormats } from "../checkpoint/formats.ts";
import { shardedFiles, tensorSize } from "../checkpoint/shards.ts";
import { ArgumentError, ConfigError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { type ConfigFile, googleConfig, paddleConfig, transformersConfig } from "../model/config-layouts.ts";
import { inferConfig } from "../model/config-repairs.ts";
import type { ExportTask } from "../model/export-graphs.ts";
import { parameterShapes } from "../model/initialize.ts";
import { dequantized, quantizedIn } from "../model/quantized-weights.ts";
import { translate } from "../model/weight-names/table.ts";
import { type Dialect, fromHuggingFaceNames } from "../model/weight-names.ts";
import { TOKENIZER_FILES, tokenizerFiles } from "../text/tokenizer-files.ts";
import { type OpenedModel, TASK_FILE } from "./load-model.ts";
import { exportOnnx } from "./onnx-export.ts";

/** What a model can be converted to. */
export const conversionTargets = ["safetensors", "pytorch", "tensorflow", "paddle", "onnx"] as const;

/** One of `conversionTargets`. */
export type ConversionTarget = (typeof conversionTargets)[number];

/** How a model is converted. */
export interface ConversionOptions {
  readonly to: ConversionTarget;
  /** `keep` leaves every tensor as it is; when left out, `keep`, for ONNX float32. */
  readonly dtype?: "keep" | WeightDType;
  /** `encoder` leaves all heads out; `all` when left out. */
  readonly only?: "all" | "encoder";
  /** The most bytes of one file of safetensors or PyTorch; one file when left out. */
  readonly maxShardBytes?: number;
  /** ONNX: what the model computes, the version of operators, and whether weights lie beside the model. */
  readonly task?: ExportTask;
  readonly opset?: number;
  readonly externalData?: boolean;
}

/** The files of a converted model, and what became of its tensors. */
export interface Conversion {
  /** Taken one after the other; their bytes are made as they are taken. */
  readonly weightFiles: Iterable<OutputFile>;
  /** Config and tokeniser by path. */
  readonly smallFiles: ReadonlyMap<string, string>;
  /** Bytes of all tensors that are written. */
  readonly bytes: number;
  /** Names of tensors: written, not there, written under names that no program knows. */
  readonly written: readonly string[];
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
  /** Left out: `name: reason`. */
  readonly dropped: readonly string[];
  /** Finite values that became infinite, by tensor; complete when all files are taken. */
  readonly overflows: ReadonlyMap<string, number>;
  /** For people. */
  readonly notes: readonly string[];
}

/** Names, layout and small files of each program. */
interface Layout {
  readonly dialect: Dialect;
  /** Whether a parameter that is tied to another one is stored under both names. */
  readonly hasTiedCopies: boolean;
  readonly configName: string;
  config(config: BertConfig, architecture: string, original: unknown): ConfigFile;
  readonly tokenizerFiles: readonly (typeof TOKENIZER_FILES)[number][];
}

const transformers: Layout = {
  dialect: "huggingface",
  hasTiedCopies: false,
  configName: "config.json",
  config: transformersConfig,
  tokenizerFiles: TOKENIZER_FILES,
};

const layouts: Readonly<Record<ConversionTarget, Layout>> = {
  safetensors: transformers,
  pytorch: { ...transformers, hasTiedCopies: true },
  onnx: transformers,
  tensorflow: {
    dialect: "tensorflow",
    hasTiedCopies: true,
    configName: "bert_config.json",
    config: googleConfig,
    tokenizerFiles: ["vocab.txt"],
  },
  paddle: {
    dialect: "paddle",
    hasTiedCopies: true,
    configName: "model_config.json",
    config: (config, architecture) => paddleConfig(config, architecture.replace("PreTraining", "Pretraining")),
    tokenizerFiles: ["vocab.txt", "tokenizer_config.json"],
  },
};

/**
 * Plans the conversion of a model; weights are read as the files' bytes are taken.
 * @throws {ArgumentError} for options that the target does not have.
 * @throws {ConfigError} when an ONNX model is asked for without a config, or of a part that is not there.
 */
export function convertModel(model: OpenedModel, options: ConversionOptions): Conversion {
  expectOptions(options);
  expectHolds(model, options);
  const overflows = new Map<string, number>();
  const noteOverflow = (name: string, count: number) => overflows.set(name, count);
  const { kept, dropped } = chooseTensors(model, options.only ?? "all");
  const config = model.config ?? inferConfig(kept)?.config;
  const weights = weightsAmong(model, kept);
  const shapes = config ? parameterShapes(config, { nextSentence: true }) : new Map<string, readonly number[]>();
  const plan =
    options.to === "onnx"
      ? planOnnx(model, kept, options, noteOverflow)
      : planCheckpoint(model, kept, options, noteOverflow);
  const small = smallFiles(model, options, plan.architecture, plan.isExternal);
  return {
    weightFiles: plan.files,
    bytes: plan.bytes,
    written: plan.written,
    smallFiles: small.files,
    missing: [...shapes.keys()].filter((name) => !kept.has(name) && isWanted(name, options)),
    unknown: options.to === "onnx" ? [] : plan.written.filter((name) => weights.has(name) && !isKnown(name)),
    dropped: [...dropped, ...plan.dropped],
    overflows,
    notes: [...model.notes, ...small.notes],
  };
}

/** Whether somebody who asks for this conversion would miss a parameter; a task's own are needed to write it at all. */
function isWanted(name: string, { to, task = "features", only }: ConversionOptions): boolean {
  if (to === "onnx") return task === "features" && name.startsWith("bert.pooler.");
  return only !== "encoder" || isEncoder(name);
}

function expectOptions({ to, dtype, maxShardBytes, task, opset, externalData }: ConversionOptions): void {
  const onlyOnnx = Object.entries({ task, opset, externalData }).find(([, value]) => value !== undefined);
  if (to !== "onnx" && onlyOnnx) throw wrongOption(onlyOnnx[0], "the target onnx", to);
  if (maxShardBytes !== undefined && to !== "safetensors" && to !== "pytorch") {
    throw wrongOption("maxShardBytes", "the target safetensors or pytorch", to);
  }
  if (to === "onnx" && (dtype === "bfloat16" || dtype === "keep")) {
    throw wrongOption("dtype", "float32 or float16 for onnx", dtype);
  }
}

/** Integers with scales are read from safetensors; an ONNX model computes with them. */
function expectHolds({ named, config, where }: OpenedModel, { to, dtype = "keep" }: ConversionOptions): void {
  const [first] = quantizedIn(named.tensors);
  if (
    config?.quantization === undefined ||
    first === undefined ||
    to === "onnx" ||
    (to === "safetensors" && dtype === "keep")
  )
    return;
  throw new ConfigError({
    where,
    expected: `float weights to convert to ${to}`,
    got: verbatim(`int8 weights (${first})`),
    hint: "convert the float model that it was made from; a quantised one becomes safetensors or onnx as it is",
  });
}

/** Without the scales that belong to integers. */
function weightsAmong({ config, where }: OpenedModel, tensors: LazyTensors): LazyTensors {
  return config?.quantization === undefined ? tensors : dequantized(tensors, where);
}

function wrongOption(name: string, expected: string, got: string): ArgumentError {
  return new ArgumentError({ where: `convert: ${name}`, expected, got });
}

function isKnown(name: string): boolean {
  return translate(name, "huggingface", "huggingface") !== undefined;
}

/** Embeddings, layers and pooler: what `only: "encoder"` keeps. */
function isEncoder(name: string): boolean {
  return name.startsWith("bert.");
}

function chooseTensors({ named }: OpenedModel, only: "all" | "encoder") {
  if (only === "all") return { kept: named.tensors, dropped: named.ignored };
  const heads = [...named.tensors.keys()].filter((name) => !isEncoder(name));
  return {
    kept: new Map([...named.tensors].filter(([name]) => isEncoder(name))),
    dropped: [...named.ignored, ...heads.map((name) => `${name}: not asked for`)],
  };
}

interface Plan {
  readonly files: Iterable<OutputFile>;
  readonly bytes: number;
  readonly written: readonly string[];
  readonly dropped: readonly string[];
  readonly architecture: string;
  readonly isExternal: boolean;
}

type OnOverflow = (name: string, count: number) => void;

function planOnnx(model: OpenedModel, kept: LazyTensors, options: ConversionOptions, onOverflow: OnOverflow): Plan {
  const { config, where } = model;
  if (config === undefined) {
    throw new ConfigError({
      where,
      expected: "a config.json (or bert_config.json, model_config.json) beside the weights",
      got: verbatim("none"),
      hint: "an ONNX model computes by its config: take it from where the weights came from",
    });
  }
  const { dtype = "float32", task = "features", opset, externalData } = options;
  const { files, isExternal, weightBytes, written } = exportOnnx(
    { config, weights: kept, where },
    {
      task,
      dtype: dtype as "float32" | "float16",
      onOverflow,
      ...(opset === undefined ? {} : { opset }),
      ...(externalData === undefined ? {} : { externalData }),
    },
  );
  const used = new Set(written);
  const dropped = [...weightsAmong(model, kept).keys()]
    .filter((name) => !used.has(name))
    .map((name) => `${name}: not part of ${task}`);
  const architectures = { features: "BertModel", "fill-mask": "BertForMaskedLM", pretraining: "BertForPreTraining" };
  return { files, bytes: weightBytes, written, dropped, architecture: architectures[task], isExternal };
}

function planCheckpoint(
  model: OpenedModel,
  kept: LazyTensors,
  { to, dtype = "keep", maxShardBytes }: ConversionOptions,
  onOverflow: OnOverflow,
): Plan {
  const layout = layouts[to];
  const { write } = checkpointFormats.find(({ name }) => name === to) as Required<CheckpointFormat>;
  const tensors = dtype === "keep" ? kept : convertDType(kept, dtype, onOverflow);
  // Over several files the bytes of a tied copy could not be shared.
  const tiedCopies = layout.hasTiedCopies && maxShardBytes === undefined;
  const named = fromHuggingFaceNames(tensors, layout.dialect, { tiedCopies });
  const metadata = to === "safetensors" ? { ...model.checkpoint.metadata, format: "pt" } : undefined;
  const files =
    maxShardBytes === undefined ? write(named, metadata) : shardedFiles(write, named, maxShardBytes, metadata);
  return {
    files,
    bytes: [...tensors.values()].reduce((sum, tensor) => sum + tensorSize(tensor), 0),
    written: [...tensors.keys()],
    dropped: [],
    architecture: architectureOf(tensors, model.configJson),
    isExternal: false,
  };
}

/** The class of Transformers that has the heads that there are weights for. */
function architectureOf(tensors: LazyTensors, original: unknown): string {
  const [hasMlm, hasNsp] = [tensors.has("cls.predictions.bias"), tensors.has("cls.seq_relationship.weight")];
  if (hasMlm) return hasNsp ? "BertForPreTraining" : "BertForMaskedLM";
  if (hasNsp) return "BertForNextSentencePrediction";
  if (tensors.has("qa_outputs.weight")) return "BertForQuestionAnswering";
  if (!tensors.has("classifier.weight")) return "BertModel";
  // The weights of texts', tokens' and choices' classifiers have the same names.
  const named = (original as { architectures?: unknown } | null | undefined)?.architectures;
  const first: unknown = Array.isArray(named) ? named[0] : undefined;
  return typeof first === "string" && first.startsWith("BertFor") ? first : "BertForSequenceClassification";
}

function smallFiles(
  { config, configJson, taskJson, tokenizer, where }: OpenedModel,
  { to, only }: ConversionOptions,
  architecture: string,
  isExternal: boolean,
) {
  const layout = layouts[to];
  const files = new Map<string, string>();
  const notes: string[] = [];
  if (config === undefined) notes.push(`${where} has no config beside it, so that none is written`);
  else {
    const file = layout.config(config, architecture, configJson);
    const more = isExternal ? { "transformers.js_config": { use_external_data_format: true } } : {};
    files.set(layout.configName, `${JSON.stringify({ ...file.json, ...more }, undefined, 2)}\n`);
    notes.push(...file.notes);
  }
  if (tokenizer === undefined) notes.push(`${where} has no vocabulary beside it, so that none is written`);
  else {
    const texts = tokenizerFiles(tokenizer, config?.maxPositionEmbeddings ?? 512);
    for (const name of layout.tokenizerFiles) files.set(name, texts[name]);
  }
  // The heads of tasks are kept as they are, by every program's names for them; an ONNX file has none of them.
  if (taskJson !== undefined && to !== "onnx" && only !== "encoder") {
    files.set(TASK_FILE, `${JSON.stringify(taskJson, undefined, 2)}\n`);
  }
  return { files, notes };
}
