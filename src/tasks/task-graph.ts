/** The graph of a task: encoder and head with their scores, and where wanted the loss and its gradients. */
import { ArgumentError, verbatim } from "../errors.ts";
import { type Dim, product } from "../graph/dims.ts";
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { add, scale } from "../graph/ops/arithmetic.ts";
import { concat, slice } from "../graph/ops/slice.ts";
import type { BertConfig } from "../model/config.ts";
import { type ModelContext, modelContext } from "../model/context.ts";
import { encoder } from "../model/encoder.ts";
import { pooler } from "../model/heads.ts";
import { initializeParameters } from "../model/initialize.ts";
import { initialLayerMix, mixLayers } from "../model/layer-mix.ts";
import { parameterGradients } from "../model/pretraining.ts";
import type { Trainable } from "../model/trainable.ts";
import type { Random } from "../util/random.ts";
import { hostTensor, type NamedTensors } from "../util/tensor.ts";
import type { AnyTask, HeadInputs, LabelTensors, LossOptions } from "./task.ts";

/** The parts of a task's graph that computes a loss. */
export interface TaskLossOptions extends LossOptions {
  /** Rows of a batch, and tokens of each: numbers where gradients are computed. */
  readonly rows: Dim;
  readonly seqLength: Dim;
  /** Whether the graph also computes the gradient of each parameter of `trainable`. */
  readonly gradients: boolean;
  /** `all` when left out. */
  readonly trainable?: Trainable;
  /** Whether dropout is active; its keep-masks are then inputs. */
  readonly dropout: boolean;
  /** Whether each layer is computed again for its gradient: less memory, about a third more time. */
  readonly recompute?: boolean;
  /**
   * The weight of R-Drop's divergence between two passes of each row under different dropout, which doubles the rows within
   * the graph; `rows` is a number then. None when left out.
   */
  readonly rDropAlpha?: number;
}

/** Rows that only fill a batch have the weight 0 here. */
export const ROW_WEIGHTS = "row_weights";

/**
 * The graph that gives a task's scores.
 *
 * Inputs: every parameter that is needed, by its Hugging Face name; `input_ids`, `token_type_ids`, `attention_mask` (int32
 * [batch * sequencesPerRow, seq]). Outputs: float32 by the names of `scoreAxes`. The axes batch and seq are named: one graph
 * serves all sizes.
 */
export function taskGraph(task: AnyTask, config: BertConfig): Graph {
  const context = modelContext();
  const tokens = tokenInputs(product(["batch", task.sequencesPerRow]), "seq");
  return buildGraph(task.head(headInputs(task, context, config, tokens, { rows: "batch", seq: "seq" })));
}

/**
 * The graph that computes a task's loss.
 *
 * Inputs: as `taskGraph`; the task's label inputs; `row_weights` (float32 [rows]); with dropout one `dropout.<site>` (uint8)
 * for each site. Outputs: `loss` (float32 []); with gradients `grad.<parameter>`, without them the scores too.
 * @throws {ShapeError} when the sequence is longer than the model's positions.
 * Source: R-Drop: Liang et al. 2021, equation 4.
 */
export function taskLossGraph(task: AnyTask, config: BertConfig, options: TaskLossOptions): Graph {
  const { rows, seqLength, rDropAlpha } = options;
  const context = modelContext({ training: options.dropout });
  const given = {
    ...tokenInputs(product([rows, task.sequencesPerRow]), seqLength),
    rowWeights: input(ROW_WEIGHTS, "float32", [rows]),
    labels: labelInputs(task, rows, seqLength),
  };
  const isDoubled = rDropAlpha !== undefined;
  const { labels, rowWeights, ...tokens } = isDoubled ? doubled(given) : given;
  const size = { rows: isDoubled ? product([rows, 2]) : rows, seq: seqLength };
  const head = headInputs(task, context, config, tokens, size, options.recompute ?? false);
  const scores = task.head(head);
  const plain = task.loss(scores, { labels, rowWeights }, options, head);
  const loss = isDoubled ? add(plain, scale(divergenceOf(task, scores, given), rDropAlpha)) : plain;
  const others = options.gradients ? parameterGradients(loss, options.trainable ?? "all") : scores;
  return buildGraph({ loss, ...others });
}

/** Between the first half of the rows and the second. */
function divergenceOf(task: AnyTask, scores: Record<string, Tensor>, labels: LabelTensors): Tensor {
  const halfOf = (half: 0 | 1) =>
    Object.fromEntries(
      Object.entries(scores).map(([name, score]) => {
        const size = Number(score.shape[0]) / 2;
        return [name, slice(score, 0, half * size, size)];
      }),
    );
  if (task.divergence !== undefined) return task.divergence(halfOf(0), halfOf(1), labels);
  throw new ArgumentError({
    where: "R-Drop",
    expected: "a task whose scores are distributions",
    got: verbatim(task.settings.task),
    hint: "train this task without --r-drop",
  });
}

/** The name and shape of every parameter of a task's model, by name. */
export function taskParameterShapes(task: AnyTask, config: BertConfig): Map<string, readonly number[]> {
  const parameters = taskGraph(task, config).inputs.filter(({ parameter }) => parameter);
  return new Map(parameters.map(({ name, shape }) => [name, shape as readonly number[]]));
}

/**
 * A new model's weights for a task: as BERT starts them, unless the task starts them otherwise.
 * @param shapes - the parameters that are wanted; all when left out.
 */
export function initializeTask(
  task: AnyTask,
  config: BertConfig,
  random: Random,
  shapes: ReadonlyMap<string, readonly number[]> = taskParameterShapes(task, config),
): NamedTensors {
  const weights = initializeParameters(shapes, random, config.initializerRange);
  for (const [name, shape] of shapes) {
    const own = task.initialize?.(name, shape, random) ?? initialLayerMix(name, shape);
    if (own !== undefined) weights.set(name, hostTensor("float32", shape, own));
  }
  return weights;
}

interface TokenInputs {
  readonly inputIds: Tensor;
  readonly tokenTypeIds: Tensor;
  readonly attentionMask: Tensor;
}

function tokenInputs(sequences: Dim, seq: Dim): TokenInputs {
  const tokens = (name: string) => input(name, "int32", [sequences, seq]);
  return {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  };
}

function labelInputs({ labelInputs: wanted }: AnyTask, rows: Dim, seq: Dim): Record<string, Tensor> {
  const shapeOf = (axis: "row" | "token" | number) => (axis === "row" ? [rows] : [rows, axis === "token" ? seq : axis]);
  return Object.fromEntries(
    Object.entries(wanted).map(([name, { dtype, axis }]) => [name, input(name, dtype, shapeOf(axis))]),
  );
}

/** All rows, and once more all rows. */
function doubled<T extends TokenInputs & { rowWeights: Tensor; labels: Record<string, Tensor> }>(given: T): T {
  const twice = (x: Tensor) => concat([x, x], 0);
  const labels = Object.fromEntries(Object.entries(given.labels).map(([name, x]) => [name, twice(x)]));
  const { inputIds, tokenTypeIds, attentionMask, rowWeights } = given;
  return {
    ...given,
    inputIds: twice(inputIds),
    tokenTypeIds: twice(tokenTypeIds),
    attentionMask: twice(attentionMask),
    rowWeights: twice(rowWeights),
    labels,
  };
}

interface BatchSize {
  readonly rows: Dim;
  readonly seq: Dim;
}

function headInputs(
  task: AnyTask,
  context: ModelContext,
  config: BertConfig,
  tokens: TokenInputs,
  size: BatchSize,
  recomputeLayers = false,
): HeadInputs {
  return headInputsOver(encoder(context, config, tokens, { recomputeLayers }), task, context, config, tokens, size);
}

/** What a task's head stands on, over hidden states that are there. */
export function headInputsOver(
  hiddenStates: readonly Tensor[],
  task: AnyTask,
  context: ModelContext,
  config: BertConfig,
  { attentionMask, tokenTypeIds }: Omit<TokenInputs, "inputIds">,
  { rows, seq }: BatchSize,
): HeadInputs {
  const sequences = product([rows, task.sequencesPerRow]);
  const sequenceOutput = task.settings.layerMix ? mixLayers(context, hiddenStates) : (hiddenStates.at(-1) as Tensor);
  return {
    context,
    config,
    rows,
    sequences,
    seq,
    hiddenStates,
    sequenceOutput,
    attentionMask,
    tokenTypeIds,
    pooledOutput: () => pooler(context, config, sequenceOutput, sequences, seq),
    dropout: (x) => context.dropout("classifier", x, config.classifierDropout ?? config.hiddenDropoutProb),
  };
}
