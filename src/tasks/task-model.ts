/** A fine-tuned model: weights, tokenizer, engine and task together, ready to predict. */
import type { LazyTensors } from "../checkpoint/format.ts";
import type { Graph } from "../graph/graph.ts";
import { ModelPrograms } from "../inference/programs.ts";
import type { BertConfig } from "../model/config.ts";
import { expectNoFurtherLayers, expectVocabularySize, type WeightsReport } from "../model/match-weights.ts";
import { matchInferenceWeights } from "../model/quantized-weights.ts";
import type { Executable, Runtime } from "../runtime/runtime.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { type PredictOptions, predictExamples } from "./predict-examples.ts";
import type { EncodedExample, RowScores, Task, TaskRow } from "./task.ts";
import { scoresByRow, scoringBatch } from "./task-batch.ts";
import { taskGraph, taskParameterShapes } from "./task-graph.ts";

/** What a fine-tuned model is made of. */
export interface TaskModelParts<Example, Prediction> {
  readonly task: Task<Example, Prediction>;
  readonly config: BertConfig;
  /** Under Hugging Face's names. */
  readonly weights: LazyTensors;
  readonly tokenizer: BertTokenizer;
  readonly runtime: Runtime;
  /** Where the weights are from, for messages. */
  readonly where?: string;
}

/** A model that predicts. */
export class TaskModel<Example, Prediction> {
  readonly task: Task<Example, Prediction>;
  readonly config: BertConfig;
  readonly tokenizer: BertTokenizer;
  /** Which of the file's weights are used, missing and left over. */
  readonly report: WeightsReport;
  readonly #programs: ModelPrograms;

  /** @throws {ConfigError} when a tensor's shape or the number of layers contradicts the config, or the vocabulary has another size. */
  constructor({ task, config, weights, tokenizer, runtime, where = "weights" }: TaskModelParts<Example, Prediction>) {
    expectVocabularySize(config, tokenizer.vocabulary.size, where);
    const matched = matchInferenceWeights(weights, taskParameterShapes(task, config), where, config.quantization);
    expectNoFurtherLayers(matched.report, config, where);
    this.task = task;
    this.config = config;
    this.tokenizer = tokenizer;
    this.report = matched.report;
    this.#programs = new ModelPrograms({ config, ...matched, runtime, where });
  }

  /**
   * The predictions for examples, in their order, over a list or a stream of any length.
   * @throws {ConfigError} when the model has no weights for the task's head.
   * @throws {DataError} when an example does not fit the task.
   */
  async *predict(
    examples: Iterable<Example> | AsyncIterable<Example>,
    options: PredictOptions = {},
  ): AsyncGenerator<Prediction> {
    yield* this.#decoded(this.task, examples, options);
  }

  /** Like `predict`, with what `decode` makes of the scores of an example's rows. */
  async *decodeBy<T>(
    decode: (scores: readonly RowScores[]) => T,
    examples: Iterable<Example> | AsyncIterable<Example>,
    options: PredictOptions = {},
  ): AsyncGenerator<T> {
    const { task } = this;
    const other = {
      scoreAxes: task.scoreAxes,
      encode: (example: Example, tokenizer: BertTokenizer) => task.encode(example, tokenizer),
      decode: (_: Example, __: EncodedExample, scores: readonly RowScores[]) => decode(scores),
    };
    yield* this.#decoded(other, examples, options);
  }

  async *#decoded<T>(
    task: Pick<Task<Example, T>, "encode" | "decode" | "scoreAxes">,
    examples: Iterable<Example> | AsyncIterable<Example>,
    options: PredictOptions,
  ): AsyncGenerator<T> {
    const program = await this.#scoring();
    yield* predictExamples(task, this.tokenizer, program, examples, options);
  }

  /** The scores of an example's rows, one after the other. */
  async scores(rows: readonly TaskRow[]): Promise<RowScores[]> {
    const program = await this.#scoring();
    const scores: RowScores[] = [];
    for (const row of rows) {
      const batch = scoringBatch([row]);
      scores.push(...scoresByRow(this.task, [row], batch, await program.run(batch.inputs)));
    }
    return scores;
  }

  #scoring(): Promise<Executable> {
    return this.#programs.get(`task ${this.task.settings.task}`, (config) => taskGraph(this.task, config));
  }

  /**
   * The program of a graph over the model's weights, for what is no prediction.
   * @param key - tells graphs of this model apart.
   * @throws {ConfigError} when the model has no weights for a part of the graph.
   */
  program(key: string, build: (config: BertConfig) => Graph): Promise<Executable> {
    return this.#programs.get(key, build);
  }

  /** Frees the engine's memory; a later call compiles again. */
  dispose(): Promise<void> {
    return this.#programs.dispose();
  }
}
