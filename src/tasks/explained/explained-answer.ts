/** The explained score of reading comprehension: start + end of the answer's span, or the probability of a kind of answer. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { Tensor } from "../../graph/graph.ts";
import { add } from "../../graph/ops/arithmetic.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import type { QuestionExample } from "../examples.ts";
import { ANSWER_KINDS, answerPlace, answerScores } from "../qa/qa-answer.ts";
import type { CompleteSettings } from "../qa/qa-settings.ts";
import type { PassageWindows } from "../qa/qa-windows.ts";
import type { EncodedExample } from "../task.ts";
import { type ExplainedTask, oneAt, placesOf, weightedSum, wholePart } from "./explained.ts";

/** An encoded question. */
export interface QuestionRows extends EncodedExample {
  readonly passage: PassageWindows;
}

/** The places of texts in the list of sources. */
const [QUESTION, CONTEXT] = [0, 1] as const;

/** Explains answers, in the window of the passage that the answer is from. */
export function explainedAnswer(settings: CompleteSettings): ExplainedTask<QuestionExample, QuestionRows> {
  return {
    sources: ({ question, context }, { passage: { windows, pieces } }, tokenizer) => {
      const first = wholePart(tokenizer, QUESTION, question);
      const placeOf = (start: number, end: number) => ({ source: CONTEXT, start, end });
      const places = windows.map(({ sequence, from }) => placesOf(sequence, [first, { pieces, first: from, placeOf }]));
      const texts = [
        { name: "question", text: question },
        { name: "context", text: context },
      ];
      return { texts, places };
    },
    explained: (example, { passage }, scores, label) => {
      if (label !== undefined) {
        const expected = "no label: the answer is explained";
        throw new ArgumentError({ where: "explain: label", expected, got: verbatim(label) });
      }
      const found = answerPlace(example, passage, scores.map(answerScores), settings);
      if (found === undefined) {
        const expected = "a passage that an answer was found in";
        throw new ArgumentError({ where: "explain", expected, got: example.context.slice(0, 40) });
      }
      const { window, kind, positions, span } = found;
      const values = (seqLength: number) => ({
        start: positions ? oneAt(positions[0], seqLength) : new Float32Array(seqLength),
        end: positions ? oneAt(positions[1], seqLength) : new Float32Array(seqLength),
        ...(settings.answerKinds ? { kind: new Float32Array(ANSWER_KINDS.map((one) => (one === kind ? 1 : 0))) } : {}),
      });
      const place = span === undefined ? {} : { span: { source: CONTEXT, start: span[0], end: span[1] } };
      return [{ ...(kind === undefined ? {} : { label: kind }), ...place, rows: [window], values }];
    },
    score: ({ scores, seq, given }) => {
      const [start, end] = (["start", "end"] as const).map((side) =>
        weightedSum(scores[`${side}_logits`] as Tensor, given(side, seq)),
      ) as [Tensor, Tensor];
      const spans = add(start, end);
      const kinds = scores["kind_logits"];
      return kinds === undefined ? spans : add(spans, weightedSum(softmax(kinds), given("kind", ANSWER_KINDS.length)));
    },
  };
}
