/** Why a model gives a text its label: integrated gradients by character, and where its layers attend. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { BertTokenizer } from "../../text/tokenizer.ts";
import { hostTensor } from "../../util/tensor.ts";
import type { TaskRow, TokenSequence } from "../task.ts";
import type { TaskModel } from "../task-model.ts";
import { attentionGraph, attentionName, attributionGraph, type ScoreFunction } from "./explain-graph.ts";

// biome-ignore lint/suspicious/noExplicitAny: tasks over texts and pairs alike
type AnyTaskModel = TaskModel<any, any>;

/** A token of a text and what it has to do with the score. */
export interface TokenAttribution {
  /** As it stands in the text: a Chinese character, or a piece of a word. */
  readonly text: string;
  /** UTF-16 offsets in its text. */
  readonly start: number;
  readonly end: number;
  /** 0 for the first text, 1 for the second of a pair. */
  readonly side: 0 | 1;
  /** What the token adds to the score, or with a minus takes from it. */
  readonly attribution: number;
}

/** What a score comes from. */
export interface Explanation {
  /** The label that is explained; undefined where the score is a number. */
  readonly label?: string;
  /** The label's probability, or the number. */
  readonly score: number;
  /** The same of the text whose tokens are all the baseline's. */
  readonly baselineScore: number;
  readonly tokens: readonly TokenAttribution[];
  /** By how much the sum of the attributions misses `score - baselineScore`: more steps make it smaller. */
  readonly completenessError: number;
  readonly steps: number;
  readonly baseline: "mask" | "pad";
}

/** How a score is explained. */
export interface ExplainOptions {
  /** The label; the likeliest one when left out. */
  readonly label?: string;
  /** Points at which gradients are taken, at least 2; 32. */
  readonly steps?: number;
  /** What every token is replaced by in the text that says nothing: [MASK] or [PAD]; mask. */
  readonly baseline?: "mask" | "pad";
  readonly signal?: AbortSignal;
}

/** The tasks whose scores can be explained. */
const FUNCTIONS: Readonly<Record<string, ScoreFunction>> = {
  classify: "softmax",
  match: "softmax",
  multilabel: "sigmoid",
  regress: "identity",
};

const DEFAULT_STEPS = 32;
/** Points of one run of the engine. */
const POINTS = 8;
/** Lengths of the compiled graphs are multiples of it: texts of about one length share a graph. */
const LENGTH_UNIT = 32;

/**
 * Explains the score of an example by integrated gradients over the embeddings.
 * @param example - a text or a pair, as the model's task takes it.
 * @throws {ArgumentError} when the task gives no score to whole texts, or an option is out of range.
 * Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks"; the integral by the midpoint rule.
 */
export async function explain(
  model: AnyTaskModel,
  example: { readonly text: string; readonly textPair?: string },
  options: ExplainOptions = {},
): Promise<Explanation> {
  const { steps = DEFAULT_STEPS, baseline = "mask" } = options;
  const scoreFunction = expectExplainable(model);
  if (!Number.isInteger(steps) || steps < 2) {
    throw new ArgumentError({ where: "explain: steps", expected: "a whole number from 2 on", got: steps });
  }
  const { text, textPair } = example;
  const input = textPair === undefined ? { text } : { text, textPair };
  const sequence = onlySequence(model, input);
  const label = options.label ?? (await likeliestLabel(model, input));
  const { scores, sums } = await integrate(model, sequence, scoreFunction, { label, steps, baseline, ...options });
  const [baselineScore = 0, score = 0] = scores;
  const total = sums.reduce((sum, value) => sum + value, 0);
  return {
    ...(label === undefined ? {} : { label }),
    score,
    baselineScore,
    tokens: placed(model.tokenizer, input, sequence).map(({ at, ...token }) => ({
      ...token,
      attribution: sums[at] as number,
    })),
    completenessError: Math.abs(total - (score - baselineScore)),
    steps,
    baseline,
  };
}

/** @throws {ArgumentError} when the model's task gives no score to whole texts. */
function expectExplainable({ task }: AnyTaskModel): ScoreFunction {
  const found = FUNCTIONS[task.settings.task];
  if (found !== undefined) return found;
  const expected = `a model for ${Object.keys(FUNCTIONS).join(", ")}`;
  throw new ArgumentError({ where: "explain", expected, got: verbatim(`one for ${task.settings.task}`) });
}

/** @throws {ArgumentError} for a text that is read in several windows. */
function onlySequence({ task, tokenizer }: AnyTaskModel, example: object): TokenSequence {
  const { rows } = task.encode(example, tokenizer);
  const [row, ...others] = rows as readonly TaskRow[];
  if (others.length === 0) return row?.sequences[0] as TokenSequence;
  throw new ArgumentError({
    where: "explain",
    expected: "a text that fits into one row",
    got: verbatim(`one of ${rows.length} windows`),
    hint: "texts are explained where they are cut: leave longTexts (--windows) out",
  });
}

async function likeliestLabel(model: AnyTaskModel, example: object): Promise<string | undefined> {
  for await (const prediction of model.predict([example])) {
    const { labels } = model.task.result(example, prediction) as { labels?: { label: string; score: number }[] };
    return labels?.reduce((best, one) => (one.score > best.score ? one : best)).label;
  }
  return undefined;
}

interface Way {
  readonly label: string | undefined;
  readonly steps: number;
  readonly baseline: "mask" | "pad";
  readonly signal?: AbortSignal;
}

/** The scores of baseline and text, and each token's part of the way between. */
async function integrate(
  model: AnyTaskModel,
  { ids, typeIds }: TokenSequence,
  scoreFunction: ScoreFunction,
  { label, steps, baseline, signal }: Way,
): Promise<{ readonly scores: readonly number[]; readonly sums: Float64Array }> {
  const { labels = ["score"] } = model.task.settings;
  const target = label === undefined ? 0 : labels.indexOf(label);
  if (target < 0) {
    throw new ArgumentError({ where: "explain: label", expected: `one of ${labels.join(", ")}`, got: label });
  }
  const seqLength = Math.min(Math.ceil(ids.length / LENGTH_UNIT) * LENGTH_UNIT, model.config.maxPositionEmbeddings);
  const shape = { points: POINTS, seqLength, labels: labels.length };
  const program = await model.program(`attribution ${scoreFunction} ${seqLength}`, (config) =>
    attributionGraph(model.task, config, scoreFunction, shape),
  );
  const padded = (values: ArrayLike<number>) => {
    const row = new Int32Array(seqLength);
    row.set(values);
    return hostTensor("int32", [1, seqLength], row);
  };
  const { cls, sep, mask, pad } = model.tokenizer.vocabulary.ids;
  const blank = baseline === "mask" ? mask : pad;
  const inputs = {
    input_ids: padded(ids),
    baseline_ids: padded(ids.map((id) => (id === cls || id === sep ? id : blank))),
    token_type_ids: padded(typeIds),
    attention_mask: padded(new Int32Array(ids.length).fill(1)),
    target: hostTensor(
      "float32",
      [1, labels.length],
      Float32Array.from(labels, (_, i) => (i === target ? 1 : 0)),
    ),
  };
  // The ends of the way are measured, and the middles of its parts summed up.
  const shares = [0, 1, ...Array.from({ length: steps }, (_, i) => (i + 0.5) / steps)];
  const scores: number[] = [];
  const sums = new Float64Array(ids.length);
  for (let first = 0; first < shares.length; first += POINTS) {
    signal?.throwIfAborted();
    const data = Float32Array.from({ length: POINTS }, (_, i) => shares[first + i] ?? 0);
    const outputs = await program.run({ ...inputs, shares: hostTensor("float32", [POINTS, 1, 1], data) });
    const parts = outputs["attributions"]?.data as Float32Array;
    for (let point = 0; point < POINTS && first + point < shares.length; point++) {
      scores.push(Number(outputs["scores"]?.data[point]));
      if (first + point < 2) continue;
      for (let at = 0; at < ids.length; at++) {
        sums[at] = (sums[at] as number) + (parts[point * seqLength + at] as number) / steps;
      }
    }
  }
  return { scores, sums };
}

interface PlacedToken extends Omit<TokenAttribution, "attribution"> {
  /** The place in the row. */
  readonly at: number;
}

/** Where the tokens of a row stand in their texts; [CLS] and [SEP] stand nowhere. */
function placed(
  tokenizer: BertTokenizer,
  { text, textPair }: { readonly text: string; readonly textPair?: string },
  { ids, typeIds }: TokenSequence,
): PlacedToken[] {
  const lengthA = typeIds.reduce((count, id) => count + (id === 0 ? 1 : 0), 0) - 2;
  const sides = textPair === undefined ? [text] : [text, textPair];
  return sides.flatMap((own, side) => {
    const { starts, ends } = tokenizer.encodePieces(own);
    const first = side === 0 ? 1 : lengthA + 2;
    const count = side === 0 ? lengthA : ids.length - lengthA - 3;
    return Array.from({ length: count }, (_, i): PlacedToken => {
      const [start, end] = [starts[i] as number, ends[i] as number];
      return { at: first + i, text: own.slice(start, end), start, end, side: side as 0 | 1 };
    });
  });
}

/** Where a model's layers attend for a text. */
export interface AttentionMaps {
  /** With [CLS] and [SEP]. */
  readonly tokens: readonly string[];
  /** By layer and head: float32 [tokens, tokens], flat; row i is how token i attends to all, and sums to 1. */
  readonly layers: readonly (readonly Float32Array[])[];
}

/**
 * The attention of every layer and head over an example.
 * @throws {ArgumentError} when the task gives no score to whole texts.
 * Source: Vaswani et al. 2017, section 3.2.
 */
export async function attentionMaps(
  model: AnyTaskModel,
  example: { readonly text: string; readonly textPair?: string },
): Promise<AttentionMaps> {
  expectExplainable(model);
  const { ids, typeIds } = onlySequence(model, example);
  const program = await model.program("attention", attentionGraph);
  const row = (data: Int32Array) => hostTensor("int32", [1, data.length], data);
  const outputs = await program.run({
    input_ids: row(ids),
    token_type_ids: row(typeIds),
    attention_mask: row(new Int32Array(ids.length).fill(1)),
  });
  const size = ids.length ** 2;
  const layers = Array.from({ length: model.config.numHiddenLayers }, (_, layer) => {
    const data = outputs[attentionName(layer + 1)]?.data as Float32Array;
    return Array.from({ length: model.config.numAttentionHeads }, (__, head) =>
      data.slice(head * size, (head + 1) * size),
    );
  });
  return { tokens: model.tokenizer.convertIdsToTokens(ids), layers };
}
