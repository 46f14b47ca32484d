/** Multi-head self-attention (Vaswani et al. 2017, section 3.2). */
import { type Dim, product } from "../graph/dims.ts";
import { expectShape, type Tensor } from "../graph/graph.ts";
import { add, addScalar, scale } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/logic.ts";
import { linear, matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { softmax } from "../graph/ops/softmax.ts";
import { transpose } from "../graph/ops/transpose.ts";
import type { BertConfig } from "./config.ts";
import type { ModelContext } from "./context.ts";

/** What hidden keys get added to their scores, as in BERT; never -Infinity, which gives NaN where a whole row is hidden. */
const MASK_ADDER = -10_000;

/**
 * From a mask of tokens to what is added to attention scores.
 * @param attentionMask - int32 or int64 [batch, seq]; 1 for tokens, 0 for padding.
 * @returns float32 [batch, 1, 1, seq]; 0 for tokens, -10000 for padding.
 * Source: modeling.py (attention_layer) of google-research/bert.
 */
export function attentionMaskAdder(attentionMask: Tensor): Tensor {
  const [batch, seq] = attentionMask.shape as [Dim, Dim];
  const hidden = addScalar(scale(cast(attentionMask, "float32"), -1), 1);
  return reshape(scale(hidden, MASK_ADDER), [batch, 1, 1, seq]);
}

/**
 * Scaled dot-product attention of several heads over one sequence.
 * @param x - float32 [batch * seq, hiddenSize].
 * @param maskAdder - float32 [batch, 1, 1, seq].
 * @param prefix - of the parameters' names: `<prefix>.query.weight`.
 * @returns float32 [batch * seq, hiddenSize]; the heads side by side.
 * @throws {ShapeError} when the axes do not fit.
 * Source: Vaswani et al. 2017, section 3.2.2; modeling.py (attention_layer) of google-research/bert.
 */
export function multiHeadAttention(
  context: ModelContext,
  config: BertConfig,
  x: Tensor,
  maskAdder: Tensor,
  prefix: string,
): Tensor {
  const { hiddenSize, numAttentionHeads } = config;
  const headSize = hiddenSize / numAttentionHeads;
  const [batch, , , seq] = maskAdder.shape as [Dim, Dim, Dim, Dim];
  expectShape("multiHeadAttention: x", x, [product([batch, seq]), hiddenSize]);
  // B batch, F from and T to positions, N heads, D head size
  const project = (name: string) => {
    const weight = context.parameter(`${prefix}.${name}.weight`, [hiddenSize, hiddenSize]);
    const bias = context.parameter(`${prefix}.${name}.bias`, [hiddenSize]);
    const heads = reshape(linear(x, weight, bias), [batch, seq, numAttentionHeads, headSize]);
    return transpose(heads, [0, 2, 1, 3]); // [B, N, F, D]
  };
  const [query, key, value] = [project("query"), project("key"), project("value")];
  const scores = matmul(query, key, { transB: true, alpha: 1 / Math.sqrt(headSize) }); // [B, N, F, T]
  const probabilities = softmax(add(scores, maskAdder));
  const attended = matmul(context.dropout(prefix, probabilities, config.attentionProbsDropoutProb), value); // [B, N, F, D]
  return reshape(transpose(attended, [0, 2, 1, 3]), [product([batch, seq]), hiddenSize]);
}
