/** A loaded BERT: weights, tokenizer and engine together. */
import type { LazyTensors } from "../checkpoint/format.ts";
import { bytesSource, type ModelFiles } from "../checkpoint/source.ts";
import { zipFiles } from "../checkpoint/zip-files.ts";
import { ArgumentError } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { parameterShapes } from "../model/initialize.ts";
import { maskedLmGraph } from "../model/masked-lm.ts";
import {
  expectNoFurtherLayers,
  expectVocabularySize,
  matchWeights,
  type WeightsReport,
} from "../model/match-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { encodeMasked, type FillMaskResult, fillMaskedTexts } from "./fill-mask.ts";
import { type LoadedModel, loadModel, type OpenModelOptions } from "./load-model.ts";
import { ModelPrograms } from "./programs.ts";
import { type Fetch, fetchBytes, urlFiles } from "./url-files.ts";

/** What a model is made of. */
export interface BertModelParts {
  readonly config: BertConfig;
  /** Under Hugging Face's names; float16, bfloat16, float32 or float64. `lazyTensors` makes them of tensors in memory. */
  readonly weights: LazyTensors;
  readonly tokenizer: BertTokenizer;
  readonly runtime: Runtime;
  /** Where the weights are from, for messages. */
  readonly where?: string;
  /** What was repaired, assumed or left out on the way. */
  readonly notes?: readonly string[];
}

/** Where a model comes from: its files, a zip download in memory, or the address of a folder or zip on a server. */
export type ModelOrigin = ModelFiles | ArrayBuffer | Uint8Array | URL | string;

/** How a model is loaded. */
export interface FromPretrainedOptions extends OpenModelOptions {
  readonly runtime: Runtime;
  /** Another way to fetch than the web's own, for addresses. */
  readonly fetch?: Fetch;
}

/** Texts in one run of the model. */
const BATCH_SIZE = 32;

/** A BERT that is ready to compute. */
export class BertModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  /** Which of the file's weights are used, missing and left over. */
  readonly report: WeightsReport;
  /** What was repaired, assumed or left out when the model was loaded, for people. */
  readonly notes: readonly string[];
  readonly #programs: ModelPrograms;

  /**
   * @throws {ConfigError} when a tensor's shape or the number of layers contradicts the config, or the vocabulary has
   *   another size.
   */
  constructor({ config, weights, tokenizer, runtime, where = "weights", notes = [] }: BertModelParts) {
    expectVocabularySize(config, tokenizer.vocabulary.size);
    const matched = matchWeights(weights, parameterShapes(config, { nextSentence: true }), where);
    expectNoFurtherLayers(matched.report, config, where);
    this.config = config;
    this.tokenizer = tokenizer;
    this.report = matched.report;
    this.notes = notes;
    this.#programs = new ModelPrograms({ config, ...matched, runtime, where });
  }

  /**
   * Loads a model from its files as they were published or saved: every format, dialect and layout that `zhbert inspect`
   * knows. Under Node.js, `zhbert` exports a BertModel that takes paths and names of the hub too.
   * @throws {FileError} when a file is missing. @throws {CheckpointError} when the weights are damaged.
   * @throws {ConfigError} or {VocabularyError} when config, weights and vocabulary do not belong together.
   */
  static async fromPretrained(
    origin: ModelOrigin,
    { runtime, fetch, ...options }: FromPretrainedOptions,
  ): Promise<BertModel> {
    return new BertModel({ ...partsOf(await loadModel(await filesOf(origin, fetch), options)), runtime });
  }

  /**
   * The likeliest vocabulary entries for each [MASK] of each text; every mask is filled by itself.
   * @param texts - each with at least one [MASK].
   * @param options.topK - entries for each mask; 5.
   * @throws {ArgumentError} when a text has no [MASK] or is too long, or topK is no positive integer.
   * @throws {ConfigError} when the model has no MLM head.
   * Source: Devlin et al. 2018, section 3.1.
   */
  async fillMask(texts: readonly string[], { topK = 5 }: { readonly topK?: number } = {}): Promise<FillMaskResult[]> {
    if (!Number.isInteger(topK) || topK < 1) {
      throw new ArgumentError({ where: "fill-mask: topK", expected: "a positive integer", got: topK });
    }
    const encoded = texts.map((text) => encodeMasked(this.tokenizer, text, this.config.maxPositionEmbeddings));
    const byLength = [...encoded.keys()].sort((a, b) => lengthAt(a) - lengthAt(b));
    const results: FillMaskResult[] = new Array(texts.length);
    for (let start = 0; start < byLength.length; start += BATCH_SIZE) {
      const rows = byLength.slice(start, start + BATCH_SIZE);
      const batch = rows.map((row) => encoded[row] as (typeof encoded)[number]);
      const filled = await fillMaskedTexts(
        await this.#programs.get("masked-lm", maskedLmGraph),
        this.tokenizer,
        batch,
        topK,
      );
      rows.forEach((row, i) => {
        results[row] = filled[i] as FillMaskResult;
      });
    }
    return results;

    function lengthAt(row: number): number {
      return encoded[row]?.encoding.ids.length ?? 0;
    }
  }

  /** Frees the engine's memory; a later call compiles again. */
  dispose(): Promise<void> {
    return this.#programs.dispose();
  }
}

/** What a model takes of what was loaded. */
export function partsOf({ config, tokenizer, named, where, notes }: LoadedModel): Omit<BertModelParts, "runtime"> {
  return { config, tokenizer, weights: named.tensors, where, notes };
}

async function filesOf(origin: ModelOrigin, fetch?: Fetch): Promise<ModelFiles> {
  if (origin instanceof ArrayBuffer) return zipFiles(bytesSource("zip download", new Uint8Array(origin)));
  if (origin instanceof Uint8Array) return zipFiles(bytesSource("zip download", origin));
  if (typeof origin !== "string" && !(origin instanceof URL)) return origin;
  const url = String(origin);
  if (url.split(/[?#]/)[0]?.endsWith(".zip")) return zipFiles(bytesSource(url, await fetchBytes(url, fetch)));
  return urlFiles(url, fetch);
}
