/** Published recipes of pre-training by name: what they are made of, and how one is found. */
import { ArgumentError, nearest } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import type { OptimizerName } from "./optimizers.ts";
import { presets } from "./preset-table.ts";
import type { ScheduleName } from "./schedules.ts";

export { presets };

/** A value, and where it is published or why it was assumed. */
export type Sourced<T> = readonly [value: T, source: string];

/** The options of making data, as the command line names them. */
export interface PresetData {
  readonly masking?: Sourced<string>;
  readonly ngramWeights?: Sourced<readonly number[]>;
  /** What becomes of chosen tokens, where it is the way of masking itself that says so. */
  readonly mixing?: Sourced<string>;
  readonly maskedLmProb?: Sourced<number>;
  readonly maxSeqLength?: Sourced<number>;
  readonly maxPredictionsPerSeq?: Sourced<number>;
  readonly shortSeqProb?: Sourced<number>;
  readonly dupeFactor?: Sourced<number>;
  readonly sentenceTask?: Sourced<"nsp" | "sop" | "none">;
  readonly crossDocuments?: Sourced<boolean>;
}

/** The options of training; by steps or by hours. */
export interface PresetTraining {
  /** A built-in size, or one of {@link presetSizes}. */
  readonly config?: Sourced<string>;
  readonly init?: Sourced<string>;
  readonly optimizer?: Sourced<OptimizerName>;
  readonly weightDecay?: Sourced<number>;
  readonly beta1?: Sourced<number>;
  readonly beta2?: Sourced<number>;
  readonly epsilon?: Sourced<number>;
  readonly maxGradientNorm?: Sourced<number>;
  readonly schedule?: Sourced<ScheduleName>;
  readonly schedulePower?: Sourced<number>;
  readonly learningRate?: Sourced<number>;
  readonly dropout?: Sourced<number>;
  readonly batchRamp?: Sourced<number>;
  readonly dynamicMasking?: Sourced<boolean>;
  readonly steps?: Sourced<number>;
  readonly hours?: Sourced<number>;
  readonly warmupSteps?: Sourced<number>;
  /** Of the steps or hours. */
  readonly warmupShare?: Sourced<number>;
  /** Sequences for one update. */
  readonly sequences?: Sourced<number>;
  readonly second?: PresetSecondPhase;
}

/** What the second phase has otherwise; without a learning rate the one schedule spans both. */
export interface PresetSecondPhase {
  readonly steps: Sourced<number>;
  readonly sequences: Sourced<number>;
  readonly learningRate?: Sourced<number>;
  readonly warmupShare?: Sourced<number>;
}

/** A published recipe. */
export interface Preset {
  readonly name: string;
  readonly title: string;
  /** The paper or repository. */
  readonly reference: string;
  readonly data: PresetData;
  /** What the data of the second phase have otherwise. */
  readonly secondData?: Pick<PresetData, "maxSeqLength" | "maxPredictionsPerSeq">;
  readonly pretrain: PresetTraining;
  /** The model has the first layers of a deeper one that it starts from. */
  readonly takesFirstLayers?: boolean;
  /** What is not as its authors had it. */
  readonly differences: readonly string[];
}

/** Sizes of recipes that no built-in one has. Sources: as the recipes' configs. */
export const presetSizes: Readonly<Record<string, Partial<BertConfig>>> = {
  "minirbt-h256": { hiddenSize: 256, numHiddenLayers: 6, numAttentionHeads: 8, intermediateSize: 1024 },
  cramming: { hiddenSize: 768, numHiddenLayers: 16, numAttentionHeads: 12, intermediateSize: 3072 },
};

/** The recipe of a name. @throws {ArgumentError} that names the nearest one. */
export function findPreset(name: string): Preset {
  const found = presets.find((preset) => preset.name === name.toLowerCase());
  if (found !== undefined) return found;
  const names = presets.map((preset) => preset.name);
  const near = nearest(name.toLowerCase(), names);
  throw new ArgumentError({
    where: "preset",
    expected: `one of ${names.join(", ")}`,
    got: name,
    hint: near === undefined ? "--preset list shows them" : `did you mean ${near}?`,
  });
}
