/** What labelled data is named by: a published data set, whose task is known, or a task, for people's own files. */
import { ArgumentError, nearest } from "../errors.ts";
import type { Dataset, TaskName } from "./datasets/dataset.ts";
import { datasets, findDataset } from "./datasets/datasets.ts";
import type { AnyTaskDefinition } from "./task.ts";
import { findTaskDefinition, taskDefinitions } from "./tasks.ts";

/** A task, and the published data set that it is to learn; people's own data is of none. */
export interface NamedData {
  readonly definition: AnyTaskDefinition;
  readonly dataset: Dataset | undefined;
}

/**
 * What a name stands for; nothing is read.
 * @param name - of a data set (`chnsenticorp`) or a task (`classify`).
 * @param dataset - with a task's name: the data set that it is to learn.
 * @throws {ArgumentError} when the name is no data set's and no task's, or the data set is none that the task can read; it says
 * which there are.
 */
export function namedData(name: string, dataset?: string): NamedData {
  const named = findDataset(name) as Dataset | undefined;
  const definition = named === undefined ? taskOf(name) : findTaskDefinition(named.task);
  return { definition, dataset: dataset === undefined ? named : datasetFor(definition, dataset) };
}

/** The examples of a data set may be of another kind that has what the task reads. */
function datasetFor({ name: task, reads }: AnyTaskDefinition, name: string): Dataset {
  const found = findDataset(name) as Dataset | undefined;
  const fitting = datasets.filter(({ task: kind }) => isReadableAs(kind, reads)).map((dataset) => dataset.name);
  if (found !== undefined && fitting.includes(found.name)) return found;
  const near = found === undefined ? nearest(name.toLowerCase(), fitting) : undefined;
  throw new ArgumentError({
    where: "--dataset",
    expected: `a data set for ${task}: ${fitting.join(", ")}`,
    got: name,
    hint:
      near !== undefined
        ? `did you mean ${near}?`
        : found === undefined
          ? "leave it out for files of your own"
          : `it is for ${found.task}; a model for ${task} learns and is measured on data of its own kind`,
  });
}

/** Whether examples of a data set can be given to a task that reads another kind. */
function isReadableAs(kind: TaskName, wanted: TaskName): boolean {
  const alike: Readonly<Partial<Record<TaskName, readonly TaskName[]>>> = {
    classify: ["match"],
    match: ["classify"],
    embed: ["regress", "match"],
  };
  return kind === wanted || (alike[wanted]?.includes(kind) ?? false);
}

function taskOf(name: string): AnyTaskDefinition {
  const names = taskDefinitions.map((definition) => definition.name);
  const found = taskDefinitions.find((definition) => definition.name === name.toLowerCase());
  if (found !== undefined) return found;
  const sets = datasets.map((dataset) => dataset.name);
  const near = nearest(name.toLowerCase(), [...names, ...sets]);
  throw new ArgumentError({
    where: "task",
    expected: "a task or a data set",
    got: name,
    hint: `${near === undefined ? "" : `did you mean ${near}? `}tasks: ${names.join(", ")}; data sets: ${sets.join(", ")}`,
  });
}
