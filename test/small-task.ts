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

/** A temporary folder with a model for a task; weights of some size, so that predictions differ. */
export function smallTaskFolder(settings: TaskSettings, seed = 5) {
  const task = findTaskDefinition(settings.task).create(settings);
  const random = new Random(seed);
  const weights = [...taskParameterShapes(task, smallConfig)].map(([name, shape]) => {
    const data = Float32Array.from({ length: elementCount(shape) }, () => 0.7 * random.normal());
    return [name, hostTensor("float32", shape, data)] as const;
  });
  const folder = smallModelFolder(new Map(weights), taskConfigJson(task, smallConfig));
  writeFileSync(join(folder.path, TASK_FILE), JSON.stringify(settings));
  return folder;
}
