/** BertModel under Node.js: models by path or by their name on the hub, ONNX Runtime on all processors. */
import {
  type FromPretrainedOptions,
  BertModel as IsomorphicBertModel,
  type ModelOrigin,
  partsOf,
} from "../inference/bert-model.ts";
import { type LoadedModel, loadModel, type OpenedModel, openModel } from "../inference/load-model.ts";
import type { DownloadOptions } from "./hub.ts";
import { openModelSource } from "./model-source.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

/** How a model is found and loaded; the engine is ONNX Runtime on all processors when left out. */
export interface LoadOptions extends Partial<FromPretrainedOptions>, DownloadOptions {}

/** A BERT that is ready to compute. */
export class BertModel extends IsomorphicBertModel {
  /**
   * Loads a model.
   * @param origin - a folder, a weights file, a zip download, a TensorFlow prefix, or the name of a model of the hub
   *   (`hfl/chinese-bert-wwm-ext`; what lies on the disk comes first); or what the isomorphic BertModel takes.
   * @throws {FileError} when a file is missing. @throws {CheckpointError} when the weights are damaged.
   * @throws {ConfigError} or {VocabularyError} when config, weights and vocabulary do not belong together.
   */
  static override async fromPretrained(origin: ModelOrigin, options: LoadOptions = {}): Promise<BertModel> {
    const runtime = options.runtime ?? createOnnxRuntime();
    if (typeof origin !== "string" || /^https?:/.test(origin)) {
      return IsomorphicBertModel.fromPretrained(origin, { ...options, runtime });
    }
    return new BertModel({ ...partsOf(await loadPretrained(origin, options)), name: origin, runtime });
  }
}

/**
 * Opens a model by path or name without its weights.
 * @throws as `BertModel.fromPretrained`, but config and vocabulary may be missing.
 */
export async function openPretrained(name: string, options: DownloadOptions = {}): Promise<OpenedModel> {
  const { files, checkpoint } = await openModelSource(name, options);
  return openModel(files, checkpoint === undefined ? {} : { checkpoint });
}

/**
 * Opens a model by path or name that is to compute; weights are read when they are asked for.
 * @throws as `BertModel.fromPretrained`.
 */
export async function loadPretrained(name: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const { files, checkpoint = options.checkpoint } = await openModelSource(name, options);
  return loadModel(files, checkpoint === undefined ? {} : { checkpoint });
}
