/** Fine-tuning: a task as an objective of the training loop, and the measuring of a model on its examples. */
import type { BertConfig } from "../model/config.ts";
import type { Trainable } from "../model/trainable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { checkTokens } from "../train/check-inputs.ts";
import { compileStep } from "../train/compile-step.ts";
import type { CommonSums } from "../train/run-meter.ts";
import type { Evaluated, TrainingObjective } from "../train/training-run-options.ts";
import { type CompileStep, expectOutput, TrainingStep } from "../train/training-step.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";
import type { AnyTask, Evaluation, LossOptions, RowScores, TaskRow } from "./task.ts";
import { scoresByRow, type TaskBatch } from "./task-batch.ts";
import { type EncodedExamples, TaskBatches } from "./task-batches.ts";
import { taskLossGraph } from "./task-graph.ts";

/** The sizes that a compiled graph is for. */
export type TaskShape = Readonly<Record<"rows" | "seqLength", number>>;

/** What fine-tuning logs of each line's updates. */
export interface FineTuningMeans {
  readonly loss: number;
}

/** How well a model does on held-out examples. */
export interface FineTuningEvaluation {
  /** Mean over the rows. */
  readonly loss: number;
  readonly evaluation: Evaluation;
}

/** The objective of a task. */
export type TaskObjective = TrainingObjective<TaskBatch, TaskShape, CommonSums, FineTuningMeans, FineTuningEvaluation>;

/**
 * What batches of a task are to the training loop.
 * @param examplesPerRow - below 1 where a long example gives several rows.
 */
export function taskObjective(task: AnyTask, config: BertConfig, examplesPerRow = 1): TaskObjective {
  const { primaryMetric, isLowerBetter = false } = task;
  return {
    title: "fine-tuning",
    shapeOf: ({ rows, seqLength }) => ({ rows, seqLength }),
    inputs: ({ inputs }) => ({ ...inputs }),
    rowsOf: ({ filled }) => filled,
    measure: (batch, outputs, flops) => ({
      microBatches: 1,
      loss: Number(expectOutput(outputs, "loss").data[0]),
      tokens: batch.tokens,
      places: tokensOf(batch, "input_ids").length,
      flops,
      examples: batch.filled * examplesPerRow,
    }),
    emptySums: () => ({ microBatches: 0, loss: 0, tokens: 0, places: 0, flops: 0, examples: 0 }),
    means: ({ loss, microBatches }) => ({ loss: microBatches === 0 ? 0 : loss / microBatches }),
    check: (batch, where) => {
      const [inputIds, tokenTypeIds] = [tokensOf(batch, "input_ids"), tokensOf(batch, "token_type_ids")];
      checkTokens({ seqLength: batch.seqLength, inputIds, tokenTypeIds }, config, where);
    },
    rank: ({ loss, evaluation }) => evaluation.metrics[primaryMetric] ?? loss,
    isHigherBetter: !isLowerBetter,
    ranksAverage: true,
  };
}

function tokensOf({ inputs }: TaskBatch, name: "input_ids" | "token_type_ids"): Int32Array {
  return (inputs[name] as HostTensor).data as Int32Array;
}

/** What the graph of a run's loss is like. */
export interface CompileTaskOptions extends LossOptions {
  /** The weight of R-Drop's divergence; none when left out. */
  readonly rDropAlpha?: number;
  /** Computes layers again for their gradients: less memory, more time. */
  readonly recompute?: boolean;
  /** Tokens of the longest batches: where programs do not share memory, only training on them keeps it between runs. */
  readonly longest?: number;
}

/** The function that compiles a task's graph with the gradients of some part of the model. */
export function compileTask(runtime: Runtime, task: AnyTask, config: BertConfig, options: CompileTaskOptions = {}) {
  const { rDropAlpha, recompute = false, longest, ...loss } = options;
  return (trainable: Trainable): CompileStep<TaskShape> =>
    (shape, mode) => {
      const isTraining = mode === "train";
      const graph = taskLossGraph(task, config, {
        ...loss,
        ...shape,
        gradients: isTraining,
        dropout: isTraining,
        trainable,
        recompute: recompute && isTraining,
        ...(isTraining && rDropAlpha !== undefined ? { rDropAlpha } : {}),
      });
      return compileStep(runtime, graph, longest === undefined || (isTraining && shape.seqLength === longest));
    };
}

/** A function that measures models on examples, by the task's metrics; the batches are made once. */
export function taskEvaluator(task: AnyTask, examples: EncodedExamples, batchSize: number) {
  const batches = new TaskBatches(task, examples.rows, {
    batchSize: Math.min(batchSize, examples.rows.length),
    seed: 0,
    shuffle: false,
  });
  return async (
    model: Pick<Evaluated<TaskBatch, CommonSums>, "outputs">,
    onBatch?: (done: number, batches: number) => Promise<void> | void,
  ): Promise<FineTuningEvaluation & { readonly predictions: readonly unknown[] }> => {
    const scores: RowScores[] = new Array(examples.rows.length);
    let loss = 0;
    await onBatch?.(0, batches.batchesPerEpoch);
    for (let index = 0; index < batches.batchesPerEpoch; index++) {
      const batch = await batches.batch(index);
      const outputs = await model.outputs(batch);
      const numbers = batches.rowsOf(index);
      const rows = Array.from(numbers, (row) => examples.rows[row] as TaskRow);
      // The rows that only fill the batch come last.
      const counted = scoresByRow(task, batch.rows === rows.length ? rows : padRows(rows, batch.rows), batch, outputs);
      numbers.forEach((row, i) => {
        scores[row] = counted[i] as RowScores;
      });
      loss += Number(expectOutput(outputs, "loss").data[0]) * batch.filled;
      await onBatch?.(index + 1, batches.batchesPerEpoch);
    }
    const predictions = decodeAll(task, examples, scores);
    const evaluation = task.evaluate(examples.examples, predictions);
    return { loss: loss / examples.rows.length, evaluation, predictions };
  };
}

function padRows(rows: readonly TaskRow[], length: number): TaskRow[] {
  return Array.from({ length }, (_, i) => rows[i % rows.length] as TaskRow);
}

function decodeAll(task: AnyTask, { examples, encoded }: EncodedExamples, scores: readonly RowScores[]): unknown[] {
  let at = 0;
  return encoded.map((one, i) => {
    const own = scores.slice(at, at + one.rows.length);
    at += one.rows.length;
    return task.decode(examples[i], one, own);
  });
}

/** Weights that are measured and no longer trained. */
export function evaluationStep(
  objective: TaskObjective,
  compile: CompileStep<TaskShape>,
  weights: NamedTensors,
): TrainingStep<TaskBatch, TaskShape, CommonSums> {
  return new TrainingStep(objective, new Map(), compile, 0, weights);
}
