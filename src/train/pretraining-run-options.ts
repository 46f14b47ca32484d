/** What a pre-training run is given: the training loop's options, for batches of masked language modelling. */
import type { PretrainingBatch } from "../data/instance.ts";
import type { EvaluationMetrics, PretrainingMeans } from "./metrics.ts";
import type { CompileStep } from "./pretraining-step.ts";
import type {
  BatchSource as BatchSourceOf,
  TrainingHooks,
  TrainingRunOptions,
  TrainingSummary,
} from "./training-run-options.ts";

/** Training batches by their number, counted from 0 over all epochs. */
export type BatchSource = BatchSourceOf<PretrainingBatch>;

/** Held-out batches, in the same order at each call. */
export type HeldOut = () => Iterable<PretrainingBatch> | AsyncIterable<PretrainingBatch>;

/** What a phase of pre-training runs on. */
export interface PretrainingPhase {
  readonly batches: BatchSource;
  readonly compile: CompileStep;
  readonly heldOut?: HeldOut;
}

/** What the loop tells its caller, and when; each is awaited. Every "every" counts updates. */
export interface PretrainingHooks extends TrainingHooks<PretrainingBatch, PretrainingMeans, EvaluationMetrics> {
  /** Held-out batches of the first phase; without them nothing is evaluated. */
  readonly heldOut?: HeldOut;
}

/** What a run needs. */
export interface PretrainingRunOptions
  extends Pick<
    TrainingRunOptions<PretrainingBatch, object, never, PretrainingMeans, EvaluationMetrics>,
    "config" | "weights" | "trainable" | "settings" | "resume" | "replay" | "precision" | "passes"
  > {
  readonly batches: BatchSource;
  readonly compile: CompileStep;
  /** With `settings.secondPhase`: what that trains on. */
  readonly secondPhase?: PretrainingPhase;
  readonly hooks: PretrainingHooks;
}

/** What a finished run says. */
export type PretrainingSummary = TrainingSummary<PretrainingMeans, EvaluationMetrics>;
