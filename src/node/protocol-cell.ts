/** One cell of a protocol: fine-tuned on train, chosen on dev, measured on test and what further splits the data set has. */
import { join } from "node:path";
import { CheckpointError } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { evaluationReport } from "../report/evaluation-report.ts";
import type { ReportOptions } from "../report/page.ts";
import { evaluationFile } from "../report/protocol-report.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { exampleScores } from "../tasks/metrics/example-scores.ts";
import { taskModel } from "../tasks/pipeline/pipeline.ts";
import { fineTuningDefaults } from "../tasks/protocol/default-rates.ts";
import type { OptionValues, ProtocolCell } from "../tasks/protocol/protocol.ts";
import type { CellResult, ExampleScores, RunCircumstances } from "../tasks/protocol/protocol-results.ts";
import type { AnyExample } from "../tasks/records/data-advice.ts";
import { withLabelNames } from "../tasks/records/labels.ts";
import { isLabelled } from "../tasks/records/split-examples.ts";
import type { AnyTask, Evaluation } from "../tasks/task.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import { loadPretrained } from "./bert-model.ts";
import { writeFileAtomic } from "./files.ts";
import { type FineTuneOptions, type FineTuneResult, fineTune, resumeFineTuning } from "./fine-tune.ts";
import type { FineTuneEnvironment } from "./fine-tuning-inputs.ts";
import type { FineTuningRunResult } from "./fine-tuning-run.ts";
import type { RunCell } from "./protocol.ts";
import { readMetrics } from "./run-folder.ts";
import { engineOf } from "./run-hooks.ts";
import { type AnyTaskData, everySplit, loadTaskData } from "./task-data.ts";

/** The options of a run as the library takes them. @param task - what follows `zhbert finetune`. */
export type FineTuneOptionsOf = (
  task: string,
  options: OptionValues,
) => Omit<FineTuneOptions, "model" | "output" | keyof FineTuneEnvironment>;

/** How cells are run. */
export interface CellRunnerOptions {
  readonly optionsOf: FineTuneOptionsOf;
  readonly runtime: Runtime;
  /** Writes an evaluation with its errors as HTML beside each model; none when left out. */
  readonly report?: ReportOptions;
  /** What people should know of a cell's data and settings, once for each message. */
  readonly onNote?: (message: string) => void;
}

/** Splits that the model is chosen by, and no test of it. */
const TRAINING_SPLITS = ["train", "dev"];
/** What of a cell's time is training; the rest is measuring. */
const TRAINING_SHARE = 0.95;

/** What the circumstances of a run hold by themselves, next to the published ones. */
const COMPARED: readonly string[] = ["learning-rate", "batch-size"];

/** The function that runs cells. */
export function cellRunner(runner: CellRunnerOptions): RunCell {
  const { optionsOf, runtime, onNote } = runner;
  const told = new Set<string>();
  return async (cell, folder, { signal, isResumed, onProgress }) => {
    const began = performance.now();
    const notes: string[] = [];
    let steps = 1;
    const environment: FineTuneEnvironment = {
      runtime,
      ...(signal === undefined ? {} : { signal }),
      onNote: ({ kind, level, message, run }) => {
        const text = run === undefined ? message : `${message} (${run})`;
        if (level === "warning" && !COMPARED.includes(kind)) notes.push(message);
        if (!told.has(text)) onNote?.(text);
        told.add(text);
      },
      onStart: (run) => {
        steps = run.steps;
      },
      onStep: (step, { loss }) => onProgress?.((TRAINING_SHARE * step) / steps, { loss: loss.toFixed(3) }),
    };
    const options = optionsOf(cell.task.task, cell.options);
    const tuned = await tune(cell, folder, options, environment, isResumed);
    const data = await loadTaskData({ ...options.data, splits: everySplit(options.data) });
    // Training told those of train and dev; test has its own.
    for (const note of data.notes) environment.onNote?.(note);
    onProgress?.(TRAINING_SHARE, {});
    const measured = await measure(folder, data, tuned, environment, runner);
    return {
      kind: tuned.task,
      ...(data.dataset === undefined ? {} : { dataset: data.dataset.title }),
      primaryMetric: tuned.primaryMetric,
      ...(tuned.isLowerBetter ? { isLowerBetter: true } : {}),
      metrics: measured.metrics,
      scores: measured.scores,
      evaluations: measured.evaluations,
      curve: await curveOf(folder, tuned.primaryMetric),
      circumstances: circumstancesOf(measured, data, tuned.best),
      engine: engineOf(runtime),
      notes,
      seconds: (performance.now() - began) / 1000,
    };
  };
}

function tune(
  cell: ProtocolCell,
  folder: string,
  options: ReturnType<FineTuneOptionsOf>,
  environment: FineTuneEnvironment,
  isResumed: boolean,
): Promise<FineTuneResult> {
  const begin = async () => {
    return fineTune({
      ...options,
      ...environment,
      model: cell.model.path,
      data: { ...options.data, splits: TRAINING_SPLITS },
      seed: cell.seed,
      output: folder,
      overwrite: true,
    });
  };
  if (!isResumed) return begin();
  return resumeFineTuning(folder, environment).catch((error) => {
    // Stopped before there was anything to go on with.
    if (error instanceof CheckpointError) return begin();
    throw error;
  });
}

interface Measured {
  readonly task: AnyTask;
  readonly model: BertConfig;
  readonly metrics: CellResult["metrics"];
  readonly scores: CellResult["scores"];
  readonly evaluations: readonly string[];
}

/** Measures the model on the labelled examples of every split but train; dev as the run has found it, where there is a test split. */
async function measure(
  folder: string,
  data: AnyTaskData,
  tuned: FineTuneResult,
  { signal }: FineTuneEnvironment,
  { runtime, report }: CellRunnerOptions,
): Promise<Measured> {
  const model = taskModel(await loadPretrained(folder), { runtime, name: folder });
  const labelled = Object.entries(data.splits).flatMap(([split, examples = []]) => {
    const useful = (examples as readonly AnyExample[]).filter((example) => isLabelled(data.kind, example));
    return split !== "train" && useful.length > 0 ? [[split, useful] as const] : [];
  });
  const isDevNeeded = labelled.every(([split]) => split !== "test");
  const metrics: Record<string, Readonly<Record<string, number>>> = {};
  const scores: Record<string, ExampleScores> = {};
  const evaluations: string[] = [];
  const { dev } = tuned.best.scores;
  if (dev !== undefined) metrics["dev"] = dev;
  try {
    for (const [split, examples] of labelled) {
      if (split === "dev" && !isDevNeeded) continue;
      const predictions: unknown[] = [];
      const options = signal === undefined ? {} : { signal };
      for await (const prediction of model.predict(examples, options)) predictions.push(prediction);
      const evaluation = model.task.evaluate(examples, predictions);
      const { metrics: found } = evaluation;
      metrics[split] ??= found;
      if (report !== undefined) evaluations.push(split);
      if (report !== undefined)
        await writeReport(
          folder,
          { data, split, task: model.task, examples, engine: engineOf(runtime), evaluation },
          report,
        );
      const each = exampleScores(model.task, examples, predictions, found[tuned.primaryMetric]);
      if (each !== undefined) scores[split] = each;
    }
    return { task: model.task, model: model.config, metrics, scores, evaluations };
  } finally {
    await model.dispose();
  }
}

/** Classes, confusions and errors with their texts: `evaluation-test.html`. */
function writeReport(
  folder: string,
  {
    data,
    split,
    task,
    examples,
    engine,
    evaluation,
  }: {
    readonly data: AnyTaskData;
    readonly split: string;
    readonly task: AnyTask;
    readonly examples: readonly AnyExample[];
    readonly engine: EngineIdentity;
    readonly evaluation: Evaluation;
  },
  options: ReportOptions,
): Promise<void> {
  const { primaryMetric, settings } = task;
  const shown = {
    model: folder,
    data: `${data.title}, ${split}`,
    task: settings.task,
    examples: examples.length,
    engine,
    primaryMetric,
    evaluation: withLabelNames(evaluation, data.labelNames),
  };
  return writeFileAtomic(join(folder, evaluationFile(split)), evaluationReport(shown, options));
}

/** The primary metric on dev, by update. */
export async function curveOf(folder: string, metric: string): Promise<CellResult["curve"]> {
  const lines = await readMetrics(folder);
  return lines.flatMap(({ step, evaluation }) => {
    const value = (evaluation as Readonly<Record<string, unknown>> | undefined)?.[metric];
    return typeof value === "number" ? [[step, value] as const] : [];
  });
}

function circumstancesOf({ task, model }: Measured, data: AnyTaskData, run: FineTuningRunResult): RunCircumstances {
  const { dataset } = data;
  const usual = fineTuningDefaults({
    task: data.kind,
    model,
    ...(dataset === undefined ? {} : { dataset: dataset.title }),
  });
  const published = dataset?.splits["train"]?.count;
  return {
    batchSize: run.batchSize,
    usualBatchSize: usual.batchSize,
    learningRate: run.learningRate,
    usualLearningRate: usual.learningRate,
    maxSeqLength: task.settings.maxSeqLength,
    ...(usual.publishedLength === undefined ? {} : { usualMaxSeqLength: usual.publishedLength }),
    trainingExamples: data.splits.train?.length ?? 0,
    ...(published === undefined ? {} : { usualTrainingExamples: [published].flat()[0] as number }),
  };
}
