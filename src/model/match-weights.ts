/** Weights from a file held against what a model needs: what is there, what is missing, what is left over. */
import type { LazyTensor, LazyTensors } from "../checkpoint/format.ts";
import { ConfigError, verbatim } from "../errors.ts";
import { toFloat32 } from "../util/half.ts";
import { type DType, formatType } from "../util/tensor.ts";
import type { BertConfig } from "./config.ts";
import { missingParts } from "./loading-report.ts";
import { transposed } from "./transposed.ts";

/** The names of a file's tensors, by what became of them. */
export interface WeightsReport {
  readonly loaded: readonly string[];
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  /** What was brought from another shape and how; these are among `loaded` too. */
  readonly reshaped: readonly string[];
}

/** The weights that a model needs, which are read as float32, and the report. */
export interface MatchedWeights {
  readonly weights: LazyTensors;
  readonly report: WeightsReport;
}

/**
 * Takes from a file's tensors those that a model needs.
 *
 * A tensor whose axes of size 1 are too many or too few, and the matrix of a classifier that lies the other way round,
 * are brought to the model's shape and reported.
 * @param shapes - name and shape of each parameter (`parameterShapes`).
 * @param where - the file's name, for messages.
 * @throws {ConfigError} that names the first tensor whose shape contradicts the config, or that holds integers.
 */
export function matchWeights(
  tensors: LazyTensors,
  shapes: ReadonlyMap<string, readonly number[]>,
  where: string,
): MatchedWeights {
  const weights = new Map<string, LazyTensor>();
  const missing: string[] = [];
  const reshaped: string[] = [];
  for (const [name, shape] of shapes) {
    const stored = tensors.get(name);
    if (!stored) {
      missing.push(name);
      continue;
    }
    if (!FRACTIONS.includes(stored.dtype)) throw quantised(`${where}: ${name}`, stored);
    const tensor = inShape(name, stored, shape);
    if (tensor === undefined) throw wrongShape(`${where}: ${name}`, stored, shape);
    if (tensor !== stored) reshaped.push(`${name}: ${typeOf(stored)} taken as ${typeOf(tensor)}`);
    weights.set(name, { dtype: "float32", shape, read: () => toFloat32(tensor.read()) });
  }
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  return { weights, report: { loaded: [...weights.keys()], missing, unexpected, reshaped } };
}

const FRACTIONS: readonly DType[] = ["float32", "float16", "bfloat16", "float64"];

function quantised(where: string, tensor: LazyTensor): ConfigError {
  return new ConfigError({
    where,
    expected: `a weight of ${FRACTIONS.join(", ")}`,
    got: verbatim(typeOf(tensor)),
    hint: "The weights are quantised, which is for inference: train the float model that they were made from, then quantise it anew. zhbert reads those of zhbert quantize, with their config.json, and no others.",
  });
}

/**
 * Classifiers alone are turned round: of the other matrices some are square, where the shape tells nothing, and a file
 * that has the oblong ones the wrong way round has those so as well.
 */
const TURNED = new Set(["cls.seq_relationship.weight", "classifier.weight", "qa_outputs.weight"]);

/** The tensor in the shape that is asked for; undefined when it has other elements. */
function inShape(name: string, tensor: LazyTensor, shape: readonly number[]): LazyTensor | undefined {
  if (tensor.shape.join() === shape.join()) return tensor;
  const long = (sizes: readonly number[]) => sizes.filter((size) => size !== 1).join();
  if (long(tensor.shape) === long(shape)) {
    return { dtype: tensor.dtype, shape, read: () => ({ ...tensor.read(), shape }) };
  }
  const isTurned = tensor.shape.length === 2 && [...tensor.shape].reverse().join() === shape.join();
  return TURNED.has(name) && isTurned ? transposed(tensor) : undefined;
}

function typeOf({ dtype, shape }: LazyTensor): string {
  return formatType(dtype, shape);
}

function wrongShape(where: string, tensor: LazyTensor, shape: readonly number[]): ConfigError {
  return new ConfigError({
    where,
    expected: `${formatType(tensor.dtype, shape)}, as the config says`,
    got: verbatim(typeOf(tensor)),
    hint: "The config.json and the weights are of different models; take both from the same folder.",
  });
}

/**
 * Refuses weights with gaps.
 * @throws {ConfigError} that names the first missing tensor and says how many there are.
 */
export function expectNoneMissing({ missing }: Pick<WeightsReport, "missing">, where: string): void {
  if (missing.length === 0) return;
  throw new ConfigError({
    where: `${where}: ${missing[0]}`,
    expected: "a weight for every parameter that the config asks for",
    got: verbatim(missing.length === 1 ? "nothing" : `nothing, nor for ${missing.length - 1} more`),
    hint: missingParts(missing)
      .map(({ warning }) => warning)
      .join("; "),
  });
}

/**
 * Refuses weights of more layers than the config has: a model of the first few is not the one that was trained.
 * @throws {ConfigError} that says how many layers there are weights for.
 */
export function expectNoFurtherLayers(
  { unexpected }: WeightsReport,
  { numHiddenLayers }: BertConfig,
  where: string,
): void {
  const layers = unexpected.map((name) => Number(/^bert\.encoder\.layer\.(\d+)\./.exec(name)?.[1] ?? -1));
  const last = layers.reduce((a, b) => Math.max(a, b), -1);
  if (last < numHiddenLayers) return;
  throw new ConfigError({
    where,
    expected: `weights of ${numHiddenLayers} layers, as the config's num_hidden_layers says`,
    got: verbatim(`weights of ${last + 1}`),
    hint: "The config.json and the weights are of different models; take both from the same folder.",
  });
}

/**
 * Refuses a vocabulary that is not the model's; rows of the embeddings beyond its end, as ERNIE 1.0 has them, are never
 * used.
 * @param where - the model's folder or file, for the message.
 * @throws {ConfigError} when it has more entries than the config says.
 */
export function expectVocabularySize({ vocabSize }: BertConfig, size: number, where?: string): void {
  if (vocabSize >= size) return;
  throw new ConfigError({
    where: `${where === undefined ? "" : `${where}: `}config: vocab_size`,
    expected: `${size} or more, the size of the vocabulary`,
    got: vocabSize,
    hint: "take config.json and the vocabulary from the same folder",
  });
}
