/** The calls of pipelines over any BERT: masks filled, vectors, and texts compared by their vectors. */
import { ArgumentError } from "../../errors.ts";
import type { BertModel } from "../../inference/bert-model.ts";
import type { FillMaskCandidate, WordCandidate } from "../../inference/fill-mask-options.ts";
import type { TextOrPair } from "../../inference/token-rows.ts";
import type {
  CallOptions,
  FeatureExtractionOptions,
  FeatureTensor,
  FilledMask,
  FillMaskCallOptions,
  PairInput,
} from "./pipeline-types.ts";

/** `fill-mask`. */
export function fillMaskCall(model: BertModel) {
  return async (input: string | readonly string[], { topK = 5, targets }: FillMaskCallOptions = {}) => {
    const texts = typeof input === "string" ? [input] : input;
    const filled = targets
      ? await model.fillMask(texts, { topK, candidates: targets })
      : await model.fillMask(texts, { topK });
    const lists = filled.map(({ masks }) => {
      const all = masks.map((candidates) => candidates.map(filledMask));
      return masks.length === 1 ? (all[0] as FilledMask[]) : all;
    });
    return typeof input === "string" ? lists[0] : lists;
  };
}

function filledMask(candidate: FillMaskCandidate | WordCandidate): FilledMask {
  const token = "id" in candidate ? candidate.id : (candidate.ids[0] as number);
  return { score: candidate.score, token, token_str: candidate.token, sequence: candidate.text };
}

/** `feature-extraction`. */
export function featureCall(model: BertModel) {
  return async (
    input: string | readonly string[],
    { pooling = "none", normalize = false, ...options }: FeatureExtractionOptions = {},
  ): Promise<FeatureTensor> => {
    const texts = typeof input === "string" ? [input] : input;
    const wanted = { ...options, pooling, normalize: normalize && pooling !== "none" };
    const vectors = await model.embed(texts, wanted);
    const dim = model.embeddingSize(wanted);
    if (pooling !== "none") return featureTensor([texts.length, dim], concatenated(vectors, dim));
    const longest = vectors.reduce((most, { length }) => Math.max(most, length), 0);
    return featureTensor([texts.length, longest / dim, dim], concatenated(vectors, longest));
  };
}

/** Vectors one after the other, shorter ones with zeros behind them. */
function concatenated(vectors: readonly Float32Array[], size: number): Float32Array {
  const data = new Float32Array(vectors.length * size);
  for (const [i, vector] of vectors.entries()) data.set(vector, i * size);
  return data;
}

function featureTensor(dims: readonly number[], data: Float32Array): FeatureTensor {
  const nested = (axis: number, start: number, size: number): unknown[] => {
    const length = dims[axis] as number;
    if (axis === dims.length - 1) return Array.from(data.subarray(start, start + length));
    return Array.from({ length }, (_, i) => nested(axis + 1, start + (i * size) / length, size / length));
  };
  return { type: "float32", dims, data, tolist: () => nested(0, 0, data.length) };
}

/** `text-similarity` by the cosine of the texts' vectors. */
export function vectorSimilarityCall(model: BertModel) {
  return async (input: string | readonly PairInput[], second?: string | CallOptions, third?: CallOptions) => {
    const options = (typeof second === "string" ? third : second) ?? {};
    const pairs = typeof input === "string" ? [[input, second] as const] : input.map(pairOf);
    for (const pair of pairs) {
      if (pair.every((text) => typeof text === "string")) continue;
      throw new ArgumentError({ where: "text-similarity", expected: "two texts, or a list of pairs", got: pair });
    }
    const texts = pairs.flat() as string[];
    const vectors = await model.embed(texts as TextOrPair[], { ...options, normalize: true });
    const scores = pairs.map((_, i) => ({
      score: dot(vectors[2 * i] as Float32Array, vectors[2 * i + 1] as Float32Array),
    }));
    return typeof input === "string" ? scores[0] : scores;
  };
}

function pairOf(pair: PairInput): readonly unknown[] {
  if (Array.isArray(pair)) return pair.length === 2 ? pair : [undefined];
  const { text, textPair, text_pair } = pair as { text?: string; textPair?: string; text_pair?: string };
  return [text, textPair ?? text_pair];
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
