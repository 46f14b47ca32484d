/** Pipelines: a model and what it is for in one call, from texts to results. */
import { ArgumentError, ConfigError, nearest, verbatim } from "../../errors.ts";
import {
  BertModel,
  type FromPretrainedOptions,
  filesOf,
  type ModelOrigin,
  partsOf,
} from "../../inference/bert-model.ts";
import { type LoadedModel, loadModel } from "../../inference/load-model.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { AnyTask, LongTexts } from "../task.ts";
import { taskOfModel } from "../task-files.ts";
import { TaskModel } from "../task-model.ts";
import { findTaskDefinition, taskDefinitions } from "../tasks.ts";
import type { AnyTaskModel } from "./explain.ts";
import { featureCall, fillMaskCall, vectorSimilarityCall } from "./pipeline-encoders.ts";
import {
  answerCall,
  choiceCall,
  classificationCall,
  entityCall,
  explanation,
  explanations,
  similarityCall,
} from "./pipeline-tasks.ts";
import type { PipelineName, Pipelines } from "./pipeline-types.ts";
import { zeroShotCall } from "./zero-shot.ts";

/** A pipeline over a fine-tuned model: the tasks whose models it takes, the usual one first, and its call. */
interface TaskKind {
  readonly tasks: readonly string[];
  call(model: AnyTaskModel): (...input: never[]) => Promise<unknown>;
  /** What the pipeline has beside its call. */
  methods?(model: AnyTaskModel): object;
}

/** The tasks that name a pipeline theirs. */
function tasksOf(pipeline: string): readonly string[] {
  return taskDefinitions.filter((definition) => definition.pipeline === pipeline).map(({ name }) => name);
}

const classification: TaskKind = {
  tasks: tasksOf("text-classification"),
  call: classificationCall,
  methods: explanation,
};
const entities: TaskKind = { tasks: tasksOf("token-classification"), call: entityCall, methods: explanations };
const similarity: TaskKind = {
  tasks: ["regress", ...tasksOf("sentence-similarity")],
  call: similarityCall,
  methods: explanation,
};

const TASK_KINDS: Readonly<Partial<Record<PipelineName, TaskKind>>> = {
  "text-classification": classification,
  "sentiment-analysis": classification,
  "token-classification": entities,
  ner: entities,
  "question-answering": { tasks: tasksOf("question-answering"), call: answerCall, methods: explanation },
  "multiple-choice": { tasks: tasksOf("multiple-choice"), call: choiceCall, methods: explanation },
  "zero-shot-classification": { tasks: ["match", "classify", "siamese"], call: zeroShotCall },
  "text-similarity": similarity,
  "sentence-similarity": similarity,
};

/** Pipelines over any BERT. */
const ENCODER_CALLS: Readonly<Partial<Record<PipelineName, (model: BertModel) => unknown>>> = {
  "fill-mask": fillMaskCall,
  "feature-extraction": featureCall,
  "text-similarity": vectorSimilarityCall,
  "sentence-similarity": vectorSimilarityCall,
};

/** How a pipeline works, whatever its model. */
export interface PipelineOptions {
  /**
   * What becomes of texts that are longer than the model's rows, where a whole text has one score: `truncate` as in training, or
   * `windows`, whose scores are averaged. As the model was fine-tuned, when left out.
   */
  readonly longTexts?: LongTexts;
  /**
   * Of tagging: whether only tags may follow one another that the model's scheme allows. As the model was fine-tuned, when left
   * out.
   */
  readonly constrained?: boolean;
}

/** What a pipeline is made with, beside the model. */
export interface PipelineEnvironment extends PipelineOptions {
  readonly runtime: Runtime;
  /** What the model was called when it was asked for, for hints. */
  readonly name: string;
  /** Called when the pipeline is disposed of. */
  readonly onDispose?: () => Promise<void>;
}

/**
 * Makes a pipeline of a model's files. Under Node.js, `zhbert` exports a pipeline that takes paths and names of the hub too.
 * @param task - such as `text-classification`.
 * @throws {ConfigError} when the model was not fine-tuned for it: the hint says what to run.
 * @throws {FileError} {CheckpointError} {VocabularyError} as `BertModel.fromPretrained`.
 * Source: the names and results are those of `pipeline` in Transformers and transformers.js.
 */
export async function pipeline<Name extends PipelineName>(
  task: Name,
  origin: ModelOrigin,
  { runtime, longTexts, constrained, ...options }: FromPretrainedOptions & PipelineOptions,
): Promise<Pipelines[Name]> {
  expectPipelineName(task);
  const files = await filesOf(origin, options);
  return createPipeline(task, await loadModel(files, options), {
    runtime,
    name: files.name,
    ...changedSettings({ longTexts, constrained }),
  });
}

/**
 * The pipeline of a loaded model.
 * @throws {ConfigError} when the model was not fine-tuned for it.
 */
export function createPipeline<Name extends PipelineName>(
  name: Name,
  loaded: LoadedModel,
  environment: PipelineEnvironment,
): Pipelines[Name] {
  const kind = TASK_KINDS[name];
  const encoderCall = ENCODER_CALLS[name];
  const { runtime, name: modelName, onDispose } = environment;
  // Texts may be compared by the vectors of any model that was not fine-tuned for it.
  const isEncoder = encoderCall !== undefined && (kind === undefined || taskAmong(loaded, kind.tasks) === undefined);
  const model = isEncoder
    ? new BertModel({ ...partsOf(loaded), name: modelName, runtime })
    : taskModel(loaded, environment, kind?.tasks ?? []);
  const call = isEncoder ? encoderCall(model as BertModel) : kind?.call(model as AnyTaskModel);
  const dispose = async () => {
    await model.dispose();
    await onDispose?.();
  };
  const methods = isEncoder ? withoutScores(kind) : kind?.methods?.(model as AnyTaskModel);
  return Object.assign(call as object, { task: name, dispose, ...methods }) as unknown as Pipelines[Name];
}

/** What a model that was fine-tuned for nothing has instead of explanations. */
function withoutScores(kind: TaskKind | undefined): object {
  if (kind?.methods === undefined) return {};
  const refuse = async () => {
    throw new ConfigError({
      where: "explain",
      expected: `a model fine-tuned for ${kind.tasks.join(" or ")}`,
      got: verbatim("one whose vectors were trained to compare nothing"),
      hint: "fine-tune it on pairs first: zhbert finetune embed --model M --train pairs.tsv -o out/",
    });
  };
  return { explain: refuse, attention: refuse };
}

/** @throws {ArgumentError} for an unknown pipeline; it says which there are. */
export function expectPipelineName(name: string): asserts name is PipelineName {
  const names = [...new Set([...Object.keys(TASK_KINDS), ...Object.keys(ENCODER_CALLS)])];
  if (names.includes(name)) return;
  const near = nearest(name, names);
  throw new ArgumentError({
    where: "pipeline",
    expected: `one of ${names.join(", ")}`,
    got: name,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/** The model's task where it is one of those. */
function taskAmong(loaded: LoadedModel, tasks: readonly string[]): AnyTask | undefined {
  try {
    const task = taskOfModel(loaded);
    return tasks.includes(task.settings.task) ? task : undefined;
  } catch (error) {
    if (error instanceof ConfigError && loaded.taskJson === undefined) return undefined;
    throw error;
  }
}

/**
 * A loaded model with its task, ready to predict.
 * @param tasks - the names of the tasks that will do; any when left out.
 * @throws {ConfigError} when it was fine-tuned for none of them, or lacks weights of the head.
 * @throws {ArgumentError} when tags are to be constrained, and it gives none.
 */
export function taskModel(
  loaded: LoadedModel,
  { runtime, name, longTexts, constrained }: PipelineEnvironment,
  tasks?: readonly string[],
): AnyTaskModel {
  const hint = (task: string) => `fine-tune it: zhbert finetune ${task} --model ${name} --train train.tsv -o out/`;
  const found = tasks === undefined ? taskOfModel(loaded) : taskAmong(loaded, tasks);
  if (found === undefined) {
    throw new ConfigError({
      where: loaded.where,
      expected: `a model fine-tuned for ${tasks?.join(" or ")}`,
      got: verbatim(whatItIs(loaded)),
      hint: hint(tasks?.[0] ?? "classify"),
    });
  }
  const { settings } = found;
  if (constrained !== undefined && settings.task !== "ner") {
    throw new ArgumentError({
      where: "constrained decoding",
      expected: "a model fine-tuned for ner",
      got: verbatim(`one for ${settings.task}`),
    });
  }
  const changes = changedSettings({ longTexts, constrained });
  const isChanged = Object.keys(changes).length > 0;
  const task = isChanged ? findTaskDefinition(settings.task).create({ ...settings, ...changes }) : found;
  const { config, tokenizer, named, where } = loaded;
  const model = new TaskModel({ task, config, tokenizer, weights: named.tensors, runtime, where });
  const [missing, ...others] = model.report.missing;
  if (missing === undefined) return model;
  throw new ConfigError({
    where: `${where}: ${missing}`,
    expected: `a weight of a model fine-tuned for ${task.settings.task}`,
    got: verbatim(others.length === 0 ? "nothing" : `nothing, nor for ${others.length} more`),
    hint: hint(task.settings.task),
  });
}

/** The options that are given. */
export function changedSettings({
  longTexts,
  constrained,
}: { [Name in keyof PipelineOptions]: PipelineOptions[Name] | undefined }): PipelineOptions {
  return {
    ...(longTexts === undefined ? {} : { longTexts }),
    ...(constrained === undefined ? {} : { constrained }),
  };
}

function whatItIs(loaded: LoadedModel): string {
  const { architectures } = (loaded.configJson ?? {}) as { architectures?: unknown };
  const { task } = (loaded.taskJson ?? {}) as { task?: unknown };
  if (typeof task === "string") return `one fine-tuned for ${task}`;
  return Array.isArray(architectures) && architectures.length > 0
    ? String(architectures[0])
    : "a model that names no task";
}
