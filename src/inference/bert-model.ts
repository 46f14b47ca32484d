/** A loaded BERT: weights, tokenizer and engine together. */
import type { LazyTensors } from "../checkpoint/format.ts";
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
import { ModelPrograms } from "./programs.ts";

/** What a model is made of. */
export interface BertModelParts {
  readonly config: BertConfig;
  /** Under Hugging Face's names; float16, bfloat16, float32 or float64. `lazyTensors` makes them of tensors in memory. */
  readonly weights: LazyTensors;
  readonly tokenizer: BertTokenizer;
  readonly runtime: Runtime;
  /** Where the weights are from, for messages. */
  readonly where?: string;
}

/** Texts in one run of the model. */
const BATCH_SIZE = 32;

/** A BERT that is ready to compute. */
export class BertModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  /** Which of the file's weights are used, missing and left over. */
  readonly report: WeightsReport;
  readonly #programs: ModelPrograms;

  /**
   * @throws {ConfigError} when a tensor's shape or the number of layers contradicts the config, or the vocabulary has
   *   another size.
   */
  constructor({ config, weights, tokenizer, runtime, where = "weights" }: BertModelParts) {
    expectVocabularySize(config, tokenizer.vocabulary.size);
    const matched = matchWeights(weights, parameterShapes(config, { nextSentence: true }), where);
    expectNoFurtherLayers(matched.report, config, where);
    this.config = config;
    this.tokenizer = tokenizer;
    this.report = matched.report;
    this.#programs = new ModelPrograms({ config, ...matched, runtime, where });
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
