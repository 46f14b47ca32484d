/** Explained scores of tagging: of each entity, how sure the model is of the tags of its units. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { Tensor } from "../../graph/graph.ts";
import { broadcastTo } from "../../graph/ops/broadcast.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { slice } from "../../graph/ops/slice.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import type { EncodedText } from "../../inference/token-rows.ts";
import type { Span, TaggedExample } from "../examples.ts";
import { crfMarginals, unpackCrfTensor } from "../ner/crf.ts";
import { decidedIn, type FoundEntity, type Tagging } from "../ner/ner-decode.ts";
import type { Transitions } from "../ner/viterbi.ts";
import type { EncodedExample, RowScores } from "../task.ts";
import { type ExplainedTask, placesOf, type ScoreInputs, weightedSum } from "./explained.ts";

/** An encoded example of the task. */
export interface TaggedRows extends EncodedExample {
  readonly encoded: EncodedText;
  readonly units: readonly Span[];
}

/** What scores of tags are made by. */
export interface ExplainedTagging {
  readonly labels: readonly string[];
  /** The output that holds a field's parameters, where the model has one. */
  readonly crf?: string;
  readonly legal?: Transitions;
  decode(example: TaggedExample, encoded: TaggedRows, scores: readonly RowScores[]): Tagging;
}

/** Explains each entity: the mean over its units of what the model gives to their tags, as its score is. */
export function explainedTags({
  labels,
  crf,
  legal,
  decode,
}: ExplainedTagging): ExplainedTask<TaggedExample, TaggedRows> {
  const width = labels.length;
  const fieldShares = (logits: Tensor, packed: Tensor, given: ScoreInputs["given"]) => {
    const [points, size] = logits.shape as readonly [number, number];
    const field = unpackCrfTensor(reshape(slice(packed, 0, 0, 1), [width + 2, width]), width, legal);
    return crfMarginals(logits, broadcastTo(given("ignored", size), [points, size]), field);
  };
  return {
    sources: ({ text }, { rows, encoded }) => {
      const placeOf = (start: number, end: number) => ({ source: 0, start, end });
      const places = rows.flatMap(({ sequences }) =>
        sequences.map((sequence) =>
          placesOf(sequence, [{ pieces: encoded.pieces, first: sequence.firstPiece ?? 0, placeOf }]),
        ),
      );
      return { texts: [{ name: "text", text }], places };
    },
    explained: (example, encoded, scores, label) => {
      const tagging = decode(example, encoded, scores);
      const wanted = tagging.entities.filter(({ entity }) => label === undefined || entity === label);
      if (wanted.length === 0 && label !== undefined) {
        const found = [...new Set(tagging.entities.map(({ entity }) => entity))].join(", ");
        const expected = `the type of an entity that was found: ${found || "there is none"}`;
        throw new ArgumentError({ where: "explain: label", expected, got: verbatim(label) });
      }
      const all = encoded.rows.flatMap((_, row) =>
        [...decidedIn(encoded.encoded, row)].map((unit) => [row, ...unit] as const),
      );
      return wanted.map((entity) => {
        const own = all.filter(([, unit]) => isWithin(encoded.units[unit] as Span, entity));
        // A field's probabilities are over all units of the text, the others' over the labels of their unit alone.
        const rows = crf === undefined ? [...new Set(own.map(([row]) => row))] : [...encoded.rows.keys()];
        const values = (seqLength: number) => {
          const target = new Float32Array(rows.length * seqLength * width);
          for (const [row, unit, token] of own) {
            const tag = labels.indexOf(tagging.tags[unit] as string);
            target[(rows.indexOf(row) * seqLength + token) * width + tag] = 1 / own.length;
          }
          if (crf === undefined) return { target };
          const ignored = new Float32Array(rows.length * seqLength).fill(1);
          for (const [row, , token] of all) ignored[row * seqLength + token] = 0;
          return { target, ignored };
        };
        const { start, end } = entity;
        return { label: entity.entity, span: { source: 0, start, end }, rows, values };
      });
    },
    score: ({ scores, points, rows, seq, given }) => {
      const size = rows * seq;
      const logits = reshape(scores["logits"] as Tensor, [points, size, width]);
      const shares = crf === undefined ? softmax(logits) : fieldShares(logits, scores[crf] as Tensor, given);
      return weightedSum(shares, reshape(given("target", size * width), [1, size, width]));
    },
  };
}

function isWithin([start, end]: Span, entity: FoundEntity): boolean {
  return start >= entity.start && end <= entity.end;
}
