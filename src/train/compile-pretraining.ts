/** Binds the model's pre-training graph to an engine: one compiled program for each batch shape and mode. */
import type { BertConfig } from "../model/config.ts";
import { pretrainingGraph } from "../model/pretraining.ts";
import type { Trainable } from "../model/trainable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { compileStep } from "./compile-step.ts";
import type { CompileStep } from "./pretraining-step.ts";

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
   * The length of the longest batches. Where programs do not share memory, only training on them keeps it between runs: that of
   * one program for each length would add up to several times theirs. All programs keep it when left out.
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
    const keepMemory = longest === undefined || (isTraining && shape.seqLength === longest);
    return compileStep(runtime, graph, keepMemory);
  };
}
