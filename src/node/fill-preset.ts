/** A published recipe with what was said otherwise: the options of a run, and how it differs from the recipe. */
import type { GenerationSettings } from "../data/dataset.ts";
import type { ShardSettings } from "../data/shards.ts";
import { UsageError, verbatim } from "../errors.ts";
import type { Preset, PresetData, Sourced } from "../train/presets.ts";
import { openDataset } from "./dataset.ts";
import { type FittedBatches, fitBatches, type PhaseShape } from "./fit-batches.ts";
import { resolveConfig } from "./model-files.ts";
import type { PretrainOptions } from "./pretrain.ts";
import type { SecondPhaseChoices } from "./pretraining-plan.ts";

/** What may be said of a run beside its recipe; a second phase may have its data alone. */
export type GivenPretraining = Omit<PretrainOptions, "secondPhase"> & {
  readonly secondPhase?: Partial<SecondPhaseChoices>;
};

/** The options of a run. */
export interface FilledPretraining {
  readonly choices: PretrainOptions;
  /** Undefined when the batches were given, or none fits. */
  readonly fitted: FittedBatches | undefined;
  /** What is not as published, by what was asked for or by what the data are. */
  readonly deviations: readonly string[];
}

/** What the recipe says of an option of the run, by the same name. */
const SAME = [
  "optimizer",
  "weightDecay",
  "beta1",
  "beta2",
  "epsilon",
  "maxGradientNorm",
  "schedule",
  "schedulePower",
  "learningRate",
  "dropout",
  "batchRamp",
  "dynamicMasking",
] as const;

/** A value without its source. */
export function published<T>(sourced: Sourced<T> | undefined): T | undefined {
  return sourced?.[0];
}

/**
 * Fills what was not given from a recipe; opens the data to see what they are.
 * @param options.memoryBytes - for the batches; that of the machine when left out.
 * @throws {FileError} @throws {DataError} when the data cannot be read. @throws {ConfigError} for an unknown size.
 */
export async function fillPretraining(
  preset: Preset,
  given: GivenPretraining,
  options: { readonly memoryBytes?: number } = {},
): Promise<FilledPretraining> {
  const deviations: string[] = [];
  const first = await describe(given.data);
  const second = secondPhaseOf(preset, given, deviations);
  const secondData = second?.data === undefined ? first : await describe(second.data);
  const model = modelOf(preset, given, deviations);
  const lengths = lengthsOf(preset, given, second !== undefined, deviations);
  const sequences = published(preset.pretrain.sequences) as number;
  const secondSequences = published(preset.pretrain.second?.sequences) ?? sequences;
  const shapes: PhaseShape[] = [shapeOf(first, sequences), ...(second ? [shapeOf(secondData, secondSequences)] : [])];
  const isGiven = (one: Batches | undefined) => (one?.batchSize ?? one?.gradientAccumulationSteps) !== undefined;
  const config = await configOf(preset, model, first.vocabSize);
  const fitted =
    isGiven(given) && (second === undefined || isGiven(second))
      ? undefined
      : fitBatches(config, shapes, {
          nextSentence: first.settings.nextSentence,
          ...(given.recompute === undefined ? {} : { recompute: given.recompute }),
          ...options,
        });
  noteData(preset.data, first, "", deviations);
  if (second !== undefined)
    noteData({ ...preset.data, ...preset.secondData }, secondData, "second phase: ", deviations);
  const batches = batchesOf(given, sequences, fitted?.phases[0], "", deviations);
  const choices: PretrainOptions = {
    ...withoutModel(given),
    ...same(preset, given, deviations),
    ...lengths,
    ...model,
    ...batches,
    ...(given.overfitOneBatch ? { gradientAccumulationSteps: given.gradientAccumulationSteps ?? 1 } : {}),
    ...(fitted?.recompute ? { recompute: true } : {}),
    ...(second && {
      secondPhase: {
        ...second,
        ...batchesOf(second, secondSequences, fitted?.phases[1], "second phase: ", deviations),
      },
    }),
  };
  return { choices, fitted, deviations };
}

interface Described {
  readonly settings: ShardSettings;
  readonly generation: GenerationSettings;
  readonly vocabSize: number;
}

async function describe(folder: string): Promise<Described> {
  const { description, vocabulary, close } = await openDataset(folder);
  await close();
  const { settings, generation } = description;
  return { settings, generation, vocabSize: vocabulary.size };
}

function shapeOf({ settings }: Described, sequences: number): PhaseShape {
  return { seqLength: settings.maxSeqLength, maxPredictions: settings.maxPredictionsPerSeq, sequences };
}

/** All but what the recipe decides together with what was given. */
function withoutModel({ secondPhase: _phase, config: _config, init: _init, ...rest }: GivenPretraining) {
  return rest;
}

function same(preset: Preset, given: GivenPretraining, deviations: string[]): Partial<PretrainOptions> {
  const filled: Record<string, unknown> = {};
  for (const name of SAME) {
    const value = published<unknown>(preset.pretrain[name]);
    if (given[name] !== undefined) noteOther(name, given[name], value, deviations);
    // One batch is learned without dropout unless it is asked for.
    else if (value !== undefined && !(name === "dropout" && given.overfitOneBatch)) filled[name] = value;
  }
  return filled;
}

/** Size and weights to start from: a given model has its own size, a given size no weights of another. */
function modelOf(preset: Preset, given: GivenPretraining, deviations: string[]): { config?: string; init?: string } {
  const [size, weights] = [published(preset.pretrain.config) as string, published(preset.pretrain.init)];
  if (given.config !== undefined) noteOther("config", given.config, size, deviations);
  if (given.init !== undefined) noteOther("init", given.init, weights ?? "none", deviations);
  const isOtherSize = given.config !== undefined && given.config !== size;
  if (isOtherSize && given.init === undefined && weights !== undefined) deviations.push(`not started from ${weights}`);
  const init = given.init ?? (isOtherSize ? undefined : weights);
  const isFrom = init !== undefined && init !== "none";
  const ownSize = isFrom && given.init !== undefined && preset.takesFirstLayers !== true;
  const config = given.config ?? (ownSize ? undefined : size);
  return { ...(config === undefined ? {} : { config }), ...(isFrom ? { init } : {}) };
}

async function configOf(preset: Preset, { config, init }: { config?: string; init?: string }, vocabSize: number) {
  const size = published(preset.pretrain.config) as string;
  if (config !== undefined || init === undefined) return resolveConfig(config ?? size, vocabSize);
  // A model on the hub is not fetched for this: the recipe's size stands for it.
  return resolveConfig(init, vocabSize).catch(() => resolveConfig(size, vocabSize));
}

/** Steps or hours, and warm-up in the same part of them as published. */
function lengthsOf(
  { pretrain }: Preset,
  given: GivenPretraining,
  hasSecond: boolean,
  deviations: string[],
): Partial<PretrainOptions> {
  const [steps, hours] = [published(pretrain.steps), published(pretrain.hours)];
  const more = hasSecond && pretrain.second?.learningRate === undefined ? published(pretrain.second?.steps) : undefined;
  const publishedSteps = steps === undefined ? undefined : steps + (more ?? 0);
  const share = published(pretrain.warmupShare) ?? (published(pretrain.warmupSteps) ?? 0) / (publishedSteps ?? 1);
  if (given.steps !== undefined) noteOther("steps", given.steps, steps ?? `${hours} hours`, deviations);
  if (given.hours !== undefined) noteOther("hours", given.hours, hours ?? `${steps} steps`, deviations);
  if (given.hours !== undefined || (given.steps === undefined && hours !== undefined)) {
    return { hours: given.hours ?? (hours as number), warmupShare: given.warmupShare ?? share };
  }
  const chosen = given.steps ?? (steps as number);
  const given2 = given.secondPhase?.steps ?? more ?? 0;
  const spanned = more === undefined ? chosen : chosen + given2;
  const warmupSteps = given.warmupSteps ?? Math.min(spanned - 1, Math.round(share * spanned));
  return { steps: chosen, warmupSteps };
}

/** The second phase, if there is one and data for it. */
function secondPhaseOf(
  { pretrain, secondData }: Preset,
  given: GivenPretraining,
  deviations: string[],
): SecondPhaseChoices | undefined {
  const { second } = pretrain;
  if (second === undefined) {
    if (given.secondPhase === undefined) return undefined;
    const { steps } = given.secondPhase;
    if (steps === undefined) throw secondPhaseMissing();
    deviations.push("a second phase, which the recipe has not");
    return { ...given.secondPhase, steps };
  }
  const about = `${grouped(second.steps[0])} updates of ${grouped(second.sequences[0])} sequences`;
  if (given.secondPhase === undefined || given.hours !== undefined) {
    const why = given.hours === undefined ? ": --phase2-data adds it" : "";
    deviations.push(`no second phase (${about} of ${published(secondData?.maxSeqLength)} tokens)${why}`);
    return undefined;
  }
  const { steps = second.steps[0] } = given.secondPhase;
  noteOther("second phase: steps", steps, second.steps[0], deviations);
  const learningRate = given.secondPhase.learningRate ?? published(second.learningRate);
  const warmupSteps =
    given.secondPhase.warmupSteps ??
    (learningRate === undefined ? undefined : Math.round((published(second.warmupShare) ?? 0) * steps));
  return {
    ...given.secondPhase,
    steps,
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(warmupSteps === undefined ? {} : { warmupSteps }),
  };
}

interface Batches {
  readonly batchSize?: number;
  readonly gradientAccumulationSteps?: number;
}

/** Micro-batches that make the recipe's sequences, as far as what was given lets them. */
function batchesOf(
  { batchSize, gradientAccumulationSteps: accumulated }: Batches,
  sequences: number,
  fitted: Required<Batches> | undefined,
  where: string,
  deviations: string[],
): Required<Batches> {
  const size = batchSize ?? (accumulated === undefined ? (fitted?.batchSize ?? 1) : toWhole(sequences / accumulated));
  const batches = { batchSize: size, gradientAccumulationSteps: accumulated ?? toWhole(sequences / size) };
  noteOther(`${where}sequences for an update`, size * batches.gradientAccumulationSteps, sequences, deviations);
  return batches;
}

function toWhole(count: number): number {
  return Math.max(1, Math.round(count));
}

/** In what the data are other than the recipe's. */
function noteData(data: PresetData, { settings, generation }: Described, where: string, deviations: string[]): void {
  const task = settings.nextSentence ? (generation.swapSegments === true ? "sop" : "nsp") : "none";
  const made: Partial<Record<keyof PresetData, string | number | boolean>> = {
    masking: generation.masking ?? settings.masking,
    maskedLmProb: generation.maskedLmProb,
    maxSeqLength: settings.maxSeqLength,
    maxPredictionsPerSeq: settings.maxPredictionsPerSeq,
    shortSeqProb: generation.shortSeqProb,
    dupeFactor: settings.dupeFactor,
    sentenceTask: task,
  };
  for (const [name, value] of Object.entries(made)) {
    noteOther(
      `${where}data: ${LABELS[name] ?? name}`,
      value,
      published<unknown>(data[name as keyof PresetData]),
      deviations,
    );
  }
}

/** Names of options, as people read them. */
export const LABELS: Readonly<Record<string, string>> = {
  maskedLmProb: "masked share",
  ngramWeights: "n-gram weights",
  mixing: "of these",
  maxSeqLength: "length",
  maxPredictionsPerSeq: "predictions",
  shortSeqProb: "short sequences",
  dupeFactor: "passes",
  sentenceTask: "sentence task",
  crossDocuments: "across documents",
  config: "size",
  init: "from",
  weightDecay: "weight decay",
  maxGradientNorm: "gradient norm",
  schedulePower: "power",
  learningRate: "peak rate",
  batchRamp: "batch ramp",
  dynamicMasking: "dynamic masks",
  warmupSteps: "warm-up",
  warmupShare: "warm-up share",
  sequences: "batch",
};

function noteOther(name: string, value: unknown, recipe: unknown, deviations: string[]): void {
  if (recipe === undefined || String(value) === String(recipe)) return;
  deviations.push(`${LABELS[name] ?? name} ${show(value)} (published: ${show(recipe)})`);
}

function show(value: unknown): string {
  return typeof value === "number" && value >= 1000 ? grouped(value) : String(value);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function secondPhaseMissing(): UsageError {
  return new UsageError({
    where: "a second phase",
    expected: "--phase2-steps",
    got: verbatim("none, and a recipe of one phase"),
    hint: "say how many updates the second phase has",
  });
}
