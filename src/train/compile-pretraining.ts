/** Binds the model's pre-training graph to an engine: one compiled program for each batch shape and mode. */
import { graphCost } from "../graph/cost.ts";
import type { BertConfig } from "../model/config.ts";
import { DROPOUT_PREFIX } from "../model/context.ts";
import { pretrainingGraph } from "../model/pretraining.ts";
import type { Trainable } from "../model/trainable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { CompileStep } from "./pretraining-step.ts";
import type { DropoutSite } from "./training-step.ts";

/** The parts of the graph that do not depend on the batch. */
export interface CompilePretrainingOptions {
  readonly nextSentence: boolean;
  /** Computes layers again for their gradients: less memory, more time. */
  readonly recompute?: boolean;
  /**
   * What is trained; `all`. Under the head alone the encoder computes as it does in use, without dropout; frozen layers
   * among trained ones keep theirs.
   */
  readonly trainable?: Trainable;
  /**
   * The length of the longest batches. Only training on them keeps its memory between runs: the memory of one program for
   * each length would add up to several times theirs. All programs keep it when left out.
   */
  readonly longest?: number;
}

/** The function that compiles the pre-training graph of a config for a batch shape. */
export function compilePretraining(
  runtime: Runtime,
  config: BertConfig,
  { nextSentence, recompute = false, trainable = "all", longest }: CompilePretrainingOptions,
): CompileStep {
  return async (shape, mode) => {
    const isTraining = mode === "train";
    const graph = pretrainingGraph(config, {
      ...shape,
      nextSentence,
      recompute: recompute && isTraining,
      gradients: isTraining,
      trainable,
      dropout: isTraining && trainable !== "mlm-head",
    });
    const dropoutSites = graph.inputs
      .filter(({ name }) => name.startsWith(DROPOUT_PREFIX))
      .map(
        (input): DropoutSite => ({
          name: input.name,
          shape: input.shape as number[],
          rate: rateOf(input.name, config),
        }),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const keepMemory = longest === undefined || (isTraining && shape.seqLength === longest);
    return { executable: await runtime.compile(graph, { keepMemory }), dropoutSites, flops: graphCost(graph).flops };
  };
}

/** The probabilities of self-attention have a rate of their own. */
function rateOf(site: string, config: BertConfig): number {
  return site.endsWith(".attention.self") ? config.attentionProbsDropoutProb : config.hiddenDropoutProb;
}
