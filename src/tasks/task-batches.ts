/** Labelled examples as batches for training and evaluation: encoded once, then bucketed by length. */
import { BucketPlan } from "../data/bucket-plan.ts";
import { DataError, verbatim } from "../errors.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { BatchSource } from "../train/training-run-options.ts";
import type { AnyTask, EncodedExample, TaskRow } from "./task.ts";
import { lengthOfRow, type TaskBatch, taskBatch } from "./task-batch.ts";

/** Examples with their rows. */
export interface EncodedExamples {
  readonly examples: readonly unknown[];
  /** One for each example. */
  readonly encoded: readonly EncodedExample[];
  /** The rows of all examples, in their order. */
  readonly rows: readonly TaskRow[];
  /** How many examples were cut off. */
  readonly truncated: number;
}

/** How often other work (signals, drawing) has its turn. */
const EXAMPLES_BETWEEN_PAUSES = 256;

/**
 * Encodes examples.
 * @param pause - is awaited now and then, with the number of examples done.
 * @throws {DataError} when an example does not fit the task.
 */
export async function encodeExamples(
  task: AnyTask,
  tokenizer: BertTokenizer,
  examples: readonly unknown[],
  pause?: (done: number) => Promise<void> | void,
): Promise<EncodedExamples> {
  const encoded: EncodedExample[] = [];
  for (const example of examples) {
    if (encoded.length % EXAMPLES_BETWEEN_PAUSES === 0) await pause?.(encoded.length);
    encoded.push(task.encode(example, tokenizer));
  }
  const truncated = encoded.reduce((count, { isTruncated }) => count + (isTruncated ? 1 : 0), 0);
  return { examples, encoded, rows: encoded.flatMap(({ rows }) => rows), truncated };
}

/** How rows become batches. */
export interface TaskBatchOptions {
  readonly batchSize: number;
  /** The seed of the order, an integer >= 0. */
  readonly seed: number;
  /** False keeps the order of the rows within buckets; true when left out. */
  readonly shuffle?: boolean;
}

/** All batches of all epochs over the rows of a task. */
export class TaskBatches implements BatchSource<TaskBatch> {
  readonly batchesPerEpoch: number;
  /** The share of places in an epoch's batches that hold no token, in [0, 1). */
  readonly paddingShare: number;
  /** Tokens of the longest batches. */
  readonly longest: number;
  readonly #task: AnyTask;
  readonly #rows: readonly TaskRow[];
  readonly #plan: BucketPlan;

  /** @throws {ArgumentError} when there are no rows, or an option cannot be. */
  constructor(task: AnyTask, rows: readonly TaskRow[], options: TaskBatchOptions) {
    this.#task = task;
    this.#rows = rows;
    const lengths = Uint16Array.from(rows, lengthOfRow);
    this.#plan = new BucketPlan(lengths, { ...options, maxSeqLength: task.settings.maxSeqLength });
    this.batchesPerEpoch = this.#plan.batchesPerEpoch;
    this.paddingShare = this.#plan.paddingShare;
    this.longest = this.#plan.shapes.at(-1)?.seqLength ?? 0;
  }

  async batch(index: number): Promise<TaskBatch> {
    const { shape, rows, filled } = this.#plan.rows(index);
    const { seqLength } = shape;
    return taskBatch(
      this.#task,
      Array.from(rows, (row) => this.#rows[row] as TaskRow),
      { seqLength, filled },
    );
  }

  /** The rows of a batch that count, by their numbers. */
  rowsOf(index: number): Uint32Array {
    const { rows, filled } = this.#plan.rows(index);
    return rows.subarray(0, filled);
  }
}

/**
 * Refuses to train on examples that lack labels.
 * @throws {DataError} that names the first one.
 */
export function expectLabelled({ labelInputs }: AnyTask, { encoded }: EncodedExamples): void {
  const wanted = Object.keys(labelInputs);
  const bare = encoded.findIndex(({ rows }) => rows.some(({ labels }) => wanted.some((name) => !labels?.[name])));
  if (bare < 0) return;
  throw new DataError({
    where: `training data: example ${bare + 1}`,
    expected: "an example with its label",
    got: verbatim("none"),
    hint: "leave out what has no label, or name the column of the labels",
  });
}

/**
 * Refuses to measure on examples whose labels the task does not know, before any of them is computed.
 * @throws {DataError} that names the first one.
 */
export function expectKnownLabels(task: AnyTask, examples: readonly unknown[]): void {
  for (const example of examples) task.expectLabel?.(example);
}
