/** A learned weighted sum of an encoder's layers: what heads stand on where the encoder itself stays as it is. */
import { ShapeError, verbatim } from "../errors.ts";
import { expectShape, type Tensor } from "../graph/graph.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { slice } from "../graph/ops/slice.ts";
import { softmax } from "../graph/ops/softmax.ts";
import type { ModelContext } from "./context.ts";

const WEIGHTS = "layer_mix.weights";
const SCALE = "layer_mix.scale";

/**
 * The sum of all hidden states by weights that softmax makes of learned numbers, times a learned scale.
 * @param hiddenStates - float32 [tokens, hiddenSize] each; the embeddings and every layer's output.
 * @returns float32 [tokens, hiddenSize].
 * @throws {ShapeError} when there is no state, or they differ in shape.
 * Source: Peters et al. 2018 (ELMo), equation 1.
 */
export function mixLayers(context: ModelContext, hiddenStates: readonly Tensor[]): Tensor {
  const [first] = hiddenStates;
  if (!first) throw new ShapeError({ where: "mixLayers", expected: "at least one state", got: verbatim("none") });
  const shares = softmax(context.parameter(WEIGHTS, [hiddenStates.length]));
  const parts = hiddenStates.map((state, layer) => {
    expectShape(`mixLayers: state ${layer}`, state, first.shape);
    return mul(state, slice(shares, 0, layer, 1));
  });
  return mul(parts.reduce(add), context.parameter(SCALE, [1]));
}

/** The first values of `mixLayers`' parameters, the plain mean of the layers; undefined for any other parameter. */
export function initialLayerMix(parameter: string, [size = 0]: readonly number[]): Float32Array | undefined {
  if (parameter === WEIGHTS) return new Float32Array(size);
  return parameter === SCALE ? Float32Array.of(1) : undefined;
}
