/** Vectors of texts: pooled hidden states, over a list or an endless stream, windows of long texts merged. */
import { ArgumentError } from "../errors.ts";
import { type PooledStatesOptions, pooledStatesGraph } from "../model/pooling.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { type TokenBatch, tokenBatch } from "./batches.ts";
import type { InferenceModel } from "./inference-model.ts";
import { poolTokens } from "./joined-pooling.ts";
import {
  normalizeRows,
  POOLING_STRATEGIES,
  type PoolingStrategy,
  pooledWidth,
  poolingGraphOptions,
  truncateRows,
} from "./pooling.ts";
import { type StreamOptions, streamTexts } from "./text-stream.ts";
import { encodeRows, Role, rowOptions, type TextOrPair, type TokenRow, tokensOf } from "./token-rows.ts";
import { type MergePlan, mergeInto, type RowPlan, rowPlans, WINDOW_MERGES, type WindowMerge } from "./window-merge.ts";

/** How texts become vectors. */
export interface EmbedOptions extends StreamOptions {
  /**
   * How the vectors of tokens become one; what the model's files say (modules.json of sentence-transformers), else
   * `mean`. Of several (not `none`, `pooler`, `mean-max`, `first-last-avg`) the vectors stand side by side.
   */
  readonly pooling?: PoolingStrategy | readonly PoolingStrategy[];
  /** 0 is the embeddings, -1 the last layer; several stand side by side in the order given. The last when left out. */
  readonly layers?: readonly number[];
  /** Leaves [CLS] and [SEP] out of the pooling (attention still sees them). */
  readonly maskClsSep?: boolean;
  /** Scales each vector to length 1; when left out, where the model's files say so. */
  readonly normalize?: boolean;
  /** Keeps only so many columns; before normalising. */
  readonly truncateDim?: number;
  /**
   * What becomes of the windows of a long text: `mean`, by the number of tokens; `max`; only the `first`. When left out,
   * the maximum for `max`, else the mean, which is exact where pooling is a mean: each token counts once.
   */
  readonly windowMerge?: WindowMerge;
}

/** Everything that is fixed before the first text. */
export interface EmbedPlan {
  /** A plan for each strategy; of several the vectors stand side by side. */
  readonly parts: readonly MergePlan[];
  readonly graph: PooledStatesOptions;
  readonly maskClsSep: boolean;
  readonly normalize: boolean;
  readonly merge: WindowMerge | undefined;
  /** Columns as the graph gives them, and as they are kept. */
  readonly width: number;
  readonly dim: number;
}

/**
 * Checks the options against the model.
 * @throws {ArgumentError} for a layer that the model lacks, or more columns than there are.
 */
export function embedPlan({ config }: InferenceModel, options: EmbedOptions): EmbedPlan {
  const { pooling = "mean" } = options;
  const strategies = typeof pooling === "string" || pooling.length === 1 ? [pooling].flat() : pooling;
  const names = strategies.length === 1 ? POOLING_STRATEGIES : JOINED_STRATEGIES;
  if (strategies.length === 0) expectOneOf("pooling", names, "no strategy");
  for (const strategy of strategies) expectOneOf("pooling", names, strategy);
  const common = strategies.length === 1 ? (strategies[0] as PoolingStrategy) : "none";
  const graph = poolingGraphOptions(config, common, options.layers);
  const width = pooledWidth(config, common, graph) * strategies.length;
  const dim = options.truncateDim ?? width;
  if (!Number.isInteger(dim) || dim < 1 || dim > width) {
    const expected = `a whole number in 1 .. ${width}, the columns of a vector`;
    throw new ArgumentError({ where: "columns to keep", expected, got: dim });
  }
  const { maskClsSep = false, normalize = false, windowMerge } = options;
  if (windowMerge !== undefined) expectOneOf("windowMerge", WINDOW_MERGES, windowMerge);
  const parts = strategies.map((strategy) => ({ strategy, maskClsSep, merge: windowMerge }));
  return { parts, graph, maskClsSep, normalize, merge: windowMerge, width, dim };
}

/** Those that are a weighted sum, or the maximum, of the same tokens. */
const JOINED_STRATEGIES: readonly PoolingStrategy[] = [
  "mean",
  "cls",
  "max",
  "sep",
  "last-token",
  "mean-sqrt-len",
  "weighted-mean",
];

/** Programs in JavaScript have no types that would refuse another word. */
function expectOneOf(where: string, names: readonly string[], got: string): void {
  if (!names.includes(got)) throw new ArgumentError({ where, expected: names.join(", "), got });
}

/** A text's vector while its rows are computed. */
interface Pending {
  /** For each part of the plan. */
  readonly plans: readonly ReadonlyMap<TokenRow, RowPlan>[];
  /** float32 [width]; [tokens, width] without pooling. */
  readonly vector: Float32Array;
  isStarted: boolean;
}

/**
 * The vectors of texts, in their order.
 * @param texts - single texts or pairs; a list, or a stream of any length, of which a few thousand are held at a time.
 * @returns float32 [dim] for each text; with pooling `none` float32 [tokens, dim], flat.
 * @throws {ArgumentError} when an option does not fit the model, or a pair is too long for it and may not be cut.
 * @throws {ConfigError} when the model has no weights for what is asked (a pooler).
 * Source: bert-as-service; sentence-transformers.
 */
export async function* embedStream(
  model: InferenceModel,
  texts: Iterable<TextOrPair> | AsyncIterable<TextOrPair>,
  options: EmbedOptions = {},
): AsyncGenerator<Float32Array> {
  const plan = embedPlan(model, options);
  const rows = rowOptions(
    { ...options, truncate: options.truncate || plan.merge === "first" },
    model.config.maxPositionEmbeddings,
  );
  const program = await model.programs.get(`pooled-states ${JSON.stringify(plan.graph)}`, (config) =>
    pooledStatesGraph(config, plan.graph),
  );
  const { width } = plan;
  const areTokens = plan.parts[0]?.strategy === "none";
  const bytes = { perText: areTokens ? 0 : 4 * width, perToken: areTokens ? 4 * width : 0 };
  const work = {
    bytes,
    encode: (text: TextOrPair, index: number) => encodeRows(model.tokenizer, text, rows, `text ${index + 1}`),
    start: (_: TextOrPair, { rows: own }: { readonly rows: readonly TokenRow[] }): Pending => {
      const plans = plan.parts.map((part) => rowPlans(own, part));
      const count = areTokens ? own.reduce((sum, { roles }) => sum + roles.filter((role) => role > 0).length, 0) : 1;
      return { plans, vector: new Float32Array(count * width), isStarted: false };
    },
    tokens: tokensOf,
    streams: program.streams ?? 1,
    run: async (rows: readonly TokenRow[], results: readonly Pending[]) => {
      const batch = tokenBatch(rows);
      const rowPlansOfBatch = batch.rows.map((row, i) => results[i]?.plans[0]?.get(row) as RowPlan);
      const { vectors } = await program.run({ ...batch.inputs, ...poolingInputs(batch, rowPlansOfBatch, plan.graph) });
      const data = vectors?.data as Float32Array;
      results.forEach((result, i) => {
        const rowData = data.subarray((i * data.length) / results.length, ((i + 1) * data.length) / results.length);
        const row = batch.rows[i] as TokenRow;
        if (areTokens) copyTokens(result.vector, rowData, row, rowPlansOfBatch[i] as RowPlan, plan);
        else mergeParts(result, rowData, row, plan);
        result.isStarted = true;
      });
    },
  };
  for await (const { vector } of streamTexts(texts, work, options)) {
    const kept = truncateRows(vector, width, plan.dim);
    if (plan.normalize) normalizeRows(kept, plan.dim);
    yield kept;
  }
}

/** Adds a row's vectors, or those that come of its tokens where several strategies share them, to its text's. */
function mergeParts({ vector, plans, isStarted }: Pending, data: Float32Array, row: TokenRow, plan: EmbedPlan): void {
  const width = plan.width / plan.parts.length;
  plan.parts.forEach((part, i) => {
    const rowPlan = plans[i]?.get(row) as RowPlan;
    const own = plan.parts.length === 1 ? data : poolTokens(part.strategy, data, rowPlan, width);
    mergeInto(vector.subarray(i * width, (i + 1) * width), own, rowPlan, !isStarted, part);
  });
}

/** `pooling_weights` (float32 [batch, 1, seq]) and `pooling_mask` (int32 [batch, seq]), as the graph takes them. */
function poolingInputs(
  { rows, seqLength }: TokenBatch,
  plans: readonly RowPlan[],
  { kind }: PooledStatesOptions,
): Record<string, HostTensor> {
  const inputs: Record<string, HostTensor> = {};
  const size = rows.length * seqLength;
  if (kind === "weighted" || kind === "weighted-max") {
    const weights = new Float32Array(size);
    plans.forEach((plan, i) => {
      weights.set(plan.weights, i * seqLength);
    });
    inputs["pooling_weights"] = hostTensor("float32", [rows.length, 1, seqLength], weights);
  }
  if (kind === "max" || kind === "weighted-max") {
    const mask = new Int32Array(size);
    plans.forEach((plan, i) => {
      mask.set(plan.mask, i * seqLength);
    });
    inputs["pooling_mask"] = hostTensor("int32", [rows.length, seqLength], mask);
  }
  return inputs;
}

/** Copies the tokens that a row answers for to their place in the text; masked [CLS] and [SEP] stay zero. */
function copyTokens(
  target: Float32Array,
  tokens: Float32Array,
  { roles }: TokenRow,
  { firstToken }: RowPlan,
  { width, maskClsSep }: EmbedPlan,
): void {
  let at = firstToken;
  roles.forEach((role, position) => {
    if (role === Role.Context) return;
    const isKept = role === Role.Text || !maskClsSep;
    if (isKept) target.set(tokens.subarray(position * width, (position + 1) * width), at * width);
    at += 1;
  });
}
