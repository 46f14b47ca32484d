/**
 * What a pre-training step takes, by batch size: operations from the graph itself, and the process's memory from the
 * graph's plan of memory with what the engine and the training loop hold beside it.
 */
import { graphCost } from "../graph/cost.ts";
import type { BertConfig } from "../model/config.ts";
import { pretrainingGraph } from "../model/pretraining.ts";

/** What the graph depends on besides the batch size. */
export interface StepShape {
  readonly seqLength: number;
  /** Slots for masked tokens in a sequence. */
  readonly maxPredictions: number;
  readonly recompute: boolean;
  readonly nextSentence: boolean;
}

/** What one forward and backward pass over a micro-batch takes. */
export interface StepCost {
  readonly flops: number;
  /** The part of them in matrix products. */
  readonly productFlops: number;
  /** The most bytes of inner results that live at once. */
  readonly activationBytes: number;
  /** The batch and the masks of dropout. */
  readonly inputBytes: number;
}

/** The costs of a model's steps. */
export interface StepCosts {
  readonly parameters: number;
  /** @param batchSize - sequences in a micro-batch. */
  at(batchSize: number): StepCost;
}

/** Costs grow with the batch along a line (the peak of memory all but so), which goes through these two. */
const LINE = [8, 32] as const;

/**
 * The costs of pre-training steps of a model, counted on its graph with gradients and dropout.
 * @throws {ShapeError} when the sequence is longer than the model's positions.
 */
export function stepCosts(config: BertConfig, shape: StepShape): StepCosts {
  const [few, many] = LINE.map((batchSize) => countStep(config, { ...shape, batchSize })) as [Counted, Counted];
  const along = (batchSize: number, key: keyof StepCost): number => {
    const slope = (many[key] - few[key]) / (LINE[1] - LINE[0]);
    return few[key] + slope * (batchSize - LINE[0]);
  };
  return {
    parameters: few.parameters,
    at: (batchSize) => ({
      flops: along(batchSize, "flops"),
      productFlops: along(batchSize, "productFlops"),
      activationBytes: along(batchSize, "activationBytes"),
      inputBytes: along(batchSize, "inputBytes"),
    }),
  };
}

interface Counted extends StepCost {
  readonly parameters: number;
}

function countStep(config: BertConfig, shape: StepShape & { readonly batchSize: number }): Counted {
  const graph = pretrainingGraph(config, { ...shape, gradients: true, dropout: true });
  const { nodes, flops, parameters, peakActivationBytes, inputBytes } = graphCost(graph);
  const products = nodes.filter(({ node }) => PRODUCTS.has(node.operator.name));
  const productFlops = products.reduce((sum, node) => sum + node.flops, 0);
  return { parameters, flops, productFlops, activationBytes: peakActivationBytes, inputBytes };
}

const PRODUCTS: ReadonlySet<string> = new Set(["matmul", "gemm"]);

/** The process's memory at its peak, in bytes, by what it is for. */
export interface TrainingMemory {
  /** Node.js, the engine and the program, before there is a model. */
  readonly program: number;
  readonly weights: number;
  readonly gradients: number;
  /** The optimiser's two for each weight. */
  readonly moments: number;
  /** Sums of gradients over micro-batches; 0 without accumulation. */
  readonly accumulation: number;
  /** The batch and the masks of dropout. */
  readonly inputs: number;
  /** What the engine holds for inner results and for copies of the gradients. */
  readonly engine: number;
  /** What the program of the next shorter batches takes beside that of the longest. */
  readonly shorterBatches: number;
  readonly total: number;
}

/** What memory depends on. */
export interface MemoryOptions {
  readonly parameters: number;
  readonly step: StepCost;
  /** Of the next shorter length; undefined when all batches have one length. */
  readonly shorter?: StepCost | undefined;
  readonly recompute: boolean;
  readonly accumulates: boolean;
}

const BYTES = 4;
/** Measured: Node.js 20 with this program and ONNX Runtime loaded. */
const PROGRAM_BYTES = 105e6;
/** Measured: compiled graphs, and garbage that waits for its collection. */
const ENGINE_BYTES = 60e6;
/** Measured: ONNX Runtime copies the gradients that it has written; so much of the copies is there at the peak. */
const GRADIENT_COPIES = 0.73;
/** Measured: the engine's arena for a byte that the graph's plan holds; blocks of unlike sizes leave gaps. */
const ARENA = { plain: 1.41, recompute: 1.74 } as const;
/** Measured: what shorter batches, evaluation and checkpoints add for a byte of theirs, since all programs share an arena. */
const SHORTER = 0.45;

/**
 * The peak memory of a training process with ONNX Runtime.
 * The measured constants hold within 4 % for steps of tiny, rbt3 and base (docs/planning.md).
 */
export function trainingMemory({ parameters, step, shorter, recompute, accumulates }: MemoryOptions): TrainingMemory {
  const weights = parameters * BYTES;
  const arena = step.activationBytes * (recompute ? ARENA.recompute : ARENA.plain);
  const parts = {
    program: PROGRAM_BYTES,
    weights,
    gradients: weights,
    moments: 2 * weights,
    accumulation: accumulates ? weights : 0,
    inputs: step.inputBytes,
    engine: ENGINE_BYTES + GRADIENT_COPIES * weights + arena,
    shorterBatches: SHORTER * (shorter?.activationBytes ?? 0),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}
