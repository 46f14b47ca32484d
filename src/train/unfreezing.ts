/** Gradual unfreezing: training begins with the heads and the top layer, and takes in one layer more after each while. */
import type { Frozen, Trainable } from "../model/trainable.ts";
import { isTrainable } from "../model/trainable.ts";
import { timesDue } from "./course.ts";

/** When parts join the training, from the settings alone. */
export interface Unfreezing {
  /** Updates after which one part more is trained; need not be whole. */
  readonly every: number;
  /** Layers of the encoder. */
  readonly layers: number;
  /** What is trained in the end. */
  readonly trainable: Trainable;
}

/**
 * What an update trains: first the heads and the top layer, then each time the layer below, at last the embeddings.
 * @param step - counted from 0.
 * Source: Howard and Ruder 2018, section 3.3.
 */
export function trainableAt({ every, layers, trainable }: Unfreezing, step: number): Trainable {
  if (trainable === "mlm-head") return trainable;
  const last: Frozen = trainable === "all" ? { layers: 0, embeddings: false } : trainable;
  const stage = timesDue(step, every);
  const frozen = { layers: Math.max(last.layers, layers - 1 - stage), embeddings: last.embeddings || stage < layers };
  return frozen.layers === last.layers && frozen.embeddings === last.embeddings ? trainable : frozen;
}

/** The update, counted from 0, at which a parameter's training begins; undefined where it never does. */
export function beginOf(unfreezing: Unfreezing, name: string): number | undefined {
  if (!isTrainable(unfreezing.trainable, name)) return undefined;
  for (let stage = 0; stage <= unfreezing.layers; stage++) {
    const step = Math.ceil(stage * unfreezing.every);
    if (isTrainable(trainableAt(unfreezing, step), name)) return step;
  }
  return 0;
}
