/**
 * What a task is: how its examples become rows of a batch, what stands on the encoder, what is optimised, and how scores
 * become predictions and metrics. One file beside this one for each task; `tasks.ts` lists them.
 */
import type { Dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/graph.ts";
import type { BertConfig } from "../model/config.ts";
import type { ModelContext } from "../model/context.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { Random } from "../util/random.ts";
import type { TaskName } from "./datasets/dataset.ts";
import type { Span } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import type { SettingRules } from "./task-settings.ts";

/** What makes a task out of its definition; the content of task.json in a model's folder, as JSON. */
export interface TaskSettings {
  /** The name of the definition. */
  readonly task: string;
  /** Tokens of the longest row, [CLS] and [SEP] included. */
  readonly maxSeqLength: number;
  /** In the order of the scores; tasks without classes have none. */
  readonly labels?: readonly string[];
  /** Whether heads stand on a learned weighted sum of all layers, for an encoder that stays as it is; false when left out. */
  readonly layerMix?: boolean;
  /**
   * What becomes of a single text that is longer than a row, where the whole text has one score: its end is cut off, or its
   * windows are scored and their scores averaged. truncate when left out.
   */
  readonly longTexts?: LongTexts;
}

/** What becomes of texts that are longer than a row. */
export type LongTexts = "truncate" | "windows";

/** What a user may choose of the settings; the rest follows from the examples. */
export type TaskChoices<Settings extends TaskSettings = TaskSettings> = Partial<Omit<Settings, "task">>;

/** A kind of task, before it is known what its labels are. */
export interface TaskDefinition<Example, Prediction, Settings extends TaskSettings = TaskSettings> {
  /** As on the command line: `ner`. */
  readonly name: string;
  /** The kind of labelled data that it learns from: by it files are read. */
  readonly reads: TaskName;
  /** Whether examples without labels can be learned from, too; labels are then needed to measure only. False when left out. */
  readonly learnsWithoutLabels?: boolean;
  /** As in Transformers' `pipeline`: `token-classification`. */
  readonly pipeline: string;
  /** The class of Transformers that a config.json names for such a model: `BertForTokenClassification`. */
  readonly architecture: string;
  /** One line for people. */
  readonly summary: string;
  /** What its settings may be. */
  readonly rules: SettingRules<Settings>;
  /** config.json's `problem_type`, where Transformers tells tasks of one class apart by it. */
  readonly problemType?: string;
  /**
   * Infers what the choices leave open, such as the labels.
   * @throws {DataError} when the examples cannot be learned from: no labels, one class only.
   */
  settle(examples: Iterable<Example>, choices: TaskChoices<Settings>): Settings;
  /**
   * The task of some settings.
   * @throws {ConfigError} when they are not of this task.
   */
  create(settings: Settings): Task<Example, Prediction>;
}

/** A sequence of tokens as the model reads it. */
export interface TokenSequence {
  /** int32 [tokens]. */
  readonly ids: Int32Array;
  /** int32 [tokens]; 0 for A, 1 for B. */
  readonly typeIds: Int32Array;
  /** Which piece of its text stands at position 1, where it is a window of a single text; 0 when left out. */
  readonly firstPiece?: number;
}

/** A row of a batch. */
export interface TaskRow {
  /** As many as the task's `sequencesPerRow`. */
  readonly sequences: readonly TokenSequence[];
  /** By the names of `labelInputs`; undefined where the example is not labelled. */
  readonly labels?: Readonly<Record<string, ArrayLike<number>>>;
}

/** An example as rows; a task keeps what it needs to decode beside them. */
export interface EncodedExample {
  /** At least one. */
  readonly rows: readonly TaskRow[];
  /** Whether tokens were cut off. */
  readonly isTruncated?: boolean;
}

/** What labels a row has under a name, as an input of the graph. */
export interface LabelInput {
  readonly dtype: "int32" | "float32";
  /** One number for a row, [rows]; one for each token, [rows, seq]; or so many for a row, [rows, n]. */
  readonly axis: "row" | "token" | number;
  /** Stands where there is padding, and in rows that only fill a batch. */
  readonly padding: number;
}

/** What a head stands on. */
export interface HeadInputs {
  readonly context: ModelContext;
  readonly config: BertConfig;
  /** Rows of the batch; the encoder sees `sequencesPerRow` times as many sequences, those of a row one after the other. */
  readonly rows: Dim;
  readonly sequences: Dim;
  readonly seq: Dim;
  /** float32 [sequences * seq, hiddenSize] each: the embeddings, then every layer's output. */
  readonly hiddenStates: readonly Tensor[];
  /** float32 [sequences * seq, hiddenSize]; the last layer's, or with `layerMix` the sum of all. */
  readonly sequenceOutput: Tensor;
  /** int32 [sequences, seq]; 1 for tokens. */
  readonly attentionMask: Tensor;
  /** int32 [sequences, seq]. */
  readonly tokenTypeIds: Tensor;
  /** float32 [sequences, hiddenSize]; the pooler is part of the model only where a head asks for it. */
  pooledOutput(): Tensor;
  /** Dropout before the classifier: at config.json's rate for it, or that of the hidden states. */
  dropout(x: Tensor): Tensor;
}

/** How a task's loss may be changed. */
export interface LossOptions {
  /** A factor on the loss of each class, at least 0, in the order of the labels; where labels hold by themselves, of those that do. */
  readonly classWeights?: readonly number[];
  /** In [0, 1): the share of the target that is spread over all classes. */
  readonly labelSmoothing?: number;
  /** The exponent of the focal loss, at least 0: how much what is predicted well already counts less; 0 is cross entropy. */
  readonly focalGamma?: number;
}

/** The labels of a batch within a graph. */
export interface LabelTensors {
  /** By the names of `labelInputs`, with the axes said there. */
  readonly labels: Readonly<Record<string, Tensor>>;
  /** float32 [rows]; 1, or 0 for rows that only fill a batch. */
  readonly rowWeights: Tensor;
}

/** The scores of one row: float32 by output name; of outputs by token [tokens of the row, width], flat. */
export type RowScores = Readonly<Record<string, Float32Array>>;

/** What a prediction got wrong, for people. */
export interface EvaluationError {
  readonly id?: string;
  readonly text: string;
  readonly expected: string;
  readonly predicted: string;
  /** How sure the model was, in [0, 1]. */
  readonly score?: number;
  /** What to highlight in the text. */
  readonly marks?: readonly { readonly span: Span; readonly kind: "expected" | "predicted"; readonly label?: string }[];
}

/** How predictions compare with what was expected. */
export interface Evaluation {
  /** By name; shares in [0, 1]. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of two labels the one that precision, recall, f1 and rocAuc are of: that it is there, and not the other. */
  readonly positiveLabel?: string;
  /** More of them, by class or type. */
  readonly tables?: readonly {
    readonly title: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly (string | number)[])[];
  }[];
  /** counts[expected][predicted]. */
  readonly confusion?: { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] };
  /** The worst first. */
  readonly errors: readonly EvaluationError[];
}

/** A task with its settings: everything that does not need an engine. */
export interface Task<Example, Prediction, Encoded extends EncodedExample = EncodedExample> {
  readonly settings: TaskSettings;
  /** 1; the choices of a question; the texts of a pair that are encoded apart. */
  readonly sequencesPerRow: number;
  readonly labelInputs: Readonly<Record<string, LabelInput>>;
  /** The outputs of `head`: one vector for a row, [rows, width], or one for each token, [rows, seq, width]. */
  readonly scoreAxes: Readonly<Record<string, "row" | "token">>;
  /** The metric that tells which of two models is better. */
  readonly primaryMetric: string;
  /** Whether lower is better; false when left out. */
  readonly isLowerBetter?: boolean;
  /**
   * Lays an example into rows, with labels where it has them.
   * @throws {DataError} when a label is unknown, or the example does not fit the task.
   */
  encode(example: Example, tokenizer: BertTokenizer): Encoded;
  /**
   * Refuses what an example is labelled with where `encode` would, without making tokens of it: so all of a large file are
   * looked at before anything is computed. A task that takes every label has none.
   * @throws {DataError} when the label is unknown, or a number out of range.
   */
  expectLabel?(example: Example): void;
  /** What is trained on where it is not the examples as they are: the texts of pairs one by one, answers that are in their passage. */
  trainingExamples?(examples: readonly Example[]): readonly Example[];
  /** The scores, by output name, with the axes of `scoreAxes`. */
  head(inputs: HeadInputs): Record<string, Tensor>;
  /**
   * What is minimised: float32 [].
   * @param inputs - those that the head was given.
   */
  loss(
    scores: Readonly<Record<string, Tensor>>,
    labels: LabelTensors,
    options: LossOptions,
    inputs: HeadInputs,
  ): Tensor;
  /**
   * How far the scores of the same rows under two dropouts are apart, for R-Drop: float32 []. A task without it cannot be
   * trained so.
   */
  divergence?(
    first: Readonly<Record<string, Tensor>>,
    second: Readonly<Record<string, Tensor>>,
    labels: LabelTensors,
  ): Tensor;
  /** Which numbers of its predictions can be explained. */
  readonly explaining: ExplainedTask<Example, Encoded>;
  /** The first values of a parameter that does not begin as BERT's do; undefined for the others. */
  initialize?(parameter: string, shape: readonly number[], random: Random): Float32Array | undefined;
  /** Small files of the model's folder, by path, for other programs that know such models. */
  modelFiles?(config: BertConfig): Readonly<Record<string, string>>;
  /** @param scores - of each row. */
  decode(example: Example, encoded: Encoded, scores: readonly RowScores[]): Prediction;
  /** What `predict --json` prints of an example and its prediction. */
  result(example: Example, prediction: Prediction): Readonly<Record<string, unknown>>;
  /**
   * Compares predictions with the labels of their examples.
   * @throws {DataError} when there are no examples, or they have no labels. @throws {ArgumentError} when there are not as many
   * predictions.
   */
  evaluate(examples: readonly Example[], predictions: readonly Prediction[]): Evaluation;
  /**
   * Where the primary metric is an F1 over spans: how many of each example are right, were predicted, and are true; by these
   * two models are compared on the same examples.
   */
  spanCounts?(examples: readonly Example[], predictions: readonly Prediction[]): readonly SpanCounts[];
}

/** Of one example. */
export type SpanCounts = readonly [right: number, predicted: number, expected: number];

/** A task of any kind, for code that only passes examples and predictions on. */
// biome-ignore lint/suspicious/noExplicitAny: examples and predictions of a task belong together, whatever they are
export type AnyTask = Task<any, any, any>;
/** A definition of any kind. */
// biome-ignore lint/suspicious/noExplicitAny: likewise
export type AnyTaskDefinition = TaskDefinition<any, any, any>;
