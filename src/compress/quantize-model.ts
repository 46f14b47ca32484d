/**
 * A model's weights as integers, for inference: calibrated over texts, the layers that would suffer most left in float.
 *
 * Source: Jacob et al. 2018, section 2 (integer arithmetic); Zafrir et al. 2019, Q8BERT; Wu et al. 2020, Integer quantization for
 * deep learning inference, sections 3 and 5 (scales by channel, calibration, partial quantisation).
 */
import { type LazyTensor, type LazyTensors, lazyTensor } from "../checkpoint/format.ts";
import { tensorSize } from "../checkpoint/shards.ts";
import { ConfigError, verbatim } from "../errors.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import type { TokenRow } from "../inference/token-rows.ts";
import { parameterShapes } from "../model/initialize.ts";
import { expectNoFurtherLayers, matchWeights } from "../model/match-weights.ts";
import { type QuantizationConfig, quantizationJson } from "../model/quantization-config.ts";
import type { LinearSite } from "../model/quantized-graph.ts";
import {
  DECODER,
  dequantized,
  type InputRounding,
  quantizedIn,
  quantizedNames,
  WORD_EMBEDDINGS,
} from "../model/quantized-weights.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import type { ActivationScale, RangeMethod } from "./activation-range.ts";
import {
  activationScales,
  type Histograms,
  observeActivations,
  type StudyEnvironment,
  studyBatches,
} from "./calibrate.ts";
import { LARGEST_LEVEL, quantizeRows, REDUCED_LEVEL } from "./quantize-rows.ts";
import { type KeepRule, type LayerSensitivity, layerSensitivities, layersToKeep } from "./sensitivity.ts";
import { linearSites, studyGraph } from "./study-graph.ts";

/** How the inputs of linear layers are rounded: on scales of the calibration, or on those of each batch. */
export const QUANTIZATION_MODES = ["static", "dynamic"] as const;
/** One of `QUANTIZATION_MODES`. */
export type QuantizationMode = (typeof QUANTIZATION_MODES)[number];

/** What is chosen before a model is quantised. */
export interface QuantizationOptions {
  readonly mode: QuantizationMode;
  /** How the ranges of activations are chosen; of static models only. */
  readonly method: RangeMethod;
  readonly keep: KeepRule;
  /** Whether weights take 7 bits, for engines that add products up in 16 bits. */
  readonly reduceRange: boolean;
}

/** A model whose linear layers and token embeddings are integers. */
export interface QuantizedModel {
  /** With the integers among its tensors, and a config that says so. */
  readonly model: LoadedModel;
  /** Every linear layer by itself, in the order of the graph. */
  readonly layers: readonly LayerSensitivity[];
  /** Those that stay in float because they would suffer most. */
  readonly kept: readonly string[];
  /** Bytes of all tensors. */
  readonly bytes: number;
}

/** What is known of a model before it is quantised in one way or another. */
export interface QuantizationStudy {
  readonly loaded: LoadedModel;
  readonly sites: readonly LinearSite[];
  readonly histograms: Histograms;
  /** Bytes of all tensors. */
  readonly bytes: number;
  readonly weights: NamedTensors;
  readonly graph: ReturnType<typeof studyGraph>;
  readonly rows: readonly TokenRow[];
}

/**
 * Runs a model over calibration texts.
 * @throws {ConfigError} when it is quantised already, or lacks weights of its encoder.
 */
export async function studyModel(
  loaded: LoadedModel,
  rows: readonly TokenRow[],
  environment: StudyEnvironment,
): Promise<QuantizationStudy> {
  const { config, named, where } = loaded;
  expectFloats(loaded);
  const matched = matchWeights(named.tensors, parameterShapes(config, { nextSentence: true }), where);
  expectNoFurtherLayers(matched.report, config, where);
  const lacks = (part: string) => matched.report.missing.some((name) => name.startsWith(part));
  const graph = studyGraph(config, { pooler: !lacks("bert.pooler."), maskedLm: !lacks("cls.predictions.") });
  const names = new Set(graph.inputs.filter(({ parameter }) => parameter).map(({ name }) => name));
  const weights = new Map(
    [...matched.weights].flatMap(([name, tensor]) => (names.has(name) ? [[name, tensor.read()]] : [])),
  );
  const histograms = await observeActivations(graph, weights, rows, environment);
  return { loaded, sites: linearSites(graph), histograms, bytes: sizeOf(named.tensors), weights, graph, rows };
}

function sizeOf(tensors: LazyTensors): number {
  return [...tensors.values()].reduce((sum, tensor) => sum + tensorSize(tensor), 0);
}

/** @throws {ConfigError} when a model is quantised. */
export function expectFloats({ named, config, where }: Pick<LoadedModel, "named" | "config" | "where">): void {
  const [first] = quantizedIn(named.tensors);
  if (first === undefined && config.quantization === undefined) return;
  throw new ConfigError({
    where,
    expected: "a model with float weights",
    got: verbatim(`one that is quantised already${first === undefined ? "" : ` (${first} is int8)`}`),
    hint: "quantise the float model that it was made from: each rounding adds its own loss",
  });
}

/** Tokens over which each layer is quantised by itself: outputs of so many differ by 1 % between samples. */
const SENSITIVITY_TOKENS = 512;

/**
 * Quantises a studied model.
 * @param environment.onProgress - told after each layer that was studied by itself.
 */
export async function quantizeModel(
  study: QuantizationStudy,
  { mode, method, keep, reduceRange }: QuantizationOptions,
  environment: StudyEnvironment,
): Promise<QuantizedModel> {
  const { sites, weights, graph, rows, loaded } = study;
  const scales = activationScales(study.histograms, method);
  const rounding = (module: string): InputRounding =>
    mode === "dynamic" ? "dynamic" : (scales.get(module) as ActivationScale);
  const integers = integersOf(
    study,
    mode === "dynamic" ? undefined : scales,
    reduceRange ? REDUCED_LEVEL : LARGEST_LEVEL,
  );
  const layers = await layerSensitivities(
    { graph, weights, rounded: roundedWeights(integers, loaded.where), rounding, batches: someBatches(rows) },
    environment,
  );
  const kept = layersToKeep(layers, keep);
  const tensors = withIntegers(loaded.named.tensors, integers, kept, mode === "dynamic" ? undefined : scales);
  const quantization = { activations: mode, ignore: floatLayers(tensors, sites, kept) };
  return { model: quantizedAs(loaded, tensors, quantization), layers, kept, bytes: sizeOf(tensors) };
}

/** The first batches of up to so many tokens, whose rows are of all lengths. */
function someBatches(rows: readonly TokenRow[]) {
  let tokens = 0;
  const some = rows.filter(({ ids }) => {
    tokens += ids.length;
    return tokens - ids.length < SENSITIVITY_TOKENS;
  });
  return studyBatches(some);
}

type Scales = ReadonlyMap<string, ActivationScale> | undefined;

/** The integers of every linear layer's weight, and of the embeddings, with scales that the bias too can be counted in. */
function integersOf({ sites, weights }: QuantizationStudy, scales: Scales, largest: number): NamedTensors {
  const integers: NamedTensors = new Map();
  const add = (name: string, leastScale: (row: number) => number) => {
    const { values, scale } = quantizeRows(weights.get(name) as HostTensor<"float32">, { largest, leastScale });
    integers.set(name, values);
    integers.set(quantizedNames.scale(name), scale);
  };
  for (const { module, weight, bias } of sites) {
    const floats = weights.get(bias)?.data as Float32Array;
    const input = scales?.get(module)?.scale;
    add(weight, (row) => (input === undefined ? 0 : Math.abs(floats[row] as number) / (input * LARGEST_BIAS)));
  }
  if (!integers.has(WORD_EMBEDDINGS)) add(WORD_EMBEDDINGS, () => 0);
  return integers;
}

/** In units of the input's scale times the weight's; half of what int32 holds leaves room for the sum of products. */
const LARGEST_BIAS = 2 ** 30;

function roundedWeights(integers: NamedTensors, where: string): NamedTensors {
  const lazy = new Map([...integers].map(([name, tensor]) => [name, lazyTensor(tensor)]));
  const floats = [...dequantized(lazy, where)].filter(([name]) => name !== WORD_EMBEDDINGS);
  return new Map(floats.map(([name, tensor]) => [name, tensor.read()]));
}

/** A file's tensors with integers in the place of floats, each followed by its scales. */
function withIntegers(
  tensors: LazyTensors,
  integers: NamedTensors,
  kept: readonly string[],
  scales: Scales,
): LazyTensors {
  const floats = new Set(kept.map((module) => `${module}.weight`));
  const all = new Map<string, LazyTensor>();
  const addScales = (module: string) => {
    const found = scales?.get(module);
    if (found === undefined || kept.includes(module)) return;
    const { scale, zeroPoint } = found;
    all.set(quantizedNames.inputScale(module), number("float32", Float32Array.of(scale)));
    all.set(quantizedNames.inputZeroPoint(module), number("int8", Int8Array.of(zeroPoint - 128)));
  };
  for (const [name, tensor] of tensors) {
    const values = floats.has(name) ? undefined : integers.get(name);
    all.set(name, values === undefined ? tensor : lazyTensor(values));
    if (values === undefined) continue;
    all.set(quantizedNames.scale(name), lazyTensor(integers.get(quantizedNames.scale(name)) as HostTensor));
    addScales(name === WORD_EMBEDDINGS ? DECODER : name.replace(/\.weight$/, ""));
  }
  return all;
}

function number(dtype: "float32", data: Float32Array): LazyTensor;
function number(dtype: "int8", data: Int8Array): LazyTensor;
function number(dtype: "float32" | "int8", data: Float32Array | Int8Array): LazyTensor {
  return lazyTensor(hostTensor(dtype, [1], data as never));
}

/** The linear layers that compute in float: those that are kept, and the heads of tasks, which are small. */
function floatLayers(tensors: LazyTensors, sites: readonly LinearSite[], kept: readonly string[]): string[] {
  const studied = new Set(sites.map(({ module }) => module));
  const others = [...tensors.keys()].flatMap((name) => {
    const module = name.replace(/\.weight$/, "");
    const isMatrix = name.endsWith(".weight") && tensors.get(name)?.shape.length === 2;
    return isMatrix && !studied.has(module) && !name.startsWith("bert.embeddings.") ? [module] : [];
  });
  return [...kept, ...others];
}

function quantizedAs(loaded: LoadedModel, tensors: LazyTensors, quantization: QuantizationConfig): LoadedModel {
  const fields = typeof loaded.configJson === "object" ? loaded.configJson : {};
  return {
    ...loaded,
    named: { ...loaded.named, tensors },
    config: { ...loaded.config, quantization },
    configJson: { ...fields, quantization_config: quantizationJson(quantization) },
  };
}
