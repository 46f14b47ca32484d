/** Pipelines under Node.js: models by path or by their name on the hub, ONNX Runtime on all processors. */
import { filesOf, type ModelOrigin } from "../inference/bert-model.ts";
import { loadModel } from "../inference/load-model.ts";
import {
  changedSettings,
  createPipeline,
  expectPipelineName,
  type PipelineOptions,
} from "../tasks/pipeline/pipeline.ts";
import type { PipelineName, Pipelines } from "../tasks/pipeline/pipeline-types.ts";
import { type LoadOptions, loadPretrained } from "./bert-model.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

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
  const isHere = typeof origin === "string" && !/^https?:/.test(origin);
  const files = isHere ? undefined : await filesOf(origin, options);
  const loaded = files === undefined ? await loadPretrained(String(origin), options) : await loadModel(files, options);
  const name = files?.name ?? String(origin);
  const chosen = { name, ...changedSettings({ longTexts, constrained }) };
  if (options.runtime !== undefined) return createPipeline(task, loaded, { ...chosen, runtime: options.runtime });
  const runtime = createOnnxRuntime();
  return createPipeline(task, loaded, { ...chosen, runtime, onDispose: () => runtime.dispose() });
}
