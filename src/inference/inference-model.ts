/** What the functions of this folder need of a model: its sizes, its tokenizer, and its weights under any graph. */
import type { Graph } from "../graph/graph.ts";
import type { BertConfig } from "../model/config.ts";
import type { Executable } from "../runtime/runtime.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";

/** A model that can be put behind any graph over its parameters; BertModel is one. */
export interface InferenceModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  /**
   * A graph compiled with the model's weights; the same key is compiled once.
   * @param key - tells graphs apart. @param build - makes the graph where it is not known yet.
   * @throws {ConfigError} when the model has no weights for a part of the graph.
   */
  executable(key: string, build: () => Graph): Promise<Executable>;
}
