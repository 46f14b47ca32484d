/** The explained score of sentence vectors: the cosine of a pair. A vector alone is no score. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { Tensor } from "../../graph/graph.ts";
import { slice } from "../../graph/ops/slice.ts";
import type { SimilarityExample } from "../examples.ts";
import { pairCosines } from "../vector-losses.ts";
import { type ExplainedTask, placesOf, wholePart } from "./explained.ts";
import { sourceTexts } from "./explained-labels.ts";

/** Explains cosines. @param sequencesPerRow - two texts, and perhaps a negative that is not looked at. */
export function explainedSimilarity(sequencesPerRow: number): ExplainedTask<SimilarityExample> {
  return {
    sources: (example, { rows }, tokenizer) => {
      const texts = sourceTexts(example);
      const places = rows.flatMap(({ sequences }) =>
        sequences.map((sequence, i) => {
          const own = texts[i];
          return own === undefined ? [] : placesOf(sequence, [wholePart(tokenizer, i, own.text)]);
        }),
      );
      return { texts, places };
    },
    explained: ({ textPair }, _, __, label) => {
      if (textPair === undefined) {
        throw new ArgumentError({
          where: "explain",
          expected: "a pair of texts",
          got: verbatim("one text"),
          hint: "a text's vector is no score that could be explained; how near two texts are is one: give a pair",
        });
      }
      if (label === undefined) return [{ rows: [0], values: () => ({}) }];
      const expected = "no label: the score is a number";
      throw new ArgumentError({ where: "explain: label", expected, got: verbatim(label) });
    },
    score: ({ scores }) => {
      const vectors = scores["vectors"] as Tensor;
      const dim = (vectors.shape[1] as number) / sequencesPerRow;
      const [a, b] = [0, 1].map((at) => slice(vectors, 1, at * dim, dim)) as [Tensor, Tensor];
      return pairCosines(a, b);
    },
  };
}
