/** Predictions over a stream of examples: encoded, run sorted by length, decoded in their order. */
import { type StreamOptions, streamTexts } from "../inference/text-stream.ts";
import type { Executable } from "../runtime/runtime.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { EncodedExample, RowScores, Task, TaskRow } from "./task.ts";
import { lengthOfRow, scoresByRow, scoringBatch } from "./task-batch.ts";

/** How a stream is worked through. */
export interface PredictOptions extends Pick<StreamOptions, "batchTokens" | "signal" | "onProgress"> {
  /** Called for each example of which tokens were cut off. */
  readonly onTruncated?: () => void;
}

interface Pending<Example, Encoded> {
  readonly example: Example;
  readonly encoded: Encoded;
  /** By the place of the row in its example. */
  readonly scores: RowScores[];
}

/**
 * The predictions for examples, in their order. Memory is bounded by a chunk (some thousand examples), whatever the stream's
 * length.
 * @param program - of `taskGraph`; is given batches of any size.
 * @throws {DataError} when an example does not fit the task; what the signal says.
 */
export async function* predictExamples<Example, Prediction, Encoded extends EncodedExample>(
  task: Pick<Task<Example, Prediction, Encoded>, "encode" | "decode" | "scoreAxes">,
  tokenizer: BertTokenizer,
  program: Pick<Executable, "run" | "streams">,
  examples: Iterable<Example> | AsyncIterable<Example>,
  options: PredictOptions = {},
): AsyncGenerator<Prediction> {
  const work = {
    bytes: { perText: 0, perToken: BYTES_OF_SCORES },
    encode: (example: Example): PlacedRows<Encoded> => {
      const encoded = task.encode(example, tokenizer);
      if (encoded.isTruncated) options.onTruncated?.();
      return { encoded, rows: encoded.rows.map((row, place) => ({ row, place })) };
    },
    tokens: ({ row }: PlacedRow) => row.sequences.length * lengthOfRow(row),
    start: (example: Example, { encoded }: PlacedRows<Encoded>): Pending<Example, Encoded> => ({
      example,
      encoded,
      scores: [],
    }),
    streams: program.streams ?? 1,
    run: async (rows: readonly PlacedRow[], results: readonly Pending<Example, Encoded>[]) => {
      const plain = rows.map(({ row }) => row);
      const batch = scoringBatch(plain);
      const scores = scoresByRow(task, plain, batch, await program.run(batch.inputs));
      rows.forEach(({ place }, i) => {
        (results[i] as Pending<Example, Encoded>).scores[place] = scores[i] as RowScores;
      });
    },
  };
  for await (const { example, encoded, scores } of streamTexts(examples, work, options)) {
    yield task.decode(example, encoded, scores);
  }
}

/** A row, and its place among those of its example. */
interface PlacedRow {
  readonly row: TaskRow;
  readonly place: number;
}

interface PlacedRows<Encoded> {
  readonly encoded: Encoded;
  readonly rows: readonly PlacedRow[];
}

/** About what scores of a token or two take; more where a task has many labels. */
const BYTES_OF_SCORES = 16;
