/** What of a task's predictions can be explained: which number, from which rows, and where their tokens stand in the texts. */
import type { Tensor } from "../../graph/graph.ts";
import { mul } from "../../graph/ops/arithmetic.ts";
import { reduceSum } from "../../graph/ops/broadcast.ts";
import type { Pieces } from "../../text/encoding.ts";
import type { BertTokenizer } from "../../text/tokenizer.ts";
import type { EncodedExample, RowScores, TokenSequence } from "../task.ts";

/** A text that an example is made of. */
export interface SourceText {
  /** `text`, or of several `textA`, `question`, `choice 2`. */
  readonly name: string;
  readonly text: string;
}

/** A place in one of an example's texts. */
export interface SourcePlace {
  /** Which text, counted from 0. */
  readonly source: number;
  /** UTF-16 offsets in it. */
  readonly start: number;
  readonly end: number;
}

/** An example's texts, and where the tokens of its sequences stand in them. */
export interface ExampleSources {
  readonly texts: readonly SourceText[];
  /** Of every sequence of every row: where each token stands; undefined for [CLS] and [SEP]. Empty for one that only fills a row. */
  readonly places: readonly (readonly (SourcePlace | undefined)[])[];
}

/** A number of a prediction that can be explained. */
export interface ExplainedScore {
  /** What the number is of: a label, the type of an entity, a choice; undefined where it is just a number. */
  readonly label?: string;
  /** What stands in a text and has this score: an entity, an answer, a choice. */
  readonly span?: SourcePlace;
  /** The rows that it is made of, by their places in the example; they are read at once. */
  readonly rows: readonly number[];
  /**
   * What `score` is given, by name.
   * @param seqLength - tokens of a sequence with its padding.
   */
  values(seqLength: number): Readonly<Record<string, Float32Array>>;
}

/** The scores of an example's rows at several points, within a graph. */
export interface ScoreInputs {
  /** The head's, over points * rows rows; the rows of a point one after the other. */
  readonly scores: Readonly<Record<string, Tensor>>;
  readonly points: number;
  readonly rows: number;
  readonly seq: number;
  /** An input by which one score is told from another: float32 [1, size]. */
  given(name: string, size: number): Tensor;
}

/** How a task's predictions are explained. */
export interface ExplainedTask<Example, Encoded extends EncodedExample = EncodedExample> {
  sources(example: Example, encoded: Encoded, tokenizer: BertTokenizer): ExampleSources;
  /**
   * The numbers of a prediction: one, or of tags one for each entity.
   * @param scores - of each row. @param label - the one that is asked about; the predicted one when left out.
   * @throws {ArgumentError} for a label that is none, or an example that gives no number.
   */
  explained(
    example: Example,
    encoded: Encoded,
    scores: readonly RowScores[],
    label?: string,
  ): readonly ExplainedScore[];
  /** The number: float32 [points]. */
  score(inputs: ScoreInputs): Tensor;
}

/** The sum of what is weighted: [points, ...shape] with [1, ...shape] to float32 [points]. */
export function weightedSum(x: Tensor, weights: Tensor): Tensor {
  return reduceSum(
    mul(x, weights),
    x.shape.slice(1).map((_, i) => i + 1),
  );
}

/** Zeros with a one. */
export function oneAt(place: number, size: number): Float32Array {
  const values = new Float32Array(size);
  values[place] = 1;
  return values;
}

/** A text of a sequence: its pieces, and where they stand. */
export interface SequencePart {
  readonly pieces: Pick<Pieces, "starts" | "ends">;
  /** The piece that comes first in the sequence; 0 when left out. */
  readonly first?: number;
  placeOf(start: number, end: number): SourcePlace | undefined;
}

/** A whole text of an example as a part of a sequence. */
export function wholePart(tokenizer: BertTokenizer, source: number, text: string): SequencePart {
  return { pieces: tokenizer.encodePieces(text), placeOf: (start, end) => ({ source, start, end }) };
}

/** Where the tokens of `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]` stand. */
export function placesOf({ typeIds }: TokenSequence, parts: readonly SequencePart[]): (SourcePlace | undefined)[] {
  const places = new Array<SourcePlace | undefined>(typeIds.length).fill(undefined);
  const second = typeIds.indexOf(1);
  const borders = [1, second < 0 ? typeIds.length : second, typeIds.length];
  parts.forEach(({ pieces, first = 0, placeOf }, part) => {
    const from = borders[part] as number;
    for (let at = from; at < (borders[part + 1] as number) - 1; at++) {
      const piece = first + at - from;
      places[at] = placeOf(pieces.starts[piece] as number, pieces.ends[piece] as number);
    }
  });
  return places;
}
