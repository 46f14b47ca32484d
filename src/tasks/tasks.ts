/** All tasks. To add one: a file beside this one, and an entry here. */
import { ArgumentError, nearest } from "../errors.ts";
import { choice } from "./choice.ts";
import { classify, match } from "./classify.ts";
import type { TaskName } from "./datasets/dataset.ts";
import { embed } from "./embed.ts";
import { multilabel } from "./multilabel.ts";
import { ner } from "./ner.ts";
import { qa } from "./qa.ts";
import { regress } from "./regress.ts";
import { siamese } from "./siamese.ts";
import type { AnyTaskDefinition } from "./task.ts";

/** The tasks, in the order in which they are shown. */
export const taskDefinitions: readonly AnyTaskDefinition[] = [
  classify,
  match,
  siamese,
  multilabel,
  regress,
  ner,
  qa,
  choice,
  embed,
];

/** The kind of labelled data that a task of this name reads. @throws {ArgumentError} for an unknown one. */
export function dataOfTask(name: string): TaskName {
  return findTaskDefinition(name).reads;
}

/**
 * The task of a name.
 * @throws {ArgumentError} for an unknown one; it says which there are.
 */
export function findTaskDefinition(name: string): AnyTaskDefinition {
  const found = taskDefinitions.find((definition) => definition.name === name);
  if (found !== undefined) return found;
  const names = taskDefinitions.map((definition) => definition.name);
  const near = nearest(name, names);
  throw new ArgumentError({
    where: "task",
    expected: `one of ${names.join(", ")}`,
    got: name,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}
