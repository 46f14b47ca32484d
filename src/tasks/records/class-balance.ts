/** Class weights by which rare labels count as much as frequent ones. */
import { ArgumentError, verbatim } from "../../errors.ts";
import type { TaskSettings } from "../task.ts";
import { dataOfTask, taskDefinitions } from "../tasks.ts";
import { countLabels } from "./labels.ts";

/** What of an example of these tasks is counted. */
interface LabelledExample {
  readonly label?: string;
  readonly labels?: readonly string[];
}

/** The kinds of data whose labels are counted. */
const BALANCED: readonly string[] = ["classify", "match", "multilabel"];

/**
 * The weights of labels, in the order of the task's, as `LossOptions.classWeights` takes them: of labels that exclude each
 * other n / (labels x count); of labels by themselves how many examples lack the label for each that has it. Examples without
 * labels do not count; a label that none has weighs 1, and so does one by itself that all have.
 * @throws {ArgumentError} of a task whose examples have no labels.
 * Source: compute_class_weight ("balanced") of scikit-learn, after King and Zeng 2001; pos_weight of torch.nn.BCEWithLogitsLoss.
 */
export function balancedClassWeights(
  { task, labels = [] }: TaskSettings,
  examples: readonly unknown[],
): readonly number[] {
  const byItself = dataOfTask(task) === "multilabel";
  if (!BALANCED.includes(dataOfTask(task))) {
    const names = taskDefinitions.filter(({ reads }) => BALANCED.includes(reads)).map(({ name }) => name);
    throw new ArgumentError({
      where: "balanced class weights",
      expected: `a task with a label for each text (${names.join(", ")})`,
      got: verbatim(task),
    });
  }
  const given = (examples as readonly LabelledExample[]).flatMap(({ label, labels: several }) => {
    const own = byItself ? several : label === undefined ? undefined : [label];
    return own === undefined ? [] : [[...new Set(own)]];
  });
  const counts = countLabels(given.flat());
  return labels.map((label) => {
    const count = counts.get(label) ?? 0;
    if (count === 0 || (byItself && count === given.length)) return 1;
    return byItself ? (given.length - count) / count : given.length / (labels.length * count);
  });
}
