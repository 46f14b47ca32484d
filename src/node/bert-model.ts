/** BertModel under Node.js: models by path or by their name on the hub, ONNX Runtime on all processors. */
import {
  type FromPretrainedOptions,
  filesOf,
  BertModel as IsomorphicBertModel,
  type ModelOrigin,
  partsOf,
} from "../inference/bert-model.ts";
import { type LoadedModel, loadModel, type OpenedModel, openModel } from "../inference/load-model.ts";
import type { DownloadOptions } from "./hub.ts";
import { openModelSource } from "./model-source.ts";
import { type EngineChoice, openRuntime } from "./runtimes.ts";

/** How a model is found and loaded, and what computes it. */
export interface LoadOptions extends Omit<Partial<FromPretrainedOptions>, "runtime">, EngineChoice, DownloadOptions {}

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
    const { loaded, name } = await loadFrom(origin, options);
    const { onNote } = options;
    const { runtime } = await openRuntime(options, { mode: "inference", config: loaded.config, onNote });
    return new BertModel({ ...partsOf(loaded), name, runtime });
  }
}

/** Loads a model that is to compute, with the name that it was asked for by. @throws as `BertModel.fromPretrained`. */
export async function loadFrom(
  origin: ModelOrigin,
  options: LoadOptions,
): Promise<{ readonly loaded: LoadedModel; readonly name: string }> {
  if (typeof origin === "string" && !/^https?:/.test(origin)) {
    return { loaded: await loadPretrained(origin, options), name: origin };
  }
  const files = await filesOf(origin, options);
  return { loaded: await loadModel(files, options), name: files.name };
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
