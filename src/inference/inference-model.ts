/** What the functions of this folder need of a model. */
import type { BertConfig } from "../model/config.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { ModelPrograms } from "./programs.ts";

/** A model's sizes, its tokenizer, and its weights under any graph. */
export interface InferenceModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  readonly programs: Pick<ModelPrograms, "get">;
}
