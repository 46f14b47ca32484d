/** A small random model with a task's head, as fine-tuning leaves it in a folder; for tests of pipelines and commands. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TASK_FILE } from "../src/inference/load-model.ts";
import type { TaskSettings } from "../src/tasks/task.ts";
import { taskConfigJson } from "../src/tasks/task-files.ts";
import { taskParameterShapes } from "../src/tasks/task-graph.ts";
import { findTaskDefinition } from "../src/tasks/tasks.ts";
import { Random } from "../src/util/random.ts";
import { elementCount, hostTensor } from "../src/util/tensor.ts";
import { smallConfig, smallModelFolder } from "./small-model.ts";

/** The longest row that the small model has positions for. */
export const SMALL_LENGTH = smallConfig.maxPositionEmbeddings;

/** The values of a parameter. */
type WeightValues = (name: string, shape: readonly number[]) => Float32Array;

/** Of some size, so that predictions differ. */
function randomWeights(seed: number): WeightValues {
  const random = new Random(seed);
  return (_, shape) => Float32Array.from({ length: elementCount(shape) }, () => 0.7 * random.normal());
}

/**
 * Weights set by hand: every token hears the mean of all in each layer, and only one entry of the vocabulary has what the head
 * looks at; its vector stands out in the first two columns.
 * @param head - the head's weight [outputs, hidden]: how much each output looks for the entry.
 * @param bias - the head's; zeros when left out.
 */
export function plantedWeights(id: number, head: readonly number[], bias?: readonly number[]): WeightValues {
  const random = new Random(3);
  const { hiddenSize } = smallConfig;
  return (name, shape) => {
    const size = elementCount(shape);
    const isSquare = /attention\.(self\.value|output\.dense)\.weight$|pooler\.dense\.weight$/.test(name);
    if (name.endsWith("word_embeddings.weight")) {
      const values = Float32Array.from({ length: size }, () => 0.2 * random.normal());
      for (let at = 0; at < size; at += hiddenSize) values.set([0, 0], at);
      values.set([2, -2], id * hiddenSize);
      return values;
    }
    if (name.includes("LayerNorm.weight")) return new Float32Array(size).fill(1);
    if (isSquare) return Float32Array.from({ length: size }, (_, i) => (i % (hiddenSize + 1) === 0 ? 0.5 : 0));
    if (/^(classifier|qa_outputs)\.weight$/.test(name)) {
      const width = (shape[1] as number) / hiddenSize;
      return Float32Array.from(head.flatMap((one) => Array.from({ length: width }, () => rowOf(one)).flat()));
    }
    return name === "classifier.bias" && bias ? Float32Array.from(bias) : new Float32Array(size);
  };
  function rowOf(strength: number): number[] {
    return Array.from({ length: hiddenSize }, (_, i) => (i === 0 ? strength : i === 1 ? -strength : 0));
  }
}

/** A temporary folder with a model for a task. */
export function smallTaskFolder(settings: TaskSettings, weightsOf: WeightValues = randomWeights(5)) {
  const task = findTaskDefinition(settings.task).create(settings);
  const weights = [...taskParameterShapes(task, smallConfig)].map(([name, shape]) => {
    return [name, hostTensor("float32", shape, weightsOf(name, shape))] as const;
  });
  const folder = smallModelFolder(new Map(weights), taskConfigJson(task, smallConfig));
  writeFileSync(join(folder.path, TASK_FILE), JSON.stringify(settings));
  return folder;
}
