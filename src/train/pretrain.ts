/** Pre-training: the training loop over masked language modelling and next sentence prediction. */
import type { PretrainingBatch } from "../data/instance.ts";
import type { BertConfig } from "../model/config.ts";
import { checkBatch } from "./check-inputs.ts";
import { evaluatePretraining } from "./evaluate.ts";
import { type EvaluationMetrics, emptySums, type MetricSums, means, type PretrainingMeans } from "./metrics.ts";
import type { PretrainingPhase, PretrainingRunOptions, PretrainingSummary } from "./pretraining-run-options.ts";
import { type BatchShape, pretrainingObjective } from "./pretraining-step.ts";
import { runTraining } from "./training-run.ts";
import type { TrainingObjective, TrainingPhase } from "./training-run-options.ts";

/**
 * Pre-trains a model: all updates of the settings, or those that are left when resuming.
 * @throws {TrainingError} when a loss or gradient is not a number (the weights are those before that step).
 * @throws {InterruptedError} when the signal is aborted; a checkpoint has been saved then.
 */
export function runPretraining(options: PretrainingRunOptions): Promise<PretrainingSummary> {
  const { batches, compile, secondPhase, hooks, ...rest } = options;
  const { heldOut } = hooks;
  const first = { batches, compile, ...(heldOut === undefined ? {} : { heldOut }) };
  const phases = (secondPhase === undefined ? [first] : [first, secondPhase]).map(phaseOf);
  return runTraining({ ...rest, phases, hooks, objective: objectiveOf(options.config) });
}

type Objective = TrainingObjective<PretrainingBatch, BatchShape, MetricSums, PretrainingMeans, EvaluationMetrics>;

function objectiveOf(config: BertConfig): Objective {
  return {
    ...pretrainingObjective,
    title: "pre-training",
    emptySums,
    rowsOf: ({ batchSize }) => batchSize,
    means,
    check: (batch, where) => checkBatch(batch, config, where),
    rank: ({ loss }) => loss,
    isHigherBetter: false,
  };
}

type Phase = TrainingPhase<PretrainingBatch, BatchShape, MetricSums, EvaluationMetrics>;

function phaseOf({ batches, compile, heldOut }: PretrainingPhase): Phase {
  return {
    batches,
    compile: () => compile,
    ...(heldOut === undefined ? {} : { evaluate: (model) => evaluatePretraining(model, heldOut()) }),
  };
}
