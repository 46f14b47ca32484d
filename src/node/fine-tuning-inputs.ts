/** What the runs of a fine-tuning have in common: model, data and task, ready to train. */
import { createHash } from "node:crypto";
import type { LazyTensors } from "../checkpoint/format.ts";
import { ConfigError, DataError, InterruptedError, verbatim } from "../errors.ts";
import { type LoadedModel, TASK_FILE } from "../inference/load-model.ts";
import { expectNoFurtherLayers, expectVocabularySize, matchWeights } from "../model/match-weights.ts";
import type { TaggingSettings } from "../tasks/ner/ner-settings.ts";
import { fineTuningDefaults, rateNotes } from "../tasks/protocol/default-rates.ts";
import { balancedClassWeights } from "../tasks/records/class-balance.ts";
import { type AnyExample, dataNotes, type LabelCounts, labelCounts } from "../tasks/records/data-advice.ts";
import type { DataNote } from "../tasks/records/data-note.ts";
import { isLabelled } from "../tasks/records/split-examples.ts";
import { tokenNotes } from "../tasks/records/token-advice.ts";
import type { AnyTask } from "../tasks/task.ts";
import {
  type EncodedExamples,
  encodeExamples,
  expectKnownLabels,
  expectLabelled,
  TaskBatches,
} from "../tasks/task-batches.ts";
import { taskConfigJson } from "../tasks/task-files.ts";
import { taskParameterShapes } from "../tasks/task-graph.ts";
import { findTaskDefinition } from "../tasks/tasks.ts";
import { tokenizerFiles } from "../text/tokenizer-files.ts";
import { loadPretrained } from "./bert-model.ts";
import type { Job } from "./fine-tuning-job.ts";
import { completeFineTuning, type FineTuningPlan } from "./fine-tuning-plan.ts";
import type { FineTuningInputs, FineTuningRunResult, FineTuningWatcher } from "./fine-tuning-run.ts";
import type { DownloadOptions } from "./hub.ts";
import { CONFIG_FILE } from "./model-files.ts";
import type { EngineChoice } from "./runtimes.ts";
import { type AnyTaskData, everySplit, loadTaskData } from "./task-data.ts";

/** Who watches, and what the runs compute on. */
export interface FineTuneEnvironment extends FineTuningWatcher, EngineChoice {
  readonly download?: DownloadOptions;
  /** What people should know of the model, the data and the settings. */
  readonly onNote?: (note: DataNote) => void;
  /** How often each label occurs, before training. */
  readonly onLabels?: (counts: LabelCounts) => void;
  /** While examples are made into tokens. */
  readonly onEncode?: (done: number, examples: number) => void;
  /** When a run has come to its end, or is found to have. */
  readonly onResult?: (result: FineTuningRunResult) => void;
}

/** Model, data and task, ready for any number of runs. */
export interface Prepared {
  readonly inputs: Omit<FineTuningInputs, "runtime">;
  readonly data: AnyTaskData;
  planOf(seed: number | undefined): FineTuningPlan;
}

/** What of a fine-tuning's choices its inputs depend on. */
type AskedFor = Pick<Job, "model" | "data" | "task" | "choices">;

/** Opens everything. @throws {DataError} when examples cannot be learned from. @throws {ConfigError} when model and task do not fit. */
export async function prepare(job: AskedFor, environment: FineTuneEnvironment): Promise<Prepared> {
  const note = (message: string) => environment.onNote?.({ kind: "model", level: "info", message });
  const data = await loadTaskData({ ...job.data, splits: job.data.splits ?? everySplit(job.data) });
  for (const one of data.notes) environment.onNote?.(one);
  const train = (data.splits.train ?? []) as readonly AnyExample[];
  if (train.length === 0) {
    throw new DataError({
      where: data.title,
      expected: "training examples",
      got: verbatim("none"),
      hint: "Give --train FILE, or --data with a folder that has a train file.",
    });
  }
  const counts = labelCounts(data.kind, data.splits, data.labels);
  if (counts !== undefined) environment.onLabels?.(counts);
  for (const one of dataNotes(data.kind, data.splits, data.dataset !== undefined)) environment.onNote?.(one);
  const model = await loadPretrained(job.model, environment.download);
  for (const text of model.notes) note(text);
  const task = taskOf(job, data, train, model, environment);
  expectVocabularySize(model.config, model.tokenizer.vocabulary.size, model.where);
  const inputs = {
    task,
    config: model.config,
    weights: fittingWeights(model, task, note),
    where: model.where,
    ...(await encodeAll(task, model, data, environment)),
    dataIdentity: identityOf(data, task),
    files: filesOf(model, task),
  };
  return { inputs, data, planOf: planner(job, data, inputs, environment) };
}

/** The labels that the data has; of tagging its tags, since entities have several. */
function labelsOf({ kind, labels, tags = [] }: AnyTaskData): readonly string[] | undefined {
  if (kind !== "ner") return labels;
  return tags.length > 1 ? tags : undefined;
}

/** The task with its labels: those of the data, unless they are chosen; a usual length is no longer than the model can read. */
function taskOf(
  job: AskedFor,
  data: AnyTaskData,
  train: readonly AnyExample[],
  { config }: LoadedModel,
  { onNote }: FineTuneEnvironment,
): AnyTask {
  const definition = findTaskDefinition(data.task);
  const known = data.dataset?.maxSeqLength;
  const labels = labelsOf(data);
  const choices = {
    ...(labels === undefined ? {} : { labels }),
    ...(known === undefined ? {} : { maxSeqLength: known }),
    ...job.task,
  };
  for (const name of Object.keys(job.task)) {
    if (Object.hasOwn(definition.rules, name)) continue;
    onNote?.({
      kind: "setting",
      level: "warning",
      message: `${name} is no setting of ${definition.name} and changes nothing`,
    });
  }
  const settings = definition.settle(train, choices);
  const { maxSeqLength } = settings;
  const positions = config.maxPositionEmbeddings;
  if (maxSeqLength <= positions) return definition.create(settings);
  if (job.task.maxSeqLength !== undefined) {
    throw new ConfigError({
      where: "--max-seq-length",
      expected: `at most ${positions}, the model's positions`,
      got: maxSeqLength,
      hint: `leave it out, or give ${positions} or less; qa and ner read longer texts in windows`,
    });
  }
  const message = `rows have ${positions} tokens, the model's positions, where ${maxSeqLength} are usual`;
  onNote?.({ kind: "model", level: "info", message });
  return definition.create({ ...settings, maxSeqLength: positions });
}

/** The model's weights without heads of another size: such a head is begun anew. */
function fittingWeights(
  { named, where, config }: LoadedModel,
  task: AnyTask,
  note: (text: string) => void,
): LazyTensors {
  const shapes = taskParameterShapes(task, config);
  const isOther = (name: string) => {
    const [stored, wanted] = [named.tensors.get(name)?.shape, shapes.get(name)];
    return !name.startsWith("bert.") && stored !== undefined && wanted !== undefined && stored.join() !== wanted.join();
  };
  const dropped = [...named.tensors.keys()].filter(isOther);
  if (dropped.length > 0) note(`the model's head is for other labels and begins anew: ${dropped.join(", ")}`);
  const kept = new Map([...named.tensors].filter(([name]) => !isOther(name)));
  const { report } = matchWeights(kept, shapes, where);
  expectNoFurtherLayers(report, config, where);
  const encoder = report.missing.filter((name) => /^bert\.(embeddings|encoder)\./.test(name));
  if (encoder.length === 0) return kept;
  throw new ConfigError({
    where: `${where}: ${encoder[0]}`,
    expected: "the weights of a BERT's embeddings and layers",
    got: verbatim(encoder.length === 1 ? "nothing" : `nothing, nor for ${encoder.length - 1} more`),
    hint: "Look at what the file holds: zhbert inspect MODEL.",
  });
}

async function encodeAll(
  task: AnyTask,
  { tokenizer, config }: LoadedModel,
  { kind, splits }: AnyTaskData,
  { signal, onEncode, onNote }: FineTuneEnvironment,
): Promise<Pick<FineTuningInputs, "train" | "dev" | "tests">> {
  const wanted = Object.entries(splits).flatMap(([split, found = []]) => {
    const given: readonly AnyExample[] = found;
    const isTrain = split === "train";
    const isUseful = isTrain || (given.length > 0 && given.every((example) => isLabelled(kind, example)));
    const examples: readonly AnyExample[] = isTrain ? (task.trainingExamples?.(given) ?? given) : given;
    return isUseful ? [{ split, examples }] : [];
  });
  for (const { examples } of wanted) expectKnownLabels(task, examples);
  const total = wanted.reduce((sum, { examples }) => sum + examples.length, 0);
  const encoded: { [split: string]: EncodedExamples } = {};
  let before = 0;
  for (const { split, examples } of wanted) {
    encoded[split] = await encodeExamples(task, tokenizer, examples, async (done) => {
      onEncode?.(before + done, total);
      await new Promise((turn) => setImmediate(turn));
      if (signal?.aborted) throw interrupted();
    });
    before += examples.length;
  }
  onEncode?.(total, total);
  const train = encoded["train"] as EncodedExamples;
  expectLabelled(task, train);
  const texts = (splits.train ?? []) as readonly AnyExample[];
  const positions = config.maxPositionEmbeddings;
  for (const one of tokenNotes(kind, texts, tokenizer, task.settings.maxSeqLength, positions)) onNote?.(one);
  const { train: _, dev, ...tests } = encoded;
  return { train, ...(dev && { dev }), tests };
}

function interrupted(): InterruptedError {
  const hint = "Nothing was trained yet.";
  return new InterruptedError({ where: "data", expected: "tokens", got: verbatim("an interruption"), hint });
}

/** Tells data apart: examples and how they are laid out. */
function identityOf({ splits }: AnyTaskData, { settings }: AnyTask): string {
  const hash = createHash("sha256").update(JSON.stringify(settings));
  for (const split of ["train", "dev"]) {
    for (const example of splits[split] ?? []) hash.update(`${split} ${JSON.stringify(example)}\n`);
  }
  return hash.digest("hex");
}

/** The small files of the model that comes out. */
function filesOf({ config, tokenizer }: LoadedModel, task: AnyTask): Map<string, string> {
  const text = (json: object) => `${JSON.stringify(json, undefined, 2)}\n`;
  return new Map(
    Object.entries({
      [CONFIG_FILE]: text(taskConfigJson(task, config)),
      [TASK_FILE]: text(task.settings),
      ...task.modelFiles?.(config),
      ...tokenizerFiles(tokenizer, config.maxPositionEmbeddings),
    }),
  );
}

function planner(job: AskedFor, data: AnyTaskData, inputs: Prepared["inputs"], { onNote }: FineTuneEnvironment) {
  const { task, config, train, dev } = inputs;
  const dataset = data.dataset?.title;
  const choice = { task: data.kind, model: config, ...(dataset === undefined ? {} : { dataset }) };
  const batchesPerEpoch = (batchSize: number) =>
    new TaskBatches(task, train.rows, { batchSize, seed: 0 }).batchesPerEpoch;
  const facts = {
    config,
    batchesPerEpoch,
    hasDev: dev !== undefined,
    hasCrf: (task.settings as TaggingSettings).crf === true,
    balancedClassWeights: () => balancedClassWeights(task.settings, train.examples),
    defaults: fineTuningDefaults(choice),
    data: { ...job.data },
  };
  const plan = completeFineTuning(job.choices, facts);
  const { batchSize } = plan;
  const { learningRate, gradientAccumulationSteps } = plan.settings;
  for (const one of rateNotes(choice, learningRate, { batchSize, gradientAccumulationSteps })) onNote?.(one);
  return (seed: number | undefined): FineTuningPlan =>
    seed === undefined ? plan : completeFineTuning({ ...job.choices, seed }, facts);
}
