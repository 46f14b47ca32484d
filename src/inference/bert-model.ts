/** A loaded BERT: weights, tokenizer and engine together. */
import type { LazyTensors } from "../checkpoint/format.ts";
import { bytesSource, type ModelFiles } from "../checkpoint/source.ts";
import { zipFiles } from "../checkpoint/zip-files.ts";
import { ConfigError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { parameterShapes } from "../model/initialize.ts";
import { maskedLmGraph } from "../model/masked-lm.ts";
import { expectNoFurtherLayers, expectVocabularySize, type WeightsReport } from "../model/match-weights.ts";
import { inspectMlmHead, type MlmHeadInspection } from "../model/mlm-head.ts";
import { dequantized, matchInferenceWeights } from "../model/quantized-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Segmenter } from "../text/segmenter.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { type EmbedOptions, embedPlan, embedStream } from "./embed.ts";
import { type FeatureOptions, featureStream, type TextFeatures } from "./features.ts";
import { fillMasks } from "./fill-mask.ts";
import type { FillMaskOptions, FillMaskResult, FillWordsOptions, WordCandidate } from "./fill-mask-options.ts";
import type { InferenceModel } from "./inference-model.ts";
import { type LoadedModel, loadModel, type OpenModelOptions } from "./load-model.ts";
import { MaskScorer } from "./mask-scorer.ts";
import { ModelPrograms } from "./programs.ts";
import { type EmbeddingDefaults, USUAL_EMBEDDING } from "./sentence-modules.ts";
import type { TextOrPair } from "./token-rows.ts";
import { type Fetch, fetchBytes, type UrlFilesOptions, urlFiles } from "./url-files.ts";
import type { WordLexicon } from "./word-lexicon.ts";
import { type TextWords, type WordVectorOptions, wordVectorStream } from "./word-vectors.ts";

/** What a model is made of. */
export interface BertModelParts {
  readonly config: BertConfig;
  /** Under Hugging Face's names; float16, bfloat16, float32 or float64. `lazyTensors` makes them of tensors in memory. */
  readonly weights: LazyTensors;
  readonly tokenizer: BertTokenizer;
  readonly runtime: Runtime;
  /** Where the weights are from, for messages. */
  readonly where?: string;
  /** What the model was called when it was asked for, for hints; `where` when left out. */
  readonly name?: string;
  /** How its vectors are made where nothing else is asked for; the mean of the tokens when left out. */
  readonly embedding?: EmbeddingDefaults;
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

/** Texts, all at once or as they come. */
type Texts<T> = Iterable<T> | AsyncIterable<T>;

/** A BERT that is ready to compute. */
export class BertModel {
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  /** Which of the file's weights are used, missing and left over. */
  readonly report: WeightsReport;
  /** What was repaired, assumed or left out when the model was loaded, for people. */
  readonly notes: readonly string[];
  /** How `embed` makes vectors where its options leave it open, as the model's files say. */
  readonly embedding: EmbeddingDefaults;
  readonly #programs: ModelPrograms;
  readonly #weights: LazyTensors;
  readonly #where: string;
  readonly #name: string;
  readonly #lexicons = new WeakMap<readonly string[], WordLexicon>();

  /**
   * @throws {ConfigError} when a tensor's shape or the number of layers contradicts the config, or the vocabulary has
   *   another size.
   */
  constructor(parts: BertModelParts) {
    const { config, weights, tokenizer, runtime, where = "weights", notes = [] } = parts;
    expectVocabularySize(config, tokenizer.vocabulary.size, parts.where);
    const shapes = parameterShapes(config, { nextSentence: true });
    const matched = matchInferenceWeights(weights, shapes, where, config.quantization);
    expectNoFurtherLayers(matched.report, config, where);
    this.config = config;
    this.tokenizer = tokenizer;
    this.report = matched.report;
    this.notes = notes;
    this.embedding = parts.embedding ?? USUAL_EMBEDDING;
    this.#weights = weights;
    this.#where = where;
    this.#name = parts.name ?? where;
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
    const files = await filesOf(origin, { fetch, ...options });
    return new BertModel({ ...partsOf(await loadModel(files, options)), name: files.name, runtime });
  }

  /**
   * Whether there is an MLM head, and whether it was ever trained; reads its tensors.
   * @throws {CheckpointError} when one of them is damaged.
   */
  inspectMlmHead(): MlmHeadInspection {
    return inspectMlmHead(dequantized(this.#weights, this.#where), this.config);
  }

  /**
   * The likeliest vocabulary entries for each [MASK] of each text, every mask by itself, and on demand the likeliest
   * fillings of all masks together; or, of a lexicon or some candidates, the likeliest words.
   * @param texts - each with at least one [MASK].
   * @param options.topK - entries for each mask; 5.
   * @throws {ArgumentError} when a text has no [MASK] or is too long, an option is out of range, a candidate has pieces
   *   that the vocabulary lacks, or no word fits.
   * @throws {ConfigError} when the model has no MLM head.
   * Source: Devlin et al. 2018, section 3.1.
   */
  fillMask(texts: readonly string[], options: FillWordsOptions): Promise<FillMaskResult<WordCandidate>[]>;
  fillMask(texts: readonly string[], options?: FillMaskOptions): Promise<FillMaskResult[]>;
  async fillMask(texts: readonly string[], options: FillMaskOptions | FillWordsOptions = {}) {
    const { tokenizer, config } = this;
    this.#expectMlmHead();
    const program = await this.#programs.get("masked-lm", maskedLmGraph);
    const scorer = new MaskScorer(program, tokenizer.vocabulary.size, config.vocabSize);
    const model = { scorer, tokenizer, maxPositions: config.maxPositionEmbeddings, lexicons: this.#lexicons };
    return (await fillMasks(model, texts, options)) as FillMaskResult<never>[];
  }

  /**
   * The vectors of texts, in their order: float32 [dim] each; with pooling `none` float32 [tokens, dim], flat.
   * @throws {ArgumentError} when an option does not fit the model, or a pair is too long for it and may not be cut.
   * @throws {ConfigError} when the model has no weights for what is asked (a pooler).
   */
  embed(texts: readonly TextOrPair[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    return listOf(this.embedStream(texts, options));
  }

  /** As `embed`, over a stream of any length, of which a few thousand texts are held at a time. */
  embedStream(texts: Texts<TextOrPair>, options: EmbedOptions = {}): AsyncGenerator<Float32Array> {
    return embedStream(this.#inference, texts, this.#withDefaults(options));
  }

  /** Columns of the vectors that `embed` gives with these options. @throws {ArgumentError} when they do not fit the model. */
  embeddingSize(options: EmbedOptions = {}): number {
    return embedPlan(this.#inference, this.#withDefaults(options)).dim;
  }

  /** What the options leave open is as the model's files say; vectors of single tokens are scaled only on demand. */
  #withDefaults(options: EmbedOptions): EmbedOptions {
    const { pooling = this.embedding.pooling } = options;
    const { normalize = this.embedding.normalize && pooling !== "none" } = options;
    return { ...options, pooling, normalize };
  }

  /**
   * Every token's hidden states from chosen layers, for each text in its order; the last four layers when left out.
   * @throws {ArgumentError} when an option does not fit the model.
   * Source: extract_features.py of google-research/bert.
   */
  features(texts: readonly TextOrPair[], options: FeatureOptions = {}): Promise<TextFeatures[]> {
    return listOf(this.featureStream(texts, options));
  }

  /** As `features`, over a stream of any length. */
  featureStream(texts: Texts<TextOrPair>, options: FeatureOptions = {}): AsyncGenerator<TextFeatures> {
    return featureStream(this.#inference, texts, options);
  }

  /**
   * The words of texts with their offsets and vectors, for each text in its order.
   * @throws {ArgumentError} when an option does not fit the model.
   */
  wordVectors(texts: readonly string[], segmenter: Segmenter, options: WordVectorOptions = {}): Promise<TextWords[]> {
    return listOf(this.wordVectorStream(texts, segmenter, options));
  }

  /** As `wordVectors`, over a stream of any length. */
  wordVectorStream(
    texts: Texts<string>,
    segmenter: Segmenter,
    options: WordVectorOptions = {},
  ): AsyncGenerator<TextWords> {
    return wordVectorStream(this.#inference, texts, segmenter, options);
  }

  /** @throws {ConfigError} when there is nothing of an MLM head; one with gaps is refused by the missing tensor's name. */
  #expectMlmHead(): void {
    const { loaded, missing } = this.report;
    const isOfHead = (name: string) => name.startsWith("cls.predictions.");
    if (!missing.some(isOfHead) || loaded.some(isOfHead)) return;
    throw new ConfigError({
      where: this.#where,
      expected: "an MLM head",
      got: verbatim("a model without one"),
      hint: `zhbert mlm-head ${this.#name} corpus.txt trains one`,
    });
  }

  get #inference(): InferenceModel {
    return { config: this.config, tokenizer: this.tokenizer, programs: this.#programs };
  }

  /** Frees the engine's memory; a later call compiles again. */
  dispose(): Promise<void> {
    return this.#programs.dispose();
  }
}

/** What a model takes of what was loaded. */
export function partsOf({
  config,
  tokenizer,
  named,
  where,
  embedding,
  notes,
}: LoadedModel): Omit<BertModelParts, "runtime"> {
  return { config, tokenizer, weights: named.tensors, where, embedding, notes };
}

/** The files of a model from wherever they come. */
export async function filesOf(origin: ModelOrigin, options: UrlFilesOptions): Promise<ModelFiles> {
  if (origin instanceof ArrayBuffer) return zipFiles(bytesSource("zip download", new Uint8Array(origin)));
  if (origin instanceof Uint8Array) return zipFiles(bytesSource("zip download", origin));
  if (typeof origin !== "string" && !(origin instanceof URL)) return origin;
  const url = String(origin);
  if (url.split(/[?#]/)[0]?.endsWith(".zip")) return zipFiles(bytesSource(url, await fetchBytes(url, options.fetch)));
  return urlFiles(url, options);
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
