/**
 * Plans a pre-training job for a machine: which micro-batches fit into memory, how long each takes, and which is best.
 * Rates are measured elsewhere; here they are scaled by the operations of the real graph.
 */
import type { StepCosts, TrainingMemory } from "./training-cost.ts";
import { trainingMemory } from "./training-cost.ts";

/** Rates of a machine, measured at one length. */
export interface MeasuredRates {
  /** Floating-point operations a second in a layer, and in embeddings and heads. */
  readonly layers: number;
  readonly rest: number;
  /** Seconds for a parameter: the gradient's norm and the optimiser; adding a gradient to sums. */
  readonly update: number;
  readonly accumulate: number;
}

/** The graph's costs at one length, with and without recomputation. */
export interface PhaseCosts {
  readonly seqLength: number;
  readonly plain: LengthCosts;
  readonly recompute: LengthCosts;
}

/** Of the whole model, of its next shorter batches, and of the model without layers. */
export interface LengthCosts {
  readonly all: StepCosts;
  readonly shorter: StepCosts | undefined;
  readonly rest: StepCosts;
}

/** A way to make one update. */
export interface Choice {
  /** Sequences in a micro-batch. */
  readonly batchSize: number;
  readonly gradientAccumulationSteps: number;
  readonly recompute: boolean;
  readonly memory: TrainingMemory;
  readonly fits: boolean;
  readonly secondsPerUpdate: number;
  readonly tokensPerSecond: number;
  /** Operations a second of the matrix products, updates of weights included in the time. */
  readonly productFlopsPerSecond: number;
}

/** What is asked for. */
export interface PhaseRequest {
  readonly costs: PhaseCosts;
  readonly rates: MeasuredRates;
  /** Sequences for one update. */
  readonly sequencesPerUpdate: number;
  /** The process's memory at most. */
  readonly memoryBytes: number;
}

/** Larger micro-batches gain nothing on a processor, and were not measured. */
const MAX_TOKENS = 8192;
/** Choices this close in time count as equal; the one with less memory is taken. */
const EQUAL_TIME = 1.02;

/** Every micro-batch that divides an update, ascending, first without and then with recomputation. */
export function choicesOf(request: PhaseRequest): Choice[] {
  const { sequencesPerUpdate: sequences, costs } = request;
  const largest = Math.max(1, Math.floor(MAX_TOKENS / costs.seqLength));
  const sizes = Array.from({ length: Math.min(sequences, largest) }, (_, i) => i + 1);
  const divisors = sizes.filter((size) => sequences % size === 0);
  return [false, true].flatMap((recompute) => divisors.map((size) => choiceOf(request, size, recompute)));
}

/** The fastest choice that fits, and among equals the smallest; undefined when none fits. */
export function bestChoice(choices: readonly Choice[]): Choice | undefined {
  const fitting = choices.filter(({ fits }) => fits);
  const fastest = Math.min(...fitting.map(({ secondsPerUpdate }) => secondsPerUpdate));
  const equal = fitting.filter(({ secondsPerUpdate }) => secondsPerUpdate <= EQUAL_TIME * fastest);
  return equal.sort((a, b) => a.memory.total - b.memory.total)[0];
}

function choiceOf(request: PhaseRequest, batchSize: number, recompute: boolean): Choice {
  const { costs, rates, sequencesPerUpdate, memoryBytes } = request;
  const { all, shorter, rest } = recompute ? costs.recompute : costs.plain;
  const microBatches = sequencesPerUpdate / batchSize;
  const { parameters } = all;
  const memory = trainingMemory({
    parameters,
    step: all.at(batchSize),
    shorter: shorter?.at(batchSize),
    recompute,
    accumulates: microBatches > 1,
  });
  const { flops, productFlops } = all.at(batchSize);
  const outsideLayers = rest.at(batchSize).flops;
  const computing = (flops - outsideLayers) / rates.layers + outsideLayers / rates.rest;
  const accumulating = microBatches > 1 ? parameters * rates.accumulate : 0;
  const secondsPerUpdate = microBatches * (computing + accumulating) + parameters * rates.update;
  return {
    batchSize,
    gradientAccumulationSteps: microBatches,
    recompute,
    memory,
    fits: memory.total <= memoryBytes,
    secondsPerUpdate,
    tokensPerSecond: (sequencesPerUpdate * costs.seqLength) / secondsPerUpdate,
    productFlopsPerSecond: (microBatches * productFlops) / secondsPerUpdate,
  };
}

/** Updates of the two phases of a job. */
export interface JobUpdates {
  readonly first: number;
  readonly second: number;
}

/**
 * The updates that a number of tokens makes.
 * @param share - of the updates, those at the longer length. @param tokens - of all updates, padding included.
 */
export function updatesForTokens(
  tokens: number,
  sequencesPerUpdate: number,
  lengths: readonly [first: number, second: number],
  share: number,
): JobUpdates {
  const perUpdate = sequencesPerUpdate * ((1 - share) * lengths[0] + share * lengths[1]);
  return splitUpdates(Math.max(1, Math.ceil(tokens / perUpdate)), share);
}

/** Updates by phase. @param share - those at the longer length. */
export function splitUpdates(updates: number, share: number): JobUpdates {
  const second = Math.round(updates * share);
  return { first: updates - second, second };
}
