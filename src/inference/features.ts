/** Every token's hidden states from chosen layers: what extract_features.py of google-research/bert gives. */
import { hiddenStateName, hiddenStatesGraph, resolveLayers } from "../model/hidden-states.ts";
import { tokenBatch } from "./batches.ts";
import type { InferenceModel } from "./inference-model.ts";
import { type StreamOptions, streamTexts } from "./text-stream.ts";
import { type EncodedText, encodeRows, rowOptions, type TextOrPair, type TokenRow, tokensOf } from "./token-rows.ts";

/** Which features are taken. */
export interface FeatureOptions extends Omit<StreamOptions, "overlap" | "truncate"> {
  /** 0 is the embeddings, -1 the last layer; the last four when left out, from the last on. */
  readonly layers?: readonly number[];
}

/** The features of a text. */
export interface TextFeatures {
  /** With [CLS] and [SEP]. */
  readonly tokens: readonly string[];
  /** In the order asked for. */
  readonly layers: readonly {
    /** As it was asked for: -1 stays -1. */
    readonly index: number;
    /** float32 [tokens, hiddenSize], flat. */
    readonly values: Float32Array;
  }[];
  /** Whether the text was longer than `maxLength` and was cut. */
  readonly isTruncated: boolean;
}

const DEFAULT_LAYERS = [-1, -2, -3, -4];

/**
 * The features of texts, in their order. What is longer than `maxLength` (the model's positions when left out) is cut, a
 * pair from its longer side, as Google's script does.
 * @param texts - single texts or pairs; a list, or a stream of any length.
 * @throws {ArgumentError} when an option does not fit the model.
 * Source: extract_features.py of google-research/bert.
 */
export async function* featureStream(
  model: InferenceModel,
  texts: Iterable<TextOrPair> | AsyncIterable<TextOrPair>,
  options: FeatureOptions = {},
): AsyncGenerator<TextFeatures> {
  const { config, tokenizer } = model;
  const asked = options.layers ?? DEFAULT_LAYERS.slice(0, config.numHiddenLayers);
  const layers = resolveLayers(config, asked);
  const rows = { ...rowOptions(options, config.maxPositionEmbeddings), truncate: true };
  const program = await model.programs.get(`hidden-states ${layers}`, () => hiddenStatesGraph(config, { layers }));
  const { hiddenSize } = config;
  const work = {
    bytes: { perText: 0, perToken: 4 * hiddenSize * layers.length },
    encode: (text: TextOrPair) => encodeRows(tokenizer, text, rows),
    start: (_: TextOrPair, { rows: [row], isTruncated }: EncodedText) => {
      const { ids } = row as TokenRow;
      const values = asked.map((index) => ({ index, values: new Float32Array(ids.length * hiddenSize) }));
      return { tokens: tokenizer.convertIdsToTokens(ids), layers: values, isTruncated };
    },
    tokens: tokensOf,
    streams: program.streams ?? 1,
    run: async (rows: readonly TokenRow[], results: readonly TextFeatures[]) => {
      const batch = tokenBatch(rows);
      const outputs = await program.run(batch.inputs);
      layers.forEach((layer, at) => {
        const states = outputs[hiddenStateName(layer)]?.data as Float32Array;
        results.forEach((result, i) => {
          const target = result.layers[at]?.values as Float32Array;
          const start = i * batch.seqLength * hiddenSize;
          target.set(states.subarray(start, start + target.length));
        });
      });
    },
  };
  yield* streamTexts(texts, work, options);
}
