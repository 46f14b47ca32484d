/** Plans a pre-training job on this machine: the graph's costs, rates measured in seconds, and what fits into memory. */
import { totalmem } from "node:os";
import { defaultBucketWidth } from "../data/bucket-plan.ts";
import { ArgumentError, verbatim } from "../errors.ts";
import { type BertConfig, type BuiltinSize, builtinConfig, builtinSizes } from "../model/config.ts";
import { type StepShape, stepCosts, trainingMemory } from "../report/training-cost.ts";
import {
  bestChoice,
  type Choice,
  choicesOf,
  type JobUpdates,
  type LengthCosts,
  type MeasuredRates,
  type PhaseCosts,
  splitUpdates,
  updatesForTokens,
} from "../report/training-plan.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { OptimizerName } from "../train/optimizers.ts";
import { measureMachinePeak } from "./machine-peak.ts";
import { measureRates } from "./plan-rates.ts";

/** What a job is to be. */
export interface PlanTrainingOptions {
  readonly config: BertConfig;
  readonly runtime: Runtime;
  /** Sequences for one update. */
  readonly sequencesPerUpdate: number;
  readonly seqLength: number;
  /** Masked tokens in a sequence; 15 % of its length when left out. */
  readonly maxPredictions?: number;
  /** Updates; or tokens of all updates, padding included; or hours, without a second phase. */
  readonly amount: { readonly updates: number } | { readonly tokens: number } | { readonly hours: number };
  /** A second phase at another length; its share of the updates. What is not given is as in the first. */
  readonly second?: {
    readonly seqLength: number;
    readonly share: number;
    readonly sequencesPerUpdate?: number;
    readonly maxPredictions?: number;
  };
  readonly nextSentence: boolean;
  readonly optimizer: OptimizerName;
  /** The process's memory at most; that of the machine when left out. */
  readonly memoryBytes?: number;
}

/** A part of a job at one length. */
export interface PlannedPhase {
  readonly seqLength: number;
  readonly updates: number;
  readonly tokens: number;
  readonly rates: MeasuredRates;
  readonly choices: readonly Choice[];
  readonly best: Choice;
  /** With the best choice. */
  readonly seconds: number;
}

/** A model or length that would fit. */
export interface Alternative {
  readonly what: string;
  readonly memoryBytes: number;
}

/** A job on this machine. */
export interface PlannedJob {
  readonly parameters: number;
  /** Floating-point operations a second of large matrix products; undefined when the job does not fit. */
  readonly machinePeak: number | undefined;
  readonly memoryBytes: number;
  /** The least that the job takes: sequence by sequence, with recomputation. */
  readonly leastMemoryBytes: number;
  /** None when the job does not fit. */
  readonly phases: readonly PlannedPhase[];
  readonly seconds: number | undefined;
  /** When the job does not fit: what does in its stead. */
  readonly alternatives: readonly Alternative[];
}

/** The share of a sequence that is masked, by which the slots for it are planned. */
const MASKED_SHARE = 0.15;

/**
 * Measures this machine for some seconds and plans a job on it.
 * @throws {ArgumentError} when a length is beyond the model's positions.
 */
export async function planTraining(options: PlanTrainingOptions): Promise<PlannedJob> {
  const { config, runtime, second, memoryBytes = machineMemory() } = options;
  const lengths = [options.seqLength, ...(second === undefined ? [] : [second.seqLength])];
  for (const length of lengths) expectPositions(config, length);
  const { sequencesPerUpdate = options.sequencesPerUpdate, maxPredictions = options.maxPredictions } = second ?? {};
  const asSecond = { ...options, sequencesPerUpdate, ...(maxPredictions === undefined ? {} : { maxPredictions }) };
  const costs = lengths.map((length, i) => costsOf(i === 0 ? options : asSecond, length));
  const { parameters } = (costs[0] as PhaseCosts).plain.all;
  const leastMemoryBytes = Math.max(...costs.map((one) => leastMemory(one, options.sequencesPerUpdate > 1)));
  const known = { parameters, memoryBytes, leastMemoryBytes };
  if (leastMemoryBytes > memoryBytes) {
    const alternatives = alternativesOf(options, Math.max(...lengths), memoryBytes);
    return { ...known, machinePeak: undefined, phases: [], seconds: undefined, alternatives };
  }
  const updates = updatesOf(options);
  const peakBefore = await measureMachinePeak(runtime);
  const measured: MeasuredPhase[] = [];
  for (const [i, one] of costs.entries()) {
    const [phase, count] = i === 0 ? [options, updates.first] : [asSecond, updates.second];
    measured.push(await measurePhase(phase, one, count, memoryBytes));
  }
  // Twice, seconds apart: other programs have their moments.
  const machinePeak = Math.max(peakBefore, await measureMachinePeak(runtime));
  // One run either recomputes or does not. With recomputation all fit: that was looked at before anything was measured.
  const ways = [false, true].flatMap((recompute) => {
    const phases = measured.map((phase) => withBest(phase, recompute));
    if (!phases.every((phase) => phase !== undefined)) return [];
    return [{ phases, seconds: phases.reduce((sum, phase) => sum + phase.seconds, 0) }];
  });
  const fastest = ways.reduce((best, way) => (way.seconds < best.seconds ? way : best));
  const within = "hours" in options.amount ? inHours(fastest.phases, options.amount.hours) : fastest;
  return { ...known, machinePeak, ...within, alternatives: [] };
}

/** As many updates as the hours have room for. */
function inHours(phases: readonly PlannedPhase[], hours: number) {
  const seconds = 3600 * hours;
  const filled = phases.map((phase) => {
    const updates = Math.max(1, Math.floor(seconds / phase.best.secondsPerUpdate));
    return { ...phase, updates, tokens: (phase.tokens / phase.updates) * updates, seconds };
  });
  return { phases: filled, seconds };
}

function updatesOf({ amount, sequencesPerUpdate, seqLength, second }: PlanTrainingOptions): JobUpdates {
  const share = second?.share ?? 0;
  if ("updates" in amount) return splitUpdates(amount.updates, share);
  // One, until it is known how long it takes.
  if ("hours" in amount) return splitUpdates(1, 0);
  return updatesForTokens(amount.tokens, sequencesPerUpdate, [seqLength, second?.seqLength ?? seqLength], share);
}

async function measurePhase(
  options: PlanTrainingOptions,
  costs: PhaseCosts,
  updates: number,
  memoryBytes: number,
): Promise<MeasuredPhase> {
  const { config, runtime, nextSentence, optimizer, sequencesPerUpdate } = options;
  const { seqLength } = costs;
  const maxPredictions = predictionsOf(options, seqLength);
  const rates = await measureRates(runtime, {
    config,
    seqLength,
    maxPredictions,
    nextSentence,
    optimizer,
    costOf: (numHiddenLayers, batchSize) =>
      stepCosts({ ...config, numHiddenLayers }, { seqLength, maxPredictions, nextSentence, recompute: false }).at(
        batchSize,
      ),
  });
  const choices = choicesOf({ costs, rates, sequencesPerUpdate, memoryBytes });
  return { seqLength, updates, tokens: updates * sequencesPerUpdate * seqLength, rates, choices };
}

type MeasuredPhase = Omit<PlannedPhase, "best" | "seconds">;

/** With the best choice of those with or without recomputation; undefined when none fits. */
function withBest(phase: MeasuredPhase, recompute: boolean): PlannedPhase | undefined {
  const best = bestChoice(phase.choices.filter((choice) => choice.recompute === recompute));
  return best && { ...phase, best, seconds: phase.updates * best.secondsPerUpdate };
}

/** The costs of a phase, counted on the graph. */
export function costsOf(
  options: Pick<PlanTrainingOptions, "config" | "nextSentence" | "maxPredictions">,
  seqLength: number,
): PhaseCosts {
  const { config, nextSentence } = options;
  const costs = (layers: number, length: number, recompute: boolean) => {
    const shape: StepShape = {
      seqLength: length,
      maxPredictions: predictionsOf(options, length),
      nextSentence,
      recompute,
    };
    return stepCosts({ ...config, numHiddenLayers: layers }, shape);
  };
  const shorter = seqLength - defaultBucketWidth(seqLength);
  const lengthCosts = (recompute: boolean): LengthCosts => ({
    all: costs(config.numHiddenLayers, seqLength, recompute),
    shorter: shorter > 0 ? costs(config.numHiddenLayers, shorter, recompute) : undefined,
    rest: costs(0, seqLength, recompute),
  });
  return { seqLength, plain: lengthCosts(false), recompute: lengthCosts(true) };
}

/** Sequence by sequence, with recomputation. */
function leastMemory({ recompute: { all, shorter } }: PhaseCosts, accumulates: boolean): number {
  const { parameters } = all;
  return trainingMemory({ parameters, step: all.at(1), shorter: shorter?.at(1), recompute: true, accumulates }).total;
}

function predictionsOf({ maxPredictions }: Pick<PlanTrainingOptions, "maxPredictions">, seqLength: number): number {
  return maxPredictions ?? Math.ceil(MASKED_SHARE * seqLength);
}

/** Half the length, and half of that, and the built-in sizes, each at one sequence and with recomputation. */
function alternativesOf(options: PlanTrainingOptions, seqLength: number, memoryBytes: number): Alternative[] {
  const { config } = options;
  const needed = (model: BertConfig, length: number) =>
    leastMemory(costsOf({ ...options, config: model }, length), options.sequencesPerUpdate > 1);
  const shorter = [seqLength / 2, seqLength / 4].map(Math.floor).filter((length) => length >= 32);
  const sizes = (Object.keys(builtinSizes) as BuiltinSize[]).reverse();
  return [
    ...shorter.map((length) => ({ what: `sequences of ${length}`, memoryBytes: needed(config, length) })),
    ...sizes.map((size) => ({
      what: `the size ${size}`,
      memoryBytes: needed(builtinConfig(size, config.vocabSize), Math.min(seqLength, 512)),
    })),
  ].filter((one) => one.memoryBytes <= memoryBytes);
}

function expectPositions(config: BertConfig, seqLength: number): void {
  if (seqLength <= config.maxPositionEmbeddings) return;
  throw new ArgumentError({
    where: "plan: sequence length",
    expected: `at most the model's ${config.maxPositionEmbeddings} positions`,
    got: verbatim(String(seqLength)),
  });
}

/** The memory that this process may use: the machine's, or less where a container limits it. */
export function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
