/** What the loop of pre-training is given, what it tells its caller, and where it stands between two updates. */
import type { PretrainingBatch } from "../data/instance.ts";
import type { BertConfig } from "../model/config.ts";
import type { Trainable } from "../model/trainable.ts";
import type { NamedTensors } from "../util/tensor.ts";
import type { BestSoFar } from "./best.ts";
import type { EvaluationMetrics, LoggedMetrics, MetricSums } from "./metrics.ts";
import type { CompileStep } from "./pretraining-step.ts";
import type { PretrainingSettings } from "./settings.ts";
import type { BudgetState } from "./time-budget.ts";

/** Training batches by their number, counted from 0 over all epochs. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  batch(index: number): Promise<PretrainingBatch>;
}

/** Where a run goes on. */
export interface PretrainingProgress {
  /** Updates done. */
  readonly step: number;
  /** Micro-batches trained on; with the seed the next one's number names its dropout masks. */
  readonly microBatches: number;
  /** Of these, those of the phase; the next one has this number in the phase's data. */
  readonly dataPosition: number;
  /** The optimiser's moments. */
  readonly moments: NamedTensors;
  /** Sums since the last logged line. */
  readonly window: Readonly<MetricSums>;
  /** The moving average of the weights, if there is one. */
  readonly average?: NamedTensors;
  /** With `hours`: the time that went by. */
  readonly budget?: BudgetState;
  /** What the last phase's evaluations have shown. */
  readonly best?: BestSoFar;
}

/** Held-out batches, in the same order at each call. */
export type HeldOut = () => Iterable<PretrainingBatch> | AsyncIterable<PretrainingBatch>;

/** What is known after each update. */
export type StepMetrics = Omit<LoggedMetrics, "tokensPerSecond" | "gigaflopsPerSecond" | "paddingShare">;

/** What a phase trains on. */
export interface TrainingPhase {
  readonly batches: BatchSource;
  readonly compile: CompileStep;
  readonly heldOut?: HeldOut;
}

/** What the loop tells its caller, and when; each is awaited. Every "every" counts updates. */
export interface PretrainingHooks {
  readonly loggingSteps: number;
  onLog(metrics: LoggedMetrics): void | Promise<void>;
  /** 0 saves only at the end. */
  readonly saveSteps: number;
  /** Writes a checkpoint; weights and moments change afterwards. */
  onSave(progress: PretrainingProgress & { readonly epoch: number }): Promise<void>;
  /** 0 evaluates only at the end of a phase. */
  readonly evalSteps: number;
  /** Held-out batches of the first phase; without them nothing is evaluated. */
  readonly heldOut?: HeldOut;
  /** @param average - the same with the moving average of the weights, if there is one. */
  onEvaluation?(step: number, metrics: EvaluationMetrics, average?: EvaluationMetrics): void | Promise<void>;
  /** After an evaluation that was better than all before it in the last phase. */
  onBest?(best: BestSoFar): Promise<void>;
  /** After each update. */
  onStep?(step: number, metrics: StepMetrics): void | Promise<void>;
  /** Stores the micro-batches of a step whose loss or gradient is not a number; gives where they are. */
  onBadBatches?(step: number, batches: readonly PretrainingBatch[]): Promise<string>;
  /** Lets other work (signals, drawing) have its turn after each update. */
  pause?(): Promise<void>;
  /** Milliseconds from any origin. */
  clock(): number;
  readonly signal?: AbortSignal;
}

/** What a run needs. */
export interface PretrainingRunOptions {
  readonly config: BertConfig;
  /** float32 by Hugging Face's names: all that the graph takes; those of `trainable` are changed in place. */
  readonly weights: NamedTensors;
  /** What the compiled graph gives gradients of; `all`. */
  readonly trainable?: Trainable;
  readonly batches: BatchSource;
  readonly compile: CompileStep;
  /** With `settings.secondPhase`: what that trains on. */
  readonly secondPhase?: TrainingPhase;
  readonly settings: PretrainingSettings;
  readonly hooks: PretrainingHooks;
  readonly resume?: PretrainingProgress;
  /** With `hours`: the time of another run by step, to repeat that run. */
  readonly replay?: readonly number[];
}

/** What a finished run says. */
export interface PretrainingSummary {
  readonly step: number;
  readonly metrics: LoggedMetrics | undefined;
  readonly evaluation: EvaluationMetrics | undefined;
  readonly best: BestSoFar | undefined;
  /** Whether the run ended because nothing got better. */
  readonly isStoppedEarly: boolean;
}
