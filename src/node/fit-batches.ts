/** The micro-batches that make an update of so many sequences on this machine, by its memory; nothing is measured. */
import type { BertConfig } from "../model/config.ts";
import { bestChoice, type Choice, choicesOf, type MeasuredRates } from "../report/training-plan.ts";
import { costsOf, machineMemory } from "./plan-training.ts";

/** A phase as its data have it. */
export interface PhaseShape {
  readonly seqLength: number;
  readonly maxPredictions: number;
  /** For one update. */
  readonly sequences: number;
}

/** A way for each phase, all of them with recomputation or without. */
export interface FittedBatches {
  readonly phases: readonly Choice[];
  readonly recompute: boolean;
  readonly memoryBytes: number;
}

/**
 * Rates of no machine in particular, which only weigh computing against adding up gradients: operations a second, and
 * seconds for a parameter.
 */
const USUAL_RATES: MeasuredRates = { layers: 1e11, rest: 1e11, update: 2e-9, accumulate: 1e-9 };

/**
 * The best ways that fit into memory.
 * @param options.recompute - layers again for their gradients; without it only where nothing else fits.
 * @returns undefined when not even one sequence fits.
 */
export function fitBatches(
  config: BertConfig,
  phases: readonly PhaseShape[],
  options: { readonly nextSentence: boolean; readonly recompute?: boolean; readonly memoryBytes?: number },
): FittedBatches | undefined {
  const { nextSentence, memoryBytes = machineMemory() } = options;
  const choices = phases.map(({ seqLength, maxPredictions, sequences }) => {
    const costs = costsOf({ config, nextSentence, maxPredictions }, seqLength);
    return choicesOf({ costs, rates: USUAL_RATES, sequencesPerUpdate: sequences, memoryBytes });
  });
  for (const recompute of options.recompute === true ? [true] : [false, true]) {
    const best = choices.map((ways) => bestChoice(ways.filter((way) => way.recompute === recompute)));
    if (best.every((way) => way !== undefined)) return { phases: best, recompute, memoryBytes };
  }
  return undefined;
}
