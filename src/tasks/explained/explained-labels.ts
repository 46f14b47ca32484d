/** Explained scores of whole texts and pairs: the probability of a label, alone or among others, or a number. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { Tensor } from "../../graph/graph.ts";
import { addScalar, scale } from "../../graph/ops/arithmetic.ts";
import { reduceMean } from "../../graph/ops/reduce.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import { tanh } from "../../graph/ops/tanh.ts";
import { meanLogits, namedTexts, type TextOrPairExample } from "../sequence-task.ts";
import type { TokenSequence } from "../task.ts";
import { type ExplainedTask, oneAt, placesOf, type SourceText, weightedSum, wholePart } from "./explained.ts";

/** From logits to what is explained: a label's probability among others or by itself, or the number. */
const functions = {
  softmax,
  sigmoid: (logits: Tensor) => addScalar(scale(tanh(scale(logits, 0.5)), 0.5), 0.5),
  identity: (logits: Tensor) => logits,
} as const;

/** Explains scores that are functions of `logits` [rows, labels], averaged over windows. */
export function explainedLabels(
  name: keyof typeof functions,
  labels: readonly string[] | undefined,
  readsApart = false,
): ExplainedTask<TextOrPairExample> {
  const width = labels?.length ?? 1;
  return {
    sources: (example, { rows }, tokenizer) => {
      const texts = sourceTexts(example);
      const parts = texts.map(({ text }, source) => wholePart(tokenizer, source, text));
      const places = rows.flatMap(({ sequences }) =>
        sequences.map((sequence, i) => placesOf(sequence, from(sequence, readsApart ? parts.slice(i, i + 1) : parts))),
      );
      return { texts, places };
    },
    explained: (_, { rows }, scores, label) => {
      const target = targetOf(labels, meanLogits(scores), label);
      const found = labels?.[target];
      const values = () => ({ target: oneAt(target, width) });
      return [{ ...(found === undefined ? {} : { label: found }), rows: [...rows.keys()], values }];
    },
    score: ({ scores, points, rows, given }) => {
      const logits = reduceMean(reshape(scores["logits"] as Tensor, [points, rows, width]), [1]);
      return weightedSum(functions[name](logits), given("target", width));
    },
  };
}

/** The texts by the names of results. */
export function sourceTexts(example: TextOrPairExample): SourceText[] {
  return Object.entries(namedTexts(example)).map(([name, text]) => ({ name, text }));
}

/** A single text may be read in windows. */
function from<T>({ firstPiece: first = 0 }: TokenSequence, parts: readonly T[]) {
  return parts.map((part) => ({ ...part, first }));
}

function targetOf(labels: readonly string[] | undefined, logits: Float32Array, label: string | undefined): number {
  if (label === undefined) return labels === undefined ? 0 : logits.indexOf(Math.max(...logits));
  const found = labels?.indexOf(label) ?? -1;
  if (found >= 0) return found;
  const expected = labels === undefined ? "no label: the score is a number" : `one of ${labels.join(", ")}`;
  throw new ArgumentError({ where: "explain: label", expected, got: verbatim(label) });
}
