/** A new model's weights, as BERT starts them. */
import type { Random } from "../util/random.ts";
import { elementCount, hostTensor, type NamedTensors } from "../util/tensor.ts";
import type { BertConfig } from "./config.ts";
import { pretrainingGraph } from "./pretraining.ts";

/**
 * The name and shape of every parameter of a model with its pre-training heads, by name.
 * @param options.nextSentence - whether pooler and next-sentence head are among them.
 */
export function parameterShapes(
  config: BertConfig,
  options: { readonly nextSentence: boolean },
): Map<string, readonly number[]> {
  const shape = { batchSize: 1, seqLength: 1, maxPredictions: 1 };
  const { inputs } = pretrainingGraph(config, { ...shape, ...options, gradients: false, dropout: false });
  const parameters = inputs.filter(({ parameter }) => parameter);
  return new Map(parameters.map(({ name, shape: dims }) => [name, dims as readonly number[]]));
}

/**
 * Matrices from a normal distribution cut at two standard deviations, biases 0, LayerNorm weights 1.
 * @param random - the same state gives the same weights.
 * Source: modeling.py (create_initializer) of google-research/bert; standard deviation `initializer_range`.
 */
export function initializeWeights(
  config: BertConfig,
  random: Random,
  options: { readonly nextSentence: boolean },
): NamedTensors {
  return initializeParameters(parameterShapes(config, options), random, config.initializerRange);
}

/** As `initializeWeights`, for parameters of any model. @param std - of the normal distribution. */
export function initializeParameters(
  shapes: ReadonlyMap<string, readonly number[]>,
  random: Random,
  std: number,
): NamedTensors {
  const weights: NamedTensors = new Map();
  for (const [name, shape] of shapes) {
    const data = new Float32Array(elementCount(shape));
    if (name.endsWith("LayerNorm.weight")) data.fill(1);
    else if (!name.endsWith("bias")) fillTruncatedNormal(data, random, std);
    weights.set(name, hostTensor("float32", shape, data));
  }
  return weights;
}

function fillTruncatedNormal(data: Float32Array, random: Random, std: number): void {
  for (let i = 0; i < data.length; i++) data[i] = random.truncatedNormal(std);
}
