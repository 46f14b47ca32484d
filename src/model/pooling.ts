/**
 * From the vectors of tokens to vectors of texts or words, inside of the graph: only [batch, spans, dim] leaves the engine.
 *
 * A mean, a chosen token, a mean by position: each is a product of the tokens with weights, which the caller makes from
 * the mask (inference/pooling.ts). The maximum is its own.
 */
import { ShapeError, verbatim } from "../errors.ts";
import type { Dim } from "../graph/dims.ts";
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { add, div, mul, scale } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { full } from "../graph/ops/constant.ts";
import { cast, equal, where } from "../graph/ops/logic.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { reduceMax } from "../graph/ops/reduce.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { concat } from "../graph/ops/slice.ts";
import { formatType } from "../util/tensor.ts";
import type { BertConfig } from "./config.ts";
import { modelContext } from "./context.ts";
import { encoder } from "./encoder.ts";
import { pooler } from "./heads.ts";
import { resolveLayers, tokenInputs } from "./hidden-states.ts";

/** Below every hidden state, and finite: it stands for tokens that a maximum passes over. */
const LOWEST = -1e30;

/**
 * The weighted sum of token vectors, for each span of each row.
 * @param tokens - float32 [batch, seq, dim].
 * @param weights - float32 [batch, spans, seq]; 0 for tokens that do not count.
 * @returns float32 [batch, spans, dim].
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `MatMul`.
 */
export function weightedPooling(tokens: Tensor, weights: Tensor): Tensor {
  expectTokens("weightedPooling", tokens);
  return matmul(weights, tokens);
}

/**
 * The largest value of each column over the tokens that count; zeros where none counts.
 * @param tokens - float32 [batch, seq, dim].
 * @param mask - int32 [batch, seq]; 1 for tokens that count.
 * @returns float32 [batch, 1, dim].
 * @throws {ShapeError} when the axes do not fit.
 */
export function maxPooling(tokens: Tensor, mask: Tensor): Tensor {
  expectTokens("maxPooling", tokens);
  const [batch, seq] = tokens.shape as [Dim, Dim, Dim];
  const counts = reshape(equal(mask, full("int32", [], 1)), [batch, seq, 1]);
  const highest = reduceMax(where(counts, tokens, full("float32", [], LOWEST)), [1], true);
  const any = reduceMax(cast(mask, "float32"), [1], true);
  return mul(highest, reshape(any, [batch, 1, 1]));
}

/**
 * The mean over the tokens that count.
 * @param tokens - float32 [batch, seq, dim].
 * @param mask - int32 [batch, seq]; 1 for tokens that count, at least one in each row.
 * @returns float32 [batch, dim].
 * @throws {ShapeError} when the axes do not fit.
 */
export function meanPooling(tokens: Tensor, mask: Tensor): Tensor {
  expectTokens("meanPooling", tokens);
  const [batch, seq] = tokens.shape as [Dim, Dim, Dim];
  const counts = reshape(cast(mask, "float32"), [batch, seq, 1]);
  return div(reduceSum(mul(tokens, counts), [1]), reduceSum(counts, [1]));
}

function expectTokens(at: string, { dtype, shape }: Tensor): void {
  if (shape.length === 3) return;
  const got = verbatim(formatType(dtype, shape));
  throw new ShapeError({ where: `${at}: tokens`, expected: "float32[batch, seq, dim]", got });
}

/** What comes of the tokens: weighted sums, the maximum, both side by side, the pooler's vector, or the tokens themselves. */
export type PoolingKind = "weighted" | "max" | "weighted-max" | "pooler" | "tokens";

/** Which layers are pooled, and how. */
export interface PooledStatesOptions {
  /** As `resolveLayers` takes them. */
  readonly layers: readonly number[];
  /** Several layers side by side on the last axis, in the order given, or their mean; side by side when left out. */
  readonly joinLayers?: "concatenate" | "average";
  readonly kind: PoolingKind;
}

/**
 * The graph from ids to vectors.
 *
 * Inputs: parameters; `input_ids`, `token_type_ids`, `attention_mask` (int32 [batch, seq]); for weighted sums
 * `pooling_weights` (float32 [batch, spans, seq]), for the maximum `pooling_mask` (int32 [batch, seq]).
 * Output `vectors`, float32 [batch, spans, dim]: one span with a maximum or the pooler, each token a span with "tokens". The
 * pooler takes the last layer, whatever `layers` says.
 * @throws {ArgumentError} when the model lacks a layer.
 */
export function pooledStatesGraph(config: BertConfig, { layers, joinLayers, kind }: PooledStatesOptions): Graph {
  const context = modelContext();
  const wanted = kind === "pooler" ? [config.numHiddenLayers] : resolveLayers(config, layers);
  const states = encoder(context, config, tokenInputs(), { numLayers: Math.max(...wanted) });
  if (kind === "pooler") {
    const pooled = pooler(context, config, states.at(-1) as Tensor, "batch", "seq");
    return buildGraph({ vectors: reshape(pooled, ["batch", 1, config.hiddenSize]) });
  }
  const chosen = wanted.map((layer) => states[layer] as Tensor);
  const average = () => scale(chosen.reduce(add), 1 / chosen.length);
  const joined = joinLayers === "average" ? average() : concat(chosen, 1);
  return buildGraph({ vectors: pool(reshape(joined, ["batch", "seq", joined.shape[1] as number]), kind) });
}

function pool(tokens: Tensor, kind: Exclude<PoolingKind, "pooler">): Tensor {
  if (kind === "tokens") return tokens;
  const weighted = (spans: Dim) =>
    weightedPooling(tokens, input("pooling_weights", "float32", ["batch", spans, "seq"]));
  const highest = () => maxPooling(tokens, input("pooling_mask", "int32", ["batch", "seq"]));
  if (kind === "weighted") return weighted("spans");
  return kind === "max" ? highest() : concat([weighted(1), highest()], 2);
}
