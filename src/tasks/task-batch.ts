/** Rows of a task as the inputs of its graphs, padded to one length. */
import { tokenBatch } from "../inference/batches.ts";
import { notNumbers } from "../runtime/checks.ts";
import { elementCount, type HostTensor, hostTensor } from "../util/tensor.ts";
import type { AnyTask, LabelInput, RowScores, TaskRow } from "./task.ts";
import { ROW_WEIGHTS } from "./task-graph.ts";

/** A padded batch of rows. */
export interface TaskBatch {
  readonly rows: number;
  /** Tokens of each sequence with its padding. */
  readonly seqLength: number;
  /** The rows that count; those after them only fill the batch. */
  readonly filled: number;
  /** Tokens without padding, of all rows. */
  readonly tokens: number;
  /** By input name, as `taskLossGraph` takes them (without labels as `taskGraph` does). */
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

/** Tokens of the longest of a row's sequences. */
export function lengthOfRow({ sequences }: TaskRow): number {
  return sequences.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);
}

/**
 * Lays rows under one another, with their labels.
 * @param options.seqLength - no row may be longer; the length of the longest one when left out.
 * @param options.filled - rows from here on carry no weight and the labels of padding; all count when left out.
 */
export function taskBatch(
  task: AnyTask,
  rows: readonly TaskRow[],
  options: { readonly seqLength?: number; readonly filled?: number } = {},
): TaskBatch {
  const { filled = rows.length } = options;
  const batch = scoringBatch(rows, options.seqLength);
  const weights = Float32Array.from(rows, (_, row) => (row < filled ? 1 : 0));
  const labels = Object.entries(task.labelInputs).map(([name, wanted]) => {
    return [name, labelTensor(rows, name, wanted, batch.seqLength, filled)] as const;
  });
  const inputs = {
    ...batch.inputs,
    ...Object.fromEntries(labels),
    [ROW_WEIGHTS]: hostTensor("float32", [rows.length], weights),
  };
  return { ...batch, filled, inputs };
}

/** Lays rows under one another for scoring: tokens alone. */
export function scoringBatch(rows: readonly TaskRow[], seqLength?: number): TaskBatch {
  const sequences = rows.flatMap((row) => row.sequences);
  const { inputs, seqLength: padded } = tokenBatch(sequences, seqLength);
  const tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  return { rows: rows.length, filled: rows.length, seqLength: padded, tokens, inputs };
}

function labelTensor(
  rows: readonly TaskRow[],
  name: string,
  { dtype, axis, padding }: LabelInput,
  seqLength: number,
  filled: number,
): HostTensor {
  const width = axis === "row" ? 1 : axis === "token" ? seqLength : axis;
  const shape = axis === "row" ? [rows.length] : [rows.length, width];
  const data = dtype === "int32" ? new Int32Array(elementCount(shape)) : new Float32Array(elementCount(shape));
  data.fill(padding);
  rows.forEach(({ labels }, row) => {
    const values = labels?.[name];
    if (values !== undefined && row < filled) data.set(values, row * width);
  });
  return hostTensor(dtype, shape, data);
}

/**
 * The scores of each row, cut out of those of a batch; outputs by token without those of padding.
 * @throws {RuntimeError} when one is not a number: nothing can be decoded from it.
 */
export function scoresByRow(
  task: Pick<AnyTask, "scoreAxes">,
  rows: readonly TaskRow[],
  { seqLength }: TaskBatch,
  outputs: Readonly<Record<string, HostTensor>>,
): RowScores[] {
  return rows.map((row, at) => {
    const scores = Object.entries(task.scoreAxes).map(([name, axis]) => {
      const data = (outputs[name] as HostTensor).data as Float32Array;
      const size = data.length / rows.length;
      const kept = axis === "row" ? size : (size / seqLength) * lengthOfRow(row);
      const own = data.slice(at * size, at * size + kept);
      if (own.some(Number.isNaN)) throw notNumbers(`scores (${name})`);
      return [name, own] as const;
    });
    return Object.fromEntries(scores);
  });
}
