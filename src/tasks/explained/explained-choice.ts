/** The explained score of multiple choice: the probability of a choice among all of its question. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { Tensor } from "../../graph/graph.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import type { ChoiceExample } from "../examples.ts";
import { hideAbsent } from "../losses.ts";
import { type ExplainedTask, oneAt, placesOf, type SequencePart, weightedSum, wholePart } from "./explained.ts";

/** The places of texts in the list of sources. */
const [CONTEXT, QUESTION, FIRST_CHOICE] = [0, 1, 2] as const;

/**
 * Explains choices. What a character of context or question adds is the sum over the sequences of all choices.
 * @param joined - a question before its choice, as they are read.
 */
export function explainedChoice(
  choicesPerRow: number,
  joined: (question: string, choice: string) => string,
): ExplainedTask<ChoiceExample> {
  return {
    sources: ({ context, question, choices }, { rows }, tokenizer) => {
      const texts = [
        { name: "context", text: context },
        { name: "question", text: question },
        ...choices.map((text, i) => ({ name: `choice ${i + 1}`, text })),
      ];
      const first = wholePart(tokenizer, CONTEXT, context);
      const places = rows
        .flatMap(({ sequences }) => sequences)
        .map((sequence, i) => {
          const choice = choices[i];
          if (choice === undefined) return [];
          const text = joined(question, choice);
          const start = text.length - choice.length;
          return placesOf(sequence, [first, secondPart(wholePart(tokenizer, QUESTION, text), start, FIRST_CHOICE + i)]);
        });
      return { texts, places };
    },
    explained: ({ choices }, { rows }, scores, label) => {
      const logits = scores.flatMap((row) => Array.from(row["logits"] as Float32Array)).slice(0, choices.length);
      const target = label === undefined ? logits.indexOf(Math.max(...logits)) : choices.indexOf(label);
      const text = choices[target];
      if (text === undefined) {
        const expected = `one of ${choices.join(", ")}`;
        throw new ArgumentError({ where: "explain: label", expected, got: verbatim(String(label)) });
      }
      const size = rows.length * choicesPerRow;
      const values = () => ({
        target: oneAt(target, size),
        present: new Float32Array(size).fill(1, 0, choices.length),
      });
      const span = { source: FIRST_CHOICE + target, start: 0, end: text.length };
      return [{ label: text, span, rows: [...rows.keys()], values }];
    },
    score: ({ scores, points, rows, given }) => {
      const size = rows * choicesPerRow;
      const logits = reshape(scores["logits"] as Tensor, [points, size]);
      return weightedSum(softmax(hideAbsent(logits, given("present", size))), given("target", size));
    },
  };
}

/** Of question and choice joined: what stands from `start` on is the choice's. */
function secondPart(part: SequencePart, start: number, source: number): SequencePart {
  return {
    ...part,
    placeOf: (from, to) => (from < start ? part.placeOf(from, to) : { source, start: from - start, end: to - start }),
  };
}
