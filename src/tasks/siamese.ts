/**
 * Text matching with the two texts read apart: their mean vectors u and v, and [u, v, |u - v|] through a linear layer. Vectors
 * can be made ahead of time; reading both texts together (`match`) tells more.
 */
import type { Tensor } from "../graph/graph.ts";
import { add, scale, sub } from "../graph/ops/arithmetic.ts";
import { relu } from "../graph/ops/relu.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { concat, slice } from "../graph/ops/slice.ts";
import { sequenceClassificationHead } from "../model/heads.ts";
import { meanPooling } from "../model/pooling.ts";
import { classification, type TextReading } from "./classify.ts";
import { encodeTexts } from "./sequence-task.ts";
import type { HeadInputs } from "./task.ts";

const readApart: TextReading = {
  sequencesPerRow: 2,
  encode: ({ textPair = "", ...first }, tokenizer, settings, labels) => {
    const sides = [first, { text: textPair }].map((side) => encodeTexts(side, tokenizer, settings));
    const sequences = sides.flatMap(({ rows }) => rows.flatMap((row) => row.sequences));
    const isTruncated = sides.some((side) => side.isTruncated);
    return { rows: [{ sequences, ...(labels === undefined ? {} : { labels }) }], isTruncated };
  },
  score: (inputs, labels) => {
    const { context, config, rows, sequences, seq, sequenceOutput, attentionMask, dropout } = inputs;
    const { hiddenSize } = config;
    const means = meanPooling(reshape(dropout(sequenceOutput), [sequences, seq, hiddenSize]), attentionMask);
    const pairs = reshape(means, [rows, 2 * hiddenSize]);
    return sequenceClassificationHead(context, concat([pairs, distance(pairs, inputs)], 1), labels);
  },
};

/** |u - v|. @param pairs - float32 [rows, 2 * hiddenSize]. */
function distance(pairs: Tensor, { config: { hiddenSize } }: HeadInputs): Tensor {
  const difference = sub(slice(pairs, 1, 0, hiddenSize), slice(pairs, 1, hiddenSize, hiddenSize));
  return add(relu(difference), relu(scale(difference, -1)));
}

/**
 * One label for a pair of texts that are read apart.
 * Source: Reimers and Gurevych 2019 (Sentence-BERT), section 3; PaddleHub's text-matching.
 */
export const siamese = classification({
  name: "siamese",
  summary: "one label for a pair of texts that are read apart, so that vectors can be kept",
  needsPair: true,
  reading: readApart,
});
