/** Parts of examples by a seed: some held out to choose checkpoints with, and a sample of a large training set. */
import { Random } from "../../util/random.ts";
import type { ExamplesByTask, TaskName } from "../datasets/dataset.ts";

type Example = ExamplesByTask[TaskName];

/** Distinguishes the streams of one seed. */
const HOLD_OUT_STREAM = 1;
const SAMPLE_STREAM = 2;

/**
 * Examples in two parts, each in the order of the data. Those of one text (questions about one passage) stay together, so that
 * none is held out that was also trained on.
 * @param share - of the examples to hold out, in (0, 1).
 */
export function holdOut<E extends Example>(
  examples: readonly E[],
  share: number,
  seed: number,
): { readonly train: readonly E[]; readonly heldOut: readonly E[] } {
  const groups = new Map<string, number[]>();
  examples.forEach((example, i) => {
    const key = "context" in example ? example.context : example.text;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  const wanted = Math.round(examples.length * share);
  const chosen = new Set<number>();
  for (const group of Random.derive(seed, HOLD_OUT_STREAM).shuffle([...groups.values()])) {
    if (chosen.size >= wanted) break;
    for (const i of group) chosen.add(i);
  }
  return {
    train: examples.filter((_, i) => !chosen.has(i)),
    heldOut: examples.filter((_, i) => chosen.has(i)),
  };
}

/** So many of the examples, drawn by the seed, in their order; all where there are no more. */
export function sampleExamples<E>(examples: readonly E[], count: number, seed: number): readonly E[] {
  if (examples.length <= count) return examples;
  const places = Random.derive(seed, SAMPLE_STREAM).shuffle(examples.map((_, i) => i));
  const chosen = new Set(places.slice(0, count));
  return examples.filter((_, i) => chosen.has(i));
}

/** Whether an example says what the right prediction is, so that models can be measured on it. */
export function isLabelled(task: TaskName, example: Example): boolean {
  const fields: Readonly<Record<TaskName, string>> = {
    classify: "label",
    match: "label",
    multilabel: "labels",
    regress: "score",
    ner: "tags",
    qa: "answers",
    choice: "label",
    embed: "score",
  };
  return (example as unknown as Readonly<Record<string, unknown>>)[fields[task]] !== undefined;
}
