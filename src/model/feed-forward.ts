/** The position-wise feed-forward network (Vaswani et al. 2017, section 3.3) with BERT's activation. */
import type { Tensor } from "../graph/graph.ts";
import { gelu, geluTanh } from "../graph/ops/gelu.ts";
import { linear } from "../graph/ops/matmul.ts";
import { relu } from "../graph/ops/relu.ts";
import type { Activation, BertConfig } from "./config.ts";
import type { ModelContext } from "./context.ts";

/** The function of each activation's name in config.json. */
export const activations: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  gelu,
  gelu_new: geluTanh,
  relu,
};

/**
 * A linear layer whose parameters have a name.
 * @param x - float32 [tokens, in].
 * @param name - of the parameters: `<name>.weight` [out, in] and `<name>.bias` [out].
 * @returns float32 [tokens, out].
 */
export function dense(context: ModelContext, x: Tensor, name: string, outSize: number): Tensor {
  const inSize = x.shape.at(-1) as number;
  return linear(
    x,
    context.parameter(`${name}.weight`, [outSize, inSize]),
    context.parameter(`${name}.bias`, [outSize]),
  );
}

/**
 * Two linear layers with an activation between, for each position by itself.
 * @param x - float32 [batch * seq, hiddenSize].
 * @param prefix - of the parameters' names: `<prefix>.intermediate.dense.weight`, `<prefix>.output.dense.weight`.
 * @returns float32 [batch * seq, hiddenSize].
 * @throws {ShapeError} when the axes do not fit.
 * Source: Vaswani et al. 2017, section 3.3; modeling.py (transformer_model) of google-research/bert.
 */
export function positionwiseFeedForward(context: ModelContext, config: BertConfig, x: Tensor, prefix: string): Tensor {
  const inner = activations[config.hiddenAct](
    dense(context, x, `${prefix}.intermediate.dense`, config.intermediateSize),
  );
  return dense(context, inner, `${prefix}.output.dense`, config.hiddenSize);
}
