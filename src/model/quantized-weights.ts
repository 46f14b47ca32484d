/**
 * Weights as integers in a checkpoint: beside `<module>.weight` (int8 [out, in]) stand `<module>.weight_scale` (float [out, 1])
 * and, where inputs are rounded on a fixed scale, `<module>.input_scale` and `<module>.input_zero_point` (int8), as
 * compressed-tensors names them.
 *
 * The integers are for inference. Whoever asks for a weight by its own name reads floats made from them.
 */
import type { LazyTensor, LazyTensors } from "../checkpoint/format.ts";
import { ConfigError, verbatim } from "../errors.ts";
import { toFloat32 } from "../util/half.ts";
import { type DType, elementCount, formatType, hostTensor } from "../util/tensor.ts";
import { type MatchedWeights, matchWeights } from "./match-weights.ts";
import type { QuantizationConfig } from "./quantization-config.ts";

/** The token embeddings, which are the matrix of the MLM head's last layer too. */
export const WORD_EMBEDDINGS = "bert.embeddings.word_embeddings.weight";
/** What that layer is called where it is meant as a layer of its own. */
export const DECODER = "cls.predictions.decoder";

/** The module that a linear layer's weight belongs to. */
export function moduleOf(weight: string): string {
  return weight === WORD_EMBEDDINGS ? DECODER : weight.replace(/\.weight$/, "");
}

/** The tensors of a quantised weight, in files and as parameters of a graph. */
export const quantizedNames = {
  scale: (weight: string) => `${weight}_scale`,
  /** Of a graph only: int8, where the name of the weight means its floats. */
  values: (weight: string) => `${weight}_quantized`,
  /** Of a graph only: int32, in units of the input's scale times the weight's. */
  bias: (bias: string) => `${bias}_quantized`,
  inputScale: (module: string) => `${module}.input_scale`,
  inputZeroPoint: (module: string) => `${module}.input_zero_point`,
} as const;

/** How the input of a linear layer is rounded. */
export type InputRounding = "dynamic" | { readonly scale: number; readonly zeroPoint: number };

/** Which weights of a model are integers, and which of its linear layers compute with them. */
export interface QuantizedLayers {
  /** Names of weights that are there as integers with scales. */
  readonly stored: ReadonlySet<string>;
  /** By module; `zeroPoint` in 0 .. 255. A layer that is not here computes in float. */
  readonly inputs: ReadonlyMap<string, InputRounding>;
}

/** Weights for inference: by their own names float32, and beside them the integers as graphs take them. */
export interface InferenceWeights extends MatchedWeights {
  readonly quantized?: QuantizedLayers;
}

/**
 * Takes from a file's tensors those that a model needs for inference.
 * @param shapes - name and shape of each parameter.
 * @throws {ConfigError} as `matchWeights`; when the scales of a quantised weight are missing or cannot be.
 */
export function matchInferenceWeights(
  tensors: LazyTensors,
  shapes: ReadonlyMap<string, readonly number[]>,
  where: string,
  quantization: QuantizationConfig | undefined,
): InferenceWeights {
  if (quantization === undefined) return matchWeights(tensors, shapes, where);
  const { weights, report } = matchWeights(dequantized(tensors, where), shapes, where);
  const stored = new Set(quantizedIn(tensors).filter((name) => weights.has(name)));
  const inputs = new Map<string, InputRounding>();
  const all = new Map(weights);
  for (const weight of stored) {
    const [values, scale] = [tensors.get(weight), tensors.get(quantizedNames.scale(weight))] as [
      LazyTensor,
      LazyTensor,
    ];
    all.set(quantizedNames.values(weight), values);
    all.set(quantizedNames.scale(weight), flatScale(scale));
    const module = moduleOf(weight);
    const input = inputOf(tensors, module, where, quantization);
    if (input === undefined) continue;
    inputs.set(module, input);
    const bias = biasOf(weight);
    const floats = weights.get(bias);
    if (input !== "dynamic" && floats !== undefined) {
      all.set(quantizedNames.bias(bias), integerBias(floats, flatScale(scale), input.scale));
    }
  }
  return { weights: all, report, quantized: { stored, inputs } };
}

/** The bias of the layer that a weight belongs to. */
function biasOf(weight: string): string {
  return weight === WORD_EMBEDDINGS ? "cls.predictions.bias" : weight.replace(/weight$/, "bias");
}

/** The names of weights that are integers. */
export function quantizedIn(tensors: LazyTensors): string[] {
  return [...tensors].flatMap(([name, { dtype }]) => (dtype === "int8" && name.endsWith(".weight") ? [name] : []));
}

/**
 * The same tensors with floats in the place of integers, made as they are read, and without the scales.
 * @throws {ConfigError} when the scales of a weight are missing or of another shape.
 */
export function dequantized(tensors: LazyTensors, where: string): LazyTensors {
  const floats = new Map(tensors);
  for (const name of quantizedIn(tensors)) {
    const values = tensors.get(name) as LazyTensor;
    const scale = expectScale(tensors, name, values, where);
    floats.set(name, { dtype: "float32", shape: values.shape, read: () => floatsOf(values, flatScale(scale)) });
    floats.delete(quantizedNames.scale(name));
    for (const of of [moduleOf(name), name.replace(/\.weight$/, "")]) {
      floats.delete(quantizedNames.inputScale(of));
      floats.delete(quantizedNames.inputZeroPoint(of));
    }
  }
  return floats;
}

const FLOATS: readonly DType[] = ["float32", "float16", "bfloat16"];

function expectScale(tensors: LazyTensors, name: string, { shape }: LazyTensor, where: string): LazyTensor {
  const scale = tensors.get(quantizedNames.scale(name));
  const rows = shape[0] ?? 0;
  const isByRow = scale !== undefined && scale.shape[0] === rows && elementCount(scale.shape) === rows;
  if (shape.length === 2 && isByRow && FLOATS.includes(scale.dtype)) return scale;
  throw new ConfigError({
    where: `${where}: ${quantizedNames.scale(name)}`,
    expected: `a scale for each of the ${rows} rows of ${formatType("int8", shape)}, float32[${rows}, 1]`,
    got: verbatim(scale === undefined ? "nothing" : formatType(scale.dtype, scale.shape)),
    hint: "zhbert quantize writes such weights; take the float model for those of other programs",
  });
}

/** float32 [out]. */
function flatScale(scale: LazyTensor): LazyTensor {
  const shape = [elementCount(scale.shape)];
  return { dtype: "float32", shape, read: () => ({ ...toFloat32(scale.read()), shape }) };
}

function floatsOf(values: LazyTensor, scale: LazyTensor) {
  const [integers, scales] = [values.read().data as Int8Array, scale.read().data as Float32Array];
  const columns = values.shape[1] as number;
  const floats = new Float32Array(integers.length);
  scales.forEach((factor, row) => {
    for (let at = row * columns; at < (row + 1) * columns; at++) floats[at] = (integers[at] as number) * factor;
  });
  return hostTensor("float32", values.shape, floats);
}

/** Compressed-tensors keeps zero points of int8: 128 below those of uint8. */
const SIGNED_OFFSET = 128;

function inputOf(
  tensors: LazyTensors,
  module: string,
  where: string,
  { activations, ignore }: QuantizationConfig,
): InputRounding | undefined {
  if (activations === "none" || ignore.includes(module)) return undefined;
  if (activations === "dynamic") return "dynamic";
  const at = `${where}: ${quantizedNames.inputScale(module)}`;
  const [stored, point] = [
    tensors.get(quantizedNames.inputScale(module)),
    tensors.get(quantizedNames.inputZeroPoint(module)),
  ];
  // The MLM head's last layer has no weights of its own that would say whether it was calibrated.
  if (stored === undefined && module === DECODER) return undefined;
  const isNumber = stored !== undefined && FLOATS.includes(stored.dtype) && elementCount(stored.shape) === 1;
  const scale = isNumber ? Number(toFloat32(stored.read()).data[0]) : Number.NaN;
  if (!(scale > 0 && Number.isFinite(scale))) {
    const got = isNumber ? scale : verbatim(stored === undefined ? "nothing" : formatType(stored.dtype, stored.shape));
    throw new ConfigError({ where: at, expected: "a positive number, float32[1]", got });
  }
  const isPoint = point === undefined || (point.dtype === "int8" && elementCount(point.shape) === 1);
  if (!isPoint) {
    const got = verbatim(formatType(point.dtype, point.shape));
    throw new ConfigError({ where: `${where}: ${quantizedNames.inputZeroPoint(module)}`, expected: "int8[1]", got });
  }
  return { scale, zeroPoint: SIGNED_OFFSET + Number(point?.read().data[0] ?? 0) };
}

const LARGEST_INT32 = 2 ** 31 - 1;

/** The bias in units of the input's scale times each row's. */
function integerBias(bias: LazyTensor, scale: LazyTensor, inputScale: number): LazyTensor {
  const read = () => {
    const [floats, scales] = [bias.read().data as Float32Array, scale.read().data as Float32Array];
    const units = Int32Array.from(floats, (value, row) => {
      const exact = Math.round(value / (inputScale * (scales[row] as number)));
      return Math.max(-LARGEST_INT32, Math.min(LARGEST_INT32, exact));
    });
    return hostTensor("int32", bias.shape, units);
  };
  return { dtype: "int32", shape: bias.shape, read };
}
