/** The optimisers by name, each with the clipping and the schedule of the program that it comes from. */
import type { NamedTensors } from "../util/tensor.ts";
import { AdamW, type AdamWName } from "./adamw.ts";
import type { ClipRule } from "./clipping.ts";
import { Lamb, type LambName } from "./lamb.ts";
import type { Optimizer, OptimizerOptions } from "./optimizer.ts";
import type { ScheduleName } from "./schedules.ts";

/** The name of an optimiser. */
export type OptimizerName = AdamWName | LambName;

/** What belongs to an optimiser. */
interface Recipe {
  readonly clip: ClipRule;
  readonly schedule: ScheduleName;
  create(weights: NamedTensors, options: OptimizerOptions): Optimizer;
}

const RECIPES: Readonly<Record<OptimizerName, Recipe>> = {
  "adamw-bert": {
    clip: "google",
    schedule: "google",
    create: (weights, options) => new AdamW(weights, { ...options, name: "adamw-bert" }),
  },
  adamw: {
    clip: "pytorch",
    schedule: "linear",
    create: (weights, options) => new AdamW(weights, { ...options, name: "adamw" }),
  },
  lamb: {
    clip: "google",
    schedule: "google",
    create: (weights, options) => new Lamb(weights, { ...options, name: "lamb" }),
  },
  "lamb-nvidia": {
    clip: "google",
    schedule: "google",
    create: (weights, options) => new Lamb(weights, { ...options, name: "lamb-nvidia" }),
  },
};

/** All of them, the default first. */
export const OPTIMIZERS = Object.keys(RECIPES) as readonly OptimizerName[];

/**
 * The optimiser of a name, over weights that it changes in place.
 * @throws {TrainingError} when a weight is not float32.
 */
export function createOptimizer(name: OptimizerName, weights: NamedTensors, options: OptimizerOptions): Optimizer {
  return RECIPES[name].create(weights, options);
}

/** How gradients are clipped in the program that an optimiser comes from. */
export function clipRuleOf(name: OptimizerName): ClipRule {
  return RECIPES[name].clip;
}

/** The schedule of the program that an optimiser comes from. */
export function scheduleOf(name: OptimizerName): ScheduleName {
  return RECIPES[name].schedule;
}
