/** The pipelines by name: what each takes and gives, as users of Transformers and transformers.js know it. */
import type { PoolingStrategy } from "../../inference/pooling.ts";
import type { TextOrPair } from "../../inference/token-rows.ts";
import type { ScoredChoice } from "../choice.ts";
import type { AggregationStrategy } from "../ner/aggregation.ts";
import type { FoundEntity } from "../ner/ner-decode.ts";
import type { ScoredLabel } from "../sequence-task.ts";
import type { AttentionMaps } from "./attention.ts";
import type { ExplainOptions, Explanation } from "./explain.ts";

/** How a call is worked through. */
export interface CallOptions {
  /** Aborts between batches, with its reason. */
  readonly signal?: AbortSignal;
  /** The most tokens of one run of the model, padding included; 1024. */
  readonly batchTokens?: number;
}

/** What every pipeline has beside its call. */
export interface PipelineBase<Name extends string> {
  readonly task: Name;
  /** Frees the engine's memory. */
  dispose(): Promise<void>;
}

/** What the pipelines of fine-tuned models can say of how a result came about. */
export interface Explainable<Input, Result = Explanation> {
  /** What each character adds to the score of what is predicted, or of a label that is named, by integrated gradients. */
  explain(input: Input, options?: ExplainOptions): Promise<Result>;
  /** Where each layer and head attends, for each sequence that the model reads. */
  attention(input: Input): Promise<readonly AttentionMaps[]>;
}

/** Two texts that enter the model together. */
export type PairInput =
  | readonly [text: string, textPair: string]
  | { readonly text: string; readonly textPair: string }
  | { readonly text: string; readonly text_pair: string };

/** A text, or two. */
export type TextInput = string | { readonly text: string } | PairInput;

/** How texts are classified. */
export interface ClassificationOptions extends CallOptions {
  /** The likeliest labels, that many; 1, and all for models of several labels at once. `null` or Infinity gives all. */
  readonly topK?: number | null;
}

/** Labels with their probabilities, the likeliest first; of a regression one label with the number itself. A list of two texts is two texts: pairs are objects, or lists in a list. */
export interface TextClassificationPipeline extends PipelineBase<"text-classification">, Explainable<TextInput> {
  (text: Exclude<TextInput, readonly unknown[]>, options?: ClassificationOptions): Promise<ScoredLabel[]>;
  (texts: readonly TextInput[], options?: ClassificationOptions): Promise<ScoredLabel[][]>;
}

/** How labels that no model was trained for are told. */
export interface ZeroShotOptions extends CallOptions {
  /** A sentence about a label, `{}` standing for it; `这段文字是关于{}的。`. */
  readonly hypothesisTemplate?: string;
  /** Whether several labels may hold, each with a probability of its own; false. */
  readonly multiLabel?: boolean;
  /** The model's label for "follows from the text", where it is not called entailment. */
  readonly entailment?: string;
}

/** Labels, the likeliest first, under the names that Transformers gives its fields. */
export interface ZeroShotResult {
  readonly sequence: string;
  readonly labels: readonly string[];
  /** Of each label, in [0, 1]; they sum to 1, unless several labels may hold. */
  readonly scores: readonly number[];
}

/** Any labels, by a model of inference (OCNLI, XNLI); a list of labels, or one text with commas between. */
export interface ZeroShotClassificationPipeline extends PipelineBase<"zero-shot-classification"> {
  (text: string, labels: string | readonly string[], options?: ZeroShotOptions): Promise<ZeroShotResult>;
  (texts: readonly string[], labels: string | readonly string[], options?: ZeroShotOptions): Promise<ZeroShotResult[]>;
}

/** How entities are put together. */
export interface TokenClassificationOptions extends CallOptions {
  /**
   * `simple` when left out: whole entities. `none` gives every unit (character) whose tag is not O, by its tag; first, average
   * and max give words of several units one tag first.
   */
  readonly aggregationStrategy?: AggregationStrategy;
}

/** Entities with UTF-16 offsets in the text; an explanation for each whole entity. */
export interface TokenClassificationPipeline
  extends PipelineBase<"token-classification">,
    Explainable<string, readonly Explanation[]> {
  (text: string, options?: TokenClassificationOptions): Promise<FoundEntity[]>;
  (texts: readonly string[], options?: TokenClassificationOptions): Promise<FoundEntity[][]>;
}

/** A question and the passage to answer it from; passages of any length. */
export interface QuestionInput {
  readonly id?: string;
  readonly question: string;
  readonly context: string;
}

/** An answer as it stands in the passage: `context.slice(start, end)`; empty where there is none in it. */
export interface AnswerSpan {
  readonly answer: string;
  /** UTF-16 offsets in the passage. */
  readonly start: number;
  readonly end: number;
  /** The probability among the best answers, in [0, 1]. */
  readonly score: number;
}

/** How questions are answered. */
export interface QuestionAnsweringOptions extends CallOptions {
  /** The best answers, that many; a list is given then. */
  readonly topK?: number;
}

/** The best answer to a question, or the best ones. */
export interface QuestionAnsweringPipeline extends PipelineBase<"question-answering">, Explainable<QuestionInput> {
  (question: string, context: string, options?: CallOptions): Promise<AnswerSpan>;
  (
    question: string,
    context: string,
    options: QuestionAnsweringOptions & { readonly topK: number },
  ): Promise<AnswerSpan[]>;
  (input: QuestionInput, options?: CallOptions): Promise<AnswerSpan>;
  (input: QuestionInput, options: QuestionAnsweringOptions & { readonly topK: number }): Promise<AnswerSpan[]>;
  (inputs: readonly QuestionInput[], options?: CallOptions): Promise<AnswerSpan[]>;
  (
    inputs: readonly QuestionInput[],
    options: QuestionAnsweringOptions & { readonly topK: number },
  ): Promise<AnswerSpan[][]>;
}

/** A filled [MASK], under the names that Transformers gives its fields. */
export interface FilledMask {
  readonly score: number;
  /** The id of the vocabulary entry; of the first one, where a word of several was asked for. */
  readonly token: number;
  readonly token_str: string;
  /** The text with this mask filled; further masks stay. No spaces are put between characters. */
  readonly sequence: string;
}

/** How masks are filled. */
export interface FillMaskCallOptions {
  /** Entries for each mask; 5. */
  readonly topK?: number;
  /** Fills in these words only. */
  readonly targets?: readonly string[];
}

/** The likeliest entries of a text with one [MASK]; of several, a list for each. */
export interface FillMaskPipeline extends PipelineBase<"fill-mask"> {
  (text: string, options?: FillMaskCallOptions): Promise<FilledMask[] | FilledMask[][]>;
  (texts: readonly string[], options?: FillMaskCallOptions): Promise<(FilledMask[] | FilledMask[][])[]>;
}

/** Which vectors are taken of a text. */
export interface FeatureExtractionOptions extends CallOptions {
  /** `none` when left out: each token's vector. */
  readonly pooling?: PoolingStrategy;
  /** Scales each vector to length 1; false. */
  readonly normalize?: boolean;
  /** 0 is the embeddings, -1 the last layer; -1. */
  readonly layers?: readonly number[];
}

/** Vectors as transformers.js gives them. */
export interface FeatureTensor {
  readonly type: "float32";
  /** [texts, tokens, hidden], shorter texts with zeros behind them; with pooling [texts, dim]. */
  readonly dims: readonly number[];
  readonly data: Float32Array;
  /** As nested lists. */
  tolist(): unknown[];
}

/** Vectors of tokens or of texts. */
export interface FeatureExtractionPipeline extends PipelineBase<"feature-extraction"> {
  (texts: TextOrPair | readonly string[], options?: FeatureExtractionOptions): Promise<FeatureTensor>;
}

/** A question with answers to choose from. */
export interface ChoiceInput {
  readonly context?: string;
  readonly question: string;
  readonly choices: readonly string[];
}

/** The choices of a question, the likeliest first. */
export interface MultipleChoicePipeline extends PipelineBase<"multiple-choice">, Explainable<ChoiceInput> {
  (input: ChoiceInput, options?: CallOptions): Promise<ScoredChoice[]>;
  (inputs: readonly ChoiceInput[], options?: CallOptions): Promise<ScoredChoice[][]>;
}

/** How alike the texts of a pair are; a model that was fine-tuned for nothing refuses to explain it. */
export interface TextSimilarityPipeline extends PipelineBase<"text-similarity">, Explainable<PairInput> {
  (text: string, textPair: string, options?: CallOptions): Promise<{ readonly score: number }>;
  (pairs: readonly PairInput[], options?: CallOptions): Promise<{ readonly score: number }[]>;
}

/** The pipelines by their names and by the other names that Transformers knows. */
export interface Pipelines {
  readonly "text-classification": TextClassificationPipeline;
  readonly "sentiment-analysis": TextClassificationPipeline;
  readonly "token-classification": TokenClassificationPipeline;
  readonly ner: TokenClassificationPipeline;
  readonly "question-answering": QuestionAnsweringPipeline;
  readonly "fill-mask": FillMaskPipeline;
  readonly "feature-extraction": FeatureExtractionPipeline;
  readonly "multiple-choice": MultipleChoicePipeline;
  readonly "zero-shot-classification": ZeroShotClassificationPipeline;
  readonly "text-similarity": TextSimilarityPipeline;
  readonly "sentence-similarity": TextSimilarityPipeline;
}

/** The name of a pipeline. */
export type PipelineName = keyof Pipelines;
