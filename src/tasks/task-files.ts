/** What a fine-tuned model's folder says of its task: task.json, and the fields of config.json that Transformers reads. */
import { ConfigError, verbatim } from "../errors.ts";
import { type LoadedModel, TASK_FILE } from "../inference/load-model.ts";
import { type BertConfig, configToJson } from "../model/config.ts";
import type { AnyTask, AnyTaskDefinition, TaskSettings } from "./task.ts";
import { checkSettings, commonRules } from "./task-settings.ts";
import { findTaskDefinition, taskDefinitions } from "./tasks.ts";

/** The class of sentence vectors, but also of any encoder that was fine-tuned for nothing. */
const ENCODER_ALONE = "BertModel";

/** The content of config.json for a fine-tuned model, as Transformers writes and reads it. */
export function taskConfigJson(task: AnyTask, config: BertConfig): Record<string, unknown> {
  const { architecture, problemType } = findTaskDefinition(task.settings.task);
  const { labels } = task.settings;
  const json = { ...configToJson(config), architectures: [architecture] };
  if (labels === undefined) return json;
  const id2label = Object.fromEntries(labels.map((label, id) => [id, label]));
  const label2id = Object.fromEntries(labels.map((label, id) => [label, id]));
  return { ...json, id2label, label2id, ...(problemType === undefined ? {} : { problem_type: problemType }) };
}

/**
 * The task that a model was fine-tuned for: as its task.json says, or, of a model from Transformers, its config.json.
 * @throws {ConfigError} when it was fine-tuned for none, or its settings cannot be.
 */
export function taskOfModel(model: Pick<LoadedModel, "where" | "config" | "configJson" | "taskJson">): AnyTask {
  const { where, config } = model;
  const settings =
    model.taskJson === undefined
      ? settingsOfConfig(model)
      : parseTaskSettings(model.taskJson, `${where}: ${TASK_FILE}`);
  const longest = config.maxPositionEmbeddings;
  if (settings.maxSeqLength > longest) {
    throw new ConfigError({
      where: `${where}: maxSeqLength`,
      expected: `at most ${longest}, the model's positions`,
      got: settings.maxSeqLength,
    });
  }
  return findTaskDefinition(settings.task).create(settings);
}

function parseTaskSettings(json: unknown, where: string): TaskSettings {
  const fields = typeof json === "object" && json !== null ? (json as TaskSettings) : { task: undefined };
  const definition = taskDefinitions.find(({ name }) => name === fields.task);
  if (definition !== undefined) return checkSettings(fields as TaskSettings, definition.rules, where);
  const names = taskDefinitions.map(({ name }) => name).join(", ");
  throw new ConfigError({ where: `${where}: task`, expected: `one of ${names}`, got: fields.task });
}

/** What config.json of Transformers says: the class of the model, the names of the labels. */
function settingsOfConfig({
  where,
  config,
  configJson,
}: Pick<LoadedModel, "where" | "config" | "configJson">): TaskSettings {
  const json = (configJson ?? {}) as Record<string, unknown>;
  const architectures = Array.isArray(json["architectures"]) ? json["architectures"] : [];
  const fitting = taskDefinitions.filter(
    ({ architecture }) => architecture !== ENCODER_ALONE && architectures.includes(architecture),
  );
  const labels = labelsOf(json["id2label"], `${where}: id2label`);
  const definition = definitionOf(fitting, json["problem_type"], labels);
  if (definition === undefined) {
    throw new ConfigError({
      where,
      expected: `a model fine-tuned for a task (${taskDefinitions.map(({ name }) => name).join(", ")})`,
      got: verbatim(architectures.length === 0 ? "a config.json that names no class" : String(architectures[0])),
      hint: "fine-tune it first: zhbert finetune TASK --model MODEL --train train.csv -o out/",
    });
  }
  return {
    task: definition.name,
    maxSeqLength: config.maxPositionEmbeddings,
    ...(labels === undefined ? {} : { labels }),
  };
}

/** Of several tasks of one class of Transformers, that of the problem type; where it is not said, one number is a regression. */
function definitionOf(
  fitting: readonly AnyTaskDefinition[],
  problemType: unknown,
  labels: readonly string[] | undefined,
): AnyTaskDefinition | undefined {
  const wanted = problemType ?? (labels?.length === 1 ? "regression" : "single_label_classification");
  return fitting.find((definition) => definition.problemType === wanted) ?? fitting[0];
}

function labelsOf(id2label: unknown, where: string): readonly string[] | undefined {
  if (id2label === undefined || id2label === null) return undefined;
  const entries = typeof id2label === "object" ? Object.entries(id2label as object) : [];
  const labels = entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, label]) => label);
  if (entries.some(([id], place) => Number(id) !== place)) {
    throw new ConfigError({ where, expected: "labels by the numbers 0, 1, 2, ...", got: id2label });
  }
  if (commonRules.labels.holds(labels)) return labels as string[];
  throw new ConfigError({ where, expected: commonRules.labels.expected, got: id2label });
}
