/** A model as an ONNX file for other programs: plain operators, dynamic axes, the layout of transformers.js. */
import { convertDType } from "../checkpoint/convert-dtype.ts";
import type { LazyTensors, OutputFile } from "../checkpoint/format.ts";
import { ArgumentError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { BertConfig } from "../model/config.ts";
import { type ExportTask, exportGraph } from "../model/export-graphs.ts";
import { parameterShapes } from "../model/initialize.ts";
import { expectNoFurtherLayers, expectNoneMissing } from "../model/match-weights.ts";
import { quantizedGraph } from "../model/quantized-graph.ts";
import { matchInferenceWeights } from "../model/quantized-weights.ts";
import { lowerGraph, OPSET } from "../onnx/lower.ts";
import { OPSETS } from "../onnx/serialize.ts";
import { streamModel } from "../onnx/stream.ts";
import { bytesPerElement, elementCount } from "../util/tensor.ts";

/** How a model is exported. */
export interface OnnxExportOptions {
  /** What the model computes; `features` when left out. */
  readonly task?: ExportTask;
  /** The version of ONNX's operators, 13 .. 21; 17 when left out. */
  readonly opset?: number;
  /** Whether weights go into a file beside the model; when left out, where they take more than 1.5 GiB. */
  readonly externalData?: boolean;
  /** How weights are stored; the model computes in float32 in any case. float32 when left out. */
  readonly dtype?: "float32" | "float16";
  /** Told when a weight has been written some of whose values became infinite in float16. */
  readonly onOverflow?: (name: string, count: number) => void;
}

/** An exported model. */
export interface OnnxExport {
  /** `onnx/model.onnx` and, with external data, `onnx/model.onnx_data`; `model_fp16` for float16, `model_quantized` of integers. */
  readonly files: readonly OutputFile[];
  readonly isExternal: boolean;
  /** Of all weights, in bytes. */
  readonly weightBytes: number;
  /** Names of the weights that are written, whatever became of each. */
  readonly written: readonly string[];
}

/** Readers of protobuf refuse messages of 2 GiB; what is added to the weights stays far below the rest. */
const MAX_INLINE_BYTES = 1.5 * 2 ** 30;

/**
 * Makes the files of an ONNX model; weights are read as the chunks are taken.
 * @param model.weights - under Hugging Face's names, as `toHuggingFaceNames` gives them.
 * @param model.where - the file of the weights, for messages.
 * @throws {ArgumentError} for an operator version that cannot be written, or weights too large to be inside of the model.
 * @throws {ConfigError} when the weights contradict the config, or the task needs some that are missing.
 */
export function exportOnnx(
  { config, weights, where }: { readonly config: BertConfig; readonly weights: LazyTensors; readonly where: string },
  { task = "features", opset = OPSET, dtype = "float32", externalData, onOverflow }: OnnxExportOptions = {},
): OnnxExport {
  expectOpset(opset);
  const shapes = parameterShapes(config, { nextSentence: true });
  const matched = matchInferenceWeights(weights, shapes, where, config.quantization);
  expectNoFurtherLayers(matched.report, config, where);
  if (matched.quantized !== undefined && dtype === "float16") throw mixedPrecision(where);
  const hasPooler = matched.weights.has("bert.pooler.dense.weight");
  const floats = exportGraph(config, task, { pooler: hasPooler });
  const needed = new Set(parameterNames(floats));
  expectNoneMissing({ ...matched.report, missing: matched.report.missing.filter((name) => needed.has(name)) }, where);
  const graph = matched.quantized === undefined ? floats : quantizedGraph(floats, matched.quantized);
  const names = new Set(parameterNames(graph));
  const used = new Map([...matched.weights].filter(([name]) => names.has(name)));
  const stored = convertDType(used, dtype, onOverflow);
  const weightBytes = [...stored.values()].reduce(
    (sum, one) => sum + bytesPerElement(one.dtype) * elementCount(one.shape),
    0,
  );
  if (externalData === false && weightBytes > MAX_INLINE_BYTES) throw tooLarge(weightBytes);
  const isExternal = externalData ?? weightBytes > MAX_INLINE_BYTES;
  const name = matched.quantized === undefined ? FILE_NAMES[dtype] : "model_quantized.onnx";
  const lowered = lowerGraph(graph, { contrib: false, opset });
  const { model, externalData: beside } = streamModel(lowered, stored, isExternal ? `${name}_data` : undefined);
  // The weights first: a reader that sees the model finds its data there.
  const files = [
    ...(beside ? [{ path: `onnx/${name}_data`, chunks: beside }] : []),
    { path: `onnx/${name}`, chunks: model },
  ];
  return { files, isExternal, weightBytes, written: [...needed] };
}

/** As Optimum and transformers.js call them. */
const FILE_NAMES = { float32: "model.onnx", float16: "model_fp16.onnx" } as const;

function mixedPrecision(where: string): ArgumentError {
  return new ArgumentError({
    where: "dtype",
    expected: "float32: what is not quantised stays float32",
    got: "float16",
    hint: `${where} is quantised: leave dtype out, or convert the float model that it was made from`,
  });
}

function tooLarge(weightBytes: number): ArgumentError {
  return new ArgumentError({
    where: "externalData",
    expected: `weights of at most ${MAX_INLINE_BYTES} bytes inside of the model`,
    got: weightBytes,
    hint: "leave externalData out: readers of protobuf take no message of 2 GiB",
  });
}

function expectOpset(opset: number): void {
  if (OPSETS.includes(opset)) return;
  throw new ArgumentError({
    where: "opset",
    expected: `an operator version from ${OPSETS[0]} to ${OPSETS.at(-1)}`,
    got: opset,
    hint: "17, the default, is read by every current runtime",
  });
}

function parameterNames({ inputs }: Graph): string[] {
  return inputs.filter(({ parameter }) => parameter).map(({ name }) => name);
}
