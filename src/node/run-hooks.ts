/** What every training run tells its folder: measurements, checkpoints, the best model, batches that failed. */
import { writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import type { TrainingHooks } from "../train/training-run-options.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";
import type { EngineWatch } from "./engine-watch.ts";
import type { RunFolder } from "./run-folder.ts";

/** Who watches a run. */
export interface RunWatcher<Batch, Means, Evaluation> {
  readonly signal?: AbortSignal;
  readonly onStep?: TrainingHooks<Batch, Means, Evaluation>["onStep"];
  readonly onLog?: TrainingHooks<Batch, Means, Evaluation>["onLog"];
  readonly onEvaluation?: TrainingHooks<Batch, Means, Evaluation>["onEvaluation"];
}

/** How often something is done, and what a resumed run finds again. */
interface FolderPlan {
  readonly settings: { readonly seed: number };
  readonly loggingSteps: number;
  readonly saveSteps: number;
  readonly saveTotalLimit: number;
  readonly evalSteps: number;
  readonly saveBest: boolean;
}

/** What the hooks are made of. */
export interface FolderHooksOptions<Batch, Means, Evaluation> {
  readonly folder: RunFolder;
  readonly plan: FolderPlan;
  readonly environment: RunWatcher<Batch, Means, Evaluation>;
  readonly engine: EngineIdentity;
  readonly dataIdentity: string;
  /** What a model's file holds, at any time. */
  weights(): NamedTensors;
  /** A batch as tensors. */
  inputsOf(batch: Batch): Readonly<Record<string, HostTensor>>;
  /** Of the programs that train; what it has seen is in the measurements. */
  readonly engineWatch?: EngineWatch;
  /** An evaluation as numbers by name. */
  fieldsOf(evaluation: Evaluation): object;
}

const RANDOM_GENERATOR = "threefry2x32-20 / xoshiro128++";

/** The hooks of a run that lives in a folder. */
export function folderHooks<Batch, Means, Evaluation>(
  options: FolderHooksOptions<Batch, Means, Evaluation>,
): TrainingHooks<Batch, Means, Evaluation> {
  const { folder, plan, environment, engine, dataIdentity, weights, inputsOf, fieldsOf } = options;
  const { onStep, onLog, onEvaluation, signal } = environment;
  const { seed } = plan.settings;
  return {
    loggingSteps: plan.loggingSteps,
    onLog: async (measured) => {
      const metrics = { ...measured, ...options.engineWatch?.take(measured.gigaflopsPerSecond) };
      await folder.appendMetrics(metrics);
      await onLog?.(metrics);
    },
    saveSteps: plan.saveSteps,
    onSave: ({ moments, average, ...progress }) => {
      const randomState = { generator: RANDOM_GENERATOR, dropoutStream: [seed, progress.microBatches] } as const;
      const state = { ...progress, engine, dataIdentity, options: { ...plan }, seed, randomState };
      return folder.save({ weights: weights(), moments, ...(average && { average }), state }, plan.saveTotalLimit);
    },
    ...(plan.saveBest
      ? { onBest: (best, averaged) => folder.saveBest(new Map([...weights(), ...(averaged ?? [])]), best) }
      : {}),
    evalSteps: plan.evalSteps,
    onEvaluation: async (step, evaluation, average) => {
      const averaged = average === undefined ? {} : { averageEvaluation: fieldsOf(average) };
      await folder.appendMetrics({ step, evaluation: fieldsOf(evaluation), ...averaged });
      await onEvaluation?.(step, evaluation, average);
    },
    onBadBatches: (step, batches) => {
      const tensors = batches.flatMap((batch, i) =>
        Object.entries(inputsOf(batch)).map(([name, tensor]): [string, HostTensor] => [`${i}.${name}`, tensor]),
      );
      return folder.write(`bad-batch-step-${step}.safetensors`, writeSafetensors(new Map(tensors)));
    },
    // Signals, timers and drawing have their turn between steps.
    pause: () => new Promise((done) => setImmediate(done)),
    clock: () => performance.now(),
    ...(onStep === undefined ? {} : { onStep }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** What an engine is known by. */
export function engineOf({ name, version, precision, threads }: Runtime): EngineIdentity {
  return { name, version, precision, threads };
}
