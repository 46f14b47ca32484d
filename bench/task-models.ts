/** Models of BERT-base's width with random weights and a task's head, as folders that zhbert and Transformers both load. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { built } from "./built.ts";
import { benchFolder, vocabularyPath } from "./corpus.ts";

/**
 * Writes the model of some task settings, unless it is there; gives its folder.
 * @param headScale - a factor on the head's weights: scores that are far apart are told apart alike by all engines.
 */
export async function prepareTaskModel(
  layers: number,
  settings: { readonly task: string; readonly maxSeqLength: number } & Readonly<Record<string, unknown>>,
  headScale = 1,
): Promise<string> {
  const folder = `${benchFolder}model-${settings.task}-${layers}`;
  mkdirSync(folder, { recursive: true });
  const [{ builtinConfig, Random, writeFileAtomic, writeSafetensors }, { findTaskDefinition }] = [
    await built("node/index"),
    await built("tasks/tasks"),
  ];
  const [{ initializeTask }, { taskConfigJson }] = [await built("tasks/task-graph"), await built("tasks/task-files")];
  const vocabulary = vocabularyPath();
  copyFileSync(vocabulary, `${folder}/vocab.txt`);
  const config = { ...builtinConfig("base", VOCABULARY_SIZE), numHiddenLayers: layers };
  const task = findTaskDefinition(settings.task).create(settings);
  writeFileSync(`${folder}/config.json`, JSON.stringify(taskConfigJson(task, config)));
  writeFileSync(`${folder}/task.json`, JSON.stringify(task.settings));
  if (existsSync(`${folder}/model.safetensors`)) return folder;
  const weights = initializeTask(task, config, new Random(1));
  const head = [...weights].filter(([name]) => !name.startsWith("bert."));
  for (const [name, { dtype, shape, data }] of head) {
    weights.set(name, { dtype, shape, data: (data as Float32Array).map((value) => value * headScale) });
  }
  await writeFileAtomic(`${folder}/model.safetensors`, writeSafetensors(weights));
  return folder;
}

const VOCABULARY_SIZE = 21_128;
