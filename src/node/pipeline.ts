/** Pipelines under Node.js: models by path or by their name on the hub, ONNX Runtime on all processors. */
import type { ModelOrigin } from "../inference/bert-model.ts";
import {
  changedSettings,
  createPipeline,
  expectPipelineName,
  type PipelineOptions,
} from "../tasks/pipeline/pipeline.ts";
import type { PipelineName, Pipelines } from "../tasks/pipeline/pipeline-types.ts";
import { type LoadOptions, loadFrom } from "./bert-model.ts";
import { openRuntime } from "./runtimes.ts";

/**
 * Makes a pipeline: `const classify = await pipeline("text-classification", "out/")`.
 * @param task - its name in Transformers: `text-classification`, `token-classification` (`ner`), `question-answering`,
 *   `fill-mask`, `feature-extraction`, `multiple-choice`, `text-similarity`.
 * @param origin - a folder, a zip, or the name of a model of the hub; or what the isomorphic pipeline takes.
 * @throws {ConfigError} when the model was not fine-tuned for it: the hint says what to run.
 * @throws {FileError} {CheckpointError} {VocabularyError} as `BertModel.fromPretrained`.
 */
export async function pipeline<Name extends PipelineName>(
  task: Name,
  origin: ModelOrigin,
  { longTexts, constrained, ...options }: LoadOptions & PipelineOptions = {},
): Promise<Pipelines[Name]> {
  expectPipelineName(task);
  const { loaded, name } = await loadFrom(origin, options);
  const { onNote } = options;
  const { runtime, release } = await openRuntime(options, { mode: "inference", config: loaded.config, onNote });
  const chosen = { name, ...changedSettings({ longTexts, constrained }) };
  return createPipeline(task, loaded, { ...chosen, runtime, onDispose: release });
}
