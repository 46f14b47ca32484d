/** What the training loop is given, what it tells its caller, and where it stands between two updates. */
import type { BertConfig } from "../model/config.ts";
import type { Trainable } from "../model/trainable.ts";
import type { NamedTensors } from "../util/tensor.ts";
import type { BestSoFar } from "./best.ts";
import type { LoggedLine, RunPosition } from "./metrics.ts";
import type { PassRunner } from "./pass-runner.ts";
import type { CommonSums } from "./run-meter.ts";
import type { TrainingSettings } from "./settings.ts";
import type { BudgetState } from "./time-budget.ts";
import type { CompileStep, Objective, TrainingStep } from "./training-step.ts";

/** Training batches by their number, counted from 0 over all epochs. */
export interface BatchSource<Batch> {
  readonly batchesPerEpoch: number;
  batch(index: number): Promise<Batch>;
}

/** Where a run goes on. */
export interface TrainingProgress {
  /** Updates done. */
  readonly step: number;
  /** Micro-batches trained on; with the seed the next one's number names its dropout masks. */
  readonly microBatches: number;
  /** Of these, those of the phase; the next one has this number in the phase's data. */
  readonly dataPosition: number;
  /** The optimiser's moments. */
  readonly moments: NamedTensors;
  /** Sums since the last logged line. */
  readonly window: Readonly<Record<string, number>>;
  /** The moving average of the weights, if there is one. */
  readonly average?: NamedTensors;
  /** With `hours`: the time that went by. */
  readonly budget?: BudgetState;
  /** What the last phase's evaluations have shown. */
  readonly best?: BestSoFar;
  /** Whether the evaluation after the last update was broken off. */
  readonly isEvaluationDue?: boolean;
}

/** A model to evaluate: batch by batch, without dropout. */
export type Evaluated<Batch, Sums extends CommonSums> = Pick<TrainingStep<Batch, object, Sums>, "evaluate" | "outputs">;

/** What is trained: what its batches are to the graph, and what is measured. */
export interface TrainingObjective<Batch, Shape extends object, Sums extends CommonSums, Means, Evaluation>
  extends Objective<Batch, Shape, Sums> {
  /** How messages name it: `pre-training`. */
  readonly title: string;
  emptySums(): Sums;
  /** The rows of a batch that count. */
  rowsOf(batch: Batch): number;
  /** The means of sums that are logged. */
  means(sums: Readonly<Sums>): Means;
  /** Refuses a batch that the model cannot compute. @throws {DataError} */
  check(batch: Batch, where: string): void;
  /** What the best evaluation is known by. */
  rank(evaluation: Evaluation): number;
  /** Whether a higher rank is a better one. */
  readonly isHigherBetter: boolean;
  /** Whether the best is looked for among the moving averages, where they are kept; false when left out. */
  readonly ranksAverage?: boolean;
}

/** What a phase trains on. */
export interface TrainingPhase<Batch, Shape, Sums extends CommonSums, Evaluation> {
  readonly batches: BatchSource<Batch>;
  /** Compiles graphs with the gradients of a part of the parameters. */
  compile(trainable: Trainable): CompileStep<Shape>;
  /** Measures a model on held-out data; without it nothing is evaluated. Its errors end the run, after a checkpoint. */
  readonly evaluate?: (model: Evaluated<Batch, Sums>) => Promise<Evaluation>;
}

/** What the loop tells its caller, and when; each is awaited. Every "every" counts updates. */
export interface TrainingHooks<Batch, Means, Evaluation> {
  readonly loggingSteps: number;
  onLog(metrics: LoggedLine<Means>): void | Promise<void>;
  /** 0 saves only at the end. */
  readonly saveSteps: number;
  /** Writes a checkpoint; weights and moments change afterwards. */
  onSave(progress: TrainingProgress & { readonly epoch: number }): Promise<void>;
  /** 0 evaluates only at the end of a phase. Need not be whole: an epoch may end within an update. */
  readonly evalSteps: number;
  /** @param average - the same with the moving average of the weights, if there is one. */
  onEvaluation?(step: number, metrics: Evaluation, average?: Evaluation): void | Promise<void>;
  /**
   * After an evaluation that was better than all before it in the last phase.
   * @param average - the moving average of the weights, where it is that which was the best.
   */
  onBest?(best: BestSoFar, average?: NamedTensors): Promise<void>;
  /** After each update. */
  onStep?(step: number, metrics: RunPosition & Means): void | Promise<void>;
  /** Stores the micro-batches of a step whose loss or gradient is not a number; gives where they are. */
  onBadBatches?(step: number, batches: readonly Batch[]): Promise<string>;
  /** Lets other work (signals, drawing) have its turn after each update. */
  pause?(): Promise<void>;
  /** Milliseconds from any origin. */
  clock(): number;
  readonly signal?: AbortSignal;
}

/** What a run needs. */
export interface TrainingRunOptions<Batch, Shape extends object, Sums extends CommonSums, Means, Evaluation> {
  readonly objective: TrainingObjective<Batch, Shape, Sums, Means, Evaluation>;
  readonly config: BertConfig;
  /** float32 by Hugging Face's names: all that the graph takes; those of `trainable` are changed in place. */
  readonly weights: NamedTensors;
  /** What is trained in the end; `all`. */
  readonly trainable?: Trainable;
  /** One, or with `settings.secondPhase` two. */
  readonly phases: readonly TrainingPhase<Batch, Shape, Sums, Evaluation>[];
  readonly settings: TrainingSettings;
  readonly hooks: TrainingHooks<Batch, Means, Evaluation>;
  readonly resume?: TrainingProgress;
  /** With `hours`: the time of another run by step, to repeat that run. */
  readonly replay?: readonly number[];
  /** What matrix products are computed in, for messages; `f32` when left out. */
  readonly precision?: string;
  /** Who makes the passes over all parameters (norm, update, sums) and draws the dropout masks; this thread alone when left out. */
  readonly passes?: PassRunner;
}

/** What a finished run says. */
export interface TrainingSummary<Means, Evaluation> {
  readonly step: number;
  readonly metrics: LoggedLine<Means> | undefined;
  readonly evaluation: Evaluation | undefined;
  readonly best: BestSoFar | undefined;
  /** Whether the run ended because nothing got better. */
  readonly isStoppedEarly: boolean;
}
