/** A pre-training run within its folder: the loop with its measurements, checkpoints and curves. */
import { join } from "node:path";
import { lazyTensors } from "../checkpoint/format.ts";
import type { PretrainingBatch } from "../data/instance.ts";
import { InterruptedError } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { parameterShapes } from "../model/initialize.ts";
import { expectNoneMissing, matchWeights } from "../model/match-weights.ts";
import { isTrainable } from "../model/trainable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { BestSoFar } from "../train/best.ts";
import { checkConfigFitsData } from "../train/check-inputs.ts";
import { compilePretraining } from "../train/compile-pretraining.ts";
import { totalSteps } from "../train/course.ts";
import type { EvaluationMetrics, LoggedMetrics } from "../train/metrics.ts";
import { runPretraining } from "../train/pretrain.ts";
import type { PretrainingHooks, PretrainingPhase } from "../train/pretraining-run-options.ts";
import { pretrainingObjective } from "../train/pretraining-step.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import type { TrainingProgress } from "../train/training-run-options.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";
import { drawCurves, LOSS_CURVE_FILE } from "./curves.ts";
import { EngineWatch } from "./engine-watch.ts";
import { knownMachinePeak } from "./machine-peak.ts";
import { PassWorkers } from "./pass-workers.ts";
import { type PretrainingPlan, trainableOf } from "./pretraining-plan.ts";
import { checkpointSteps, type RunFolder } from "./run-folder.ts";
import { engineOf, folderHooks } from "./run-hooks.ts";
import type { EngineChoice } from "./runtimes.ts";
import type { PhasesData, TrainingData } from "./training-data.ts";

/** Who watches a run, and what it runs on: a resumed one takes its own engine, precision and threads where none are named. */
export interface PretrainEnvironment extends EngineChoice {
  readonly signal?: AbortSignal;
  /** What people should know of the engine that was chosen. */
  readonly onNote?: (text: string) => void;
  /** Called once before the first step. */
  readonly onStart?: (run: PretrainStart) => void;
  readonly onStep?: PretrainingHooks["onStep"];
  readonly onLog?: PretrainingHooks["onLog"];
  readonly onEvaluation?: PretrainingHooks["onEvaluation"];
}

/** What is known before the first step. */
export interface PretrainStart {
  readonly config: BertConfig;
  readonly parameters: number;
  /** Of these, how many are trained. */
  readonly trained: number;
  /** Updates done already, and in all. */
  readonly step: number;
  readonly steps: number;
  /** Of a run by hours, whose steps are not known. */
  readonly hours?: number;
  readonly engine: EngineIdentity;
  /** Parameters that `init` did not have, so that they start at random. */
  readonly initialized: readonly string[];
}

/** What a finished run gives. */
export interface PretrainResult {
  readonly output: string;
  readonly step: number;
  /** The last logged line; undefined when there was nothing left to do. */
  readonly metrics: LoggedMetrics | undefined;
  readonly evaluation: EvaluationMetrics | undefined;
  /** Which evaluation of the last phase had the lowest loss. */
  readonly best: BestSoFar | undefined;
  /** Whether the run ended because nothing got better. */
  readonly isStoppedEarly: boolean;
  /** The path of the loss curve. */
  readonly lossCurve: string;
}

/** A model and where its training stands. */
export interface Beginning {
  readonly config: BertConfig;
  /** float32; all that the graph takes. */
  readonly weights: NamedTensors;
  /** Tensors that have no part in the training and go into the output as they are. */
  readonly others?: NamedTensors;
  readonly initialized: readonly string[];
  readonly resume?: TrainingProgress;
  /** With hours: the time of another run by step. */
  readonly replay?: readonly number[];
}

/** A run of which everything is ready. */
export interface FolderRun extends Beginning, PhasesData {
  readonly folder: RunFolder;
  readonly plan: PretrainingPlan;
  readonly runtime: Runtime;
  readonly environment: PretrainEnvironment;
}

/**
 * Runs, or goes on, in a run's folder, and gives its lock up.
 * @throws as `pretrain`.
 */
export async function runInFolder(run: FolderRun): Promise<PretrainResult> {
  try {
    return await runLocked(run);
  } finally {
    await run.folder.close();
  }
}

async function runLocked(run: FolderRun): Promise<PretrainResult> {
  const { folder, plan, data, secondData, runtime, environment, config, weights, resume } = run;
  const trainable = trainableOf(plan);
  const { nextSentence } = data.description.settings;
  for (const { description } of phasesOf(run)) checkConfigFitsData(config, description.settings, data.vocabulary);
  const shapes = parameterShapes(config, { nextSentence });
  expectNoneMissing(matchWeights(lazyTensors(weights), shapes, folder.path).report, folder.path);
  environment.onStart?.({
    config,
    parameters: countOf([...weights.values()]),
    trained: countOf([...weights].flatMap(([name, tensor]) => (isTrainable(trainable, name) ? [tensor] : []))),
    step: resume?.step ?? 0,
    steps: totalSteps(plan.settings),
    ...(plan.settings.hours === undefined ? {} : { hours: plan.settings.hours }),
    engine: engineOf(runtime),
    initialized: run.initialized,
  });
  const watch = new EngineWatch(await knownMachinePeak(runtime));
  const passes = new PassWorkers(runtime.threads);
  try {
    const summary = await runPretraining({
      config,
      weights,
      ...phaseOf(run, data, watch),
      ...(secondData === undefined ? {} : { secondPhase: phaseOf(run, secondData, watch) }),
      trainable,
      settings: plan.settings,
      hooks: hooksOf(run, watch),
      precision: runtime.precision,
      passes,
      ...(resume === undefined ? {} : { resume }),
      ...(run.replay === undefined ? {} : { replay: run.replay }),
    });
    await drawCurves(folder);
    if (plan.loadBest) await folder.promoteBest();
    return { ...summary, output: folder.path, lossCurve: join(folder.path, LOSS_CURVE_FILE) };
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    await drawCurves(folder);
    const isResumable = (await checkpointSteps(folder.path)).length > 0;
    throw new InterruptedError({
      where: folder.path,
      expected:
        plan.settings.hours === undefined ? `${totalSteps(plan.settings)} steps` : `${plan.settings.hours} hours`,
      got: { verbatim: "an interruption" },
      hint: isResumable
        ? `${error.hint} Go on with: zhbert ${plan.trainable === "all" ? "pretrain" : plan.trainable} ${folder.path} --resume`
        : error.hint,
      cause: error,
    });
  } finally {
    await passes.close();
  }
}

function phasesOf({ data, secondData }: PhasesData): readonly TrainingData[] {
  return secondData === undefined ? [data] : [data, secondData];
}

function phaseOf(
  { plan, runtime, config }: FolderRun,
  { description, batches, heldOut }: TrainingData,
  watch: EngineWatch,
): PretrainingPhase {
  const { nextSentence, maxSeqLength: longest } = description.settings;
  const options = { nextSentence, recompute: plan.recompute, trainable: trainableOf(plan), longest };
  const compile = watch.timed(compilePretraining(runtime, config, options));
  return { batches, compile, ...(heldOut === undefined ? {} : { heldOut }) };
}

/** What tells the data of a run apart from others. */
export function identityOf(phases: PhasesData): string {
  return phasesOf(phases)
    .map(({ identity }) => identity)
    .join("+");
}

function countOf(tensors: readonly HostTensor[]): number {
  return tensors.reduce((sum, { data }) => sum + data.length, 0);
}

function hooksOf(run: FolderRun, engineWatch: EngineWatch): PretrainingHooks {
  const { folder, plan, data, runtime, environment, weights: trained, others = new Map() } = run;
  return {
    ...folderHooks({
      folder,
      plan,
      environment,
      engine: engineOf(runtime),
      engineWatch,
      dataIdentity: identityOf(run),
      weights: () => new Map([...trained, ...others]),
      inputsOf: (batch: PretrainingBatch) => pretrainingObjective.inputs(batch),
      fieldsOf: (evaluation: EvaluationMetrics) => evaluation,
    }),
    ...(data.heldOut === undefined ? {} : { heldOut: data.heldOut }),
  };
}
