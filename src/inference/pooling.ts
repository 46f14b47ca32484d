/** Pooling strategies: which tokens stand for a text, with which weights; and what is done with the vector after. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { resolveLayers } from "../model/hidden-states.ts";
import type { PooledStatesOptions } from "../model/pooling.ts";

/**
 * How the vectors of tokens become one.
 *
 * - `mean`: the mean of all tokens. `max`: the largest value of each column. `mean-max`: both side by side.
 * - `cls`: the first token, [CLS]. `pooler`: [CLS] of the last layer through the pooler of pre-training (tanh).
 * - `last-token`: the last token that counts. `sep`: the token at the place (tokens that count) - 1, which is [SEP];
 *   with [CLS] and [SEP] masked the one two places before it, as bert-as-service has it.
 * - `first-last-avg`: the mean over the tokens of the mean of layer 1 (not the embeddings) and the last, as SimCSE has it.
 * - `mean-sqrt-len`: the sum over the square root of the number of tokens. `weighted-mean`: later tokens count more,
 *   in proportion to their place, [CLS] being the first.
 * - `none`: every token's vector.
 *
 * Source: bert-as-service (graph.py), sentence-transformers (Pooling), SimCSE (Pooler).
 */
export type PoolingStrategy =
  | "mean"
  | "cls"
  | "pooler"
  | "max"
  | "mean-max"
  | "sep"
  | "last-token"
  | "first-last-avg"
  | "mean-sqrt-len"
  | "weighted-mean"
  | "none";

/** All strategies by name. */
export const POOLING_STRATEGIES: readonly PoolingStrategy[] = [
  "mean",
  "cls",
  "pooler",
  "max",
  "mean-max",
  "sep",
  "last-token",
  "first-last-avg",
  "mean-sqrt-len",
  "weighted-mean",
  "none",
];

/** Strategies that give the vector of one token. */
const CHOOSING: ReadonlySet<PoolingStrategy> = new Set(["cls", "pooler", "sep", "last-token"]);

/** Whether a strategy picks one token, so that no other has a share in the vector. */
export function choosesToken(strategy: PoolingStrategy): boolean {
  return CHOOSING.has(strategy);
}

const DEFAULT_LAYERS = [-1];

/**
 * Which layers a strategy pools, and what the graph gives.
 * @param layers - the last when left out; not for `pooler` and `first-last-avg`, which have their own.
 * @throws {ArgumentError} when the model lacks a layer, or layers are given to a strategy that has its own.
 */
export function poolingGraphOptions(
  config: BertConfig,
  strategy: PoolingStrategy,
  layers?: readonly number[],
): PooledStatesOptions {
  const own = strategy === "pooler" ? [-1] : strategy === "first-last-avg" ? [1, -1] : undefined;
  const isGiven = layers !== undefined && layers.join() !== (own ?? layers).join();
  if (own !== undefined && isGiven) {
    throw new ArgumentError({
      where: "layers",
      expected: `none with pooling ${strategy}, which takes ${own.length > 1 ? "layer 1 and the last" : "the last"}`,
      got: verbatim(layers.join(",")),
      hint: "choose pooling mean for other layers",
    });
  }
  const resolved = resolveLayers(config, own ?? layers ?? DEFAULT_LAYERS);
  return {
    layers: resolved,
    joinLayers: strategy === "first-last-avg" ? "average" : "concatenate",
    kind: graphKinds[strategy] ?? "weighted",
  };
}

const graphKinds: Partial<Record<PoolingStrategy, PooledStatesOptions["kind"]>> = {
  pooler: "pooler",
  max: "max",
  "mean-max": "weighted-max",
  none: "tokens",
};

/**
 * How much each token counts in a weighted sum.
 * @param strategy - one of those that are weighted sums; `mean-max` for its mean.
 * @param mask - 1 for tokens that count.
 * @param first - the place from which places are counted, for `weighted-mean`; the first token that counts when left out.
 * @returns float32, one weight for each token; zeros where no token counts.
 */
export function tokenWeights(strategy: PoolingStrategy, mask: ArrayLike<number>, first?: number): Float32Array {
  const weights = new Float32Array(mask.length);
  const counting = Array.from({ length: mask.length }, (_, i) => i).filter((i) => mask[i] === 1);
  const [count, start] = [counting.length, counting[0]];
  if (start === undefined) return weights;
  if (strategy === "cls") weights[start] = 1;
  else if (strategy === "sep") weights[count - 1] = 1;
  else if (strategy === "last-token") weights[counting.at(-1) as number] = 1;
  else if (strategy === "weighted-mean") {
    const placeOf = (i: number) => i - (first ?? start) + 1;
    const total = counting.reduce((sum, i) => sum + placeOf(i), 0);
    for (const i of counting) weights[i] = placeOf(i) / total;
  } else {
    const weight = strategy === "mean-sqrt-len" ? 1 / Math.sqrt(count) : 1 / count;
    for (const i of counting) weights[i] = weight;
  }
  return weights;
}

/** Columns of a strategy's vectors, before they are cut. */
export function pooledWidth(config: BertConfig, strategy: PoolingStrategy, { layers }: PooledStatesOptions): number {
  const joined = strategy === "first-last-avg" ? 1 : layers.length;
  return config.hiddenSize * joined * (strategy === "mean-max" ? 2 : 1);
}

/**
 * Scales rows to length 1, in place; a row of zeros stays.
 * @param rows - float32 [rows, dim], flat.
 */
export function normalizeRows(rows: Float32Array, dim: number): void {
  for (let start = 0; start < rows.length; start += dim) {
    let squares = 0;
    for (let i = start; i < start + dim; i++) squares += (rows[i] as number) ** 2;
    if (squares === 0) continue;
    const factor = 1 / Math.sqrt(squares);
    for (let i = start; i < start + dim; i++) rows[i] = (rows[i] as number) * factor;
  }
}

/**
 * The first columns of each row.
 * @param rows - float32 [rows, dim], flat. @returns float32 [rows, kept], flat; the rows themselves when nothing is cut.
 */
export function truncateRows(rows: Float32Array, dim: number, kept: number): Float32Array {
  if (kept === dim) return rows;
  const cut = new Float32Array((rows.length / dim) * kept);
  for (let row = 0; row < rows.length / dim; row++) cut.set(rows.subarray(row * dim, row * dim + kept), row * kept);
  return cut;
}
