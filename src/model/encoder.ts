/** The encoder: embeddings, and a stack of Transformer layers with post-layer normalisation (Devlin et al. 2018, section 3). */
import { expectShape, type Tensor } from "../graph/graph.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { layerNorm } from "../graph/ops/layer-norm.ts";
import { recompute } from "../graph/ops/recompute.ts";
import { attentionMaskAdder, multiHeadAttention } from "./attention.ts";
import type { BertConfig } from "./config.ts";
import type { ModelContext } from "./context.ts";
import { bertEmbeddings } from "./embeddings.ts";
import { dense, positionwiseFeedForward } from "./feed-forward.ts";

/**
 * One layer: self-attention and a feed-forward network, each with dropout, a residual connection and normalisation.
 * @param x - float32 [batch * seq, hiddenSize].
 * @param maskAdder - float32 [batch, 1, 1, seq].
 * @param prefix - of the parameters' names: `bert.encoder.layer.0`.
 * @returns float32 [batch * seq, hiddenSize].
 * @throws {ShapeError} when the axes do not fit.
 * Source: modeling.py (transformer_model) of google-research/bert.
 */
export function transformerLayer(
  context: ModelContext,
  config: BertConfig,
  x: Tensor,
  maskAdder: Tensor,
  prefix: string,
): Tensor {
  const { hiddenSize, hiddenDropoutProb } = config;
  const attended = multiHeadAttention(context, config, x, maskAdder, `${prefix}.attention.self`);
  const projected = dense(context, attended, `${prefix}.attention.output.dense`, hiddenSize);
  const dropped = context.dropout(`${prefix}.attention.output`, projected, hiddenDropoutProb);
  const normalized = normalize(context, config, add(dropped, x), `${prefix}.attention.output.LayerNorm`);
  const fed = positionwiseFeedForward(context, config, normalized, prefix);
  const output = context.dropout(`${prefix}.output`, fed, hiddenDropoutProb);
  return normalize(context, config, add(output, normalized), `${prefix}.output.LayerNorm`);
}

/**
 * Layer normalisation with the parameters of a name.
 * @param x - float32 [tokens, hiddenSize].
 * @returns float32 [tokens, hiddenSize].
 */
export function normalize(context: ModelContext, config: BertConfig, x: Tensor, name: string): Tensor {
  const { hiddenSize, layerNormEps } = config;
  const weight = context.parameter(`${name}.weight`, [hiddenSize]);
  return layerNorm(x, weight, context.parameter(`${name}.bias`, [hiddenSize]), layerNormEps);
}

/** The tensors that enter a BERT. */
export interface EncoderInputs {
  /** int32 or int64 [batch, seq], in 0 .. vocabSize - 1. */
  readonly inputIds: Tensor;
  /** int32 or int64 [batch, seq]; 0 for sentence A, 1 for sentence B. */
  readonly tokenTypeIds: Tensor;
  /** int32 or int64 [batch, seq]; 1 for tokens, 0 for padding. */
  readonly attentionMask: Tensor;
}

/**
 * The hidden states of a BERT.
 * @param options.recomputeLayers - whether gradients compute each layer again instead of keeping what is inside.
 * @param options.numLayers - the layers that are computed, from the first on; all of the config's when left out.
 * @param options.embeddings - float32 [batch * seq, hiddenSize]; what stands in the place of the ids' embeddings.
 * @returns numLayers + 1 tensors, float32 [batch * seq, hiddenSize]: the embeddings, then each layer's output.
 * @throws {ShapeError} when the inputs differ in shape.
 * Source: Devlin et al. 2018, section 3.
 */
export function encoder(
  context: ModelContext,
  config: BertConfig,
  { inputIds, tokenTypeIds, attentionMask }: EncoderInputs,
  options: { readonly recomputeLayers?: boolean; readonly numLayers?: number; readonly embeddings?: Tensor } = {},
): readonly Tensor[] {
  expectShape("encoder: tokenTypeIds", tokenTypeIds, inputIds.shape);
  expectShape("encoder: attentionMask", attentionMask, inputIds.shape);
  const maskAdder = attentionMaskAdder(attentionMask);
  const hiddenStates = [options.embeddings ?? bertEmbeddings(context, config, inputIds, tokenTypeIds)];
  for (let layer = 0; layer < (options.numLayers ?? config.numHiddenLayers); layer++) {
    const apply = (x: Tensor) => transformerLayer(context, config, x, maskAdder, `bert.encoder.layer.${layer}`);
    const x = hiddenStates.at(-1) as Tensor;
    hiddenStates.push(options.recomputeLayers ? recompute(apply, x) : apply(x));
  }
  return hiddenStates;
}
