/** A data folder as training reads it: batches by number, held-out batches, and a digest that tells data apart. */
import { resolve } from "node:path";
import { Batches } from "../data/batches.ts";
import { type DatasetDescription, type InstanceSource, selectInstances } from "../data/dataset.ts";
import { type DynamicMaskingChoices, dynamicMasking } from "../data/dynamic-masking.ts";
import { splitIndexes } from "../data/held-out.ts";
import type { PretrainingBatch } from "../data/instance.ts";
import { parseMaskingRatio, ratioAt } from "../data/masking-ratio.ts";
import { DataError, TrainingError, verbatim } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { microBatchesIn, totalSteps } from "../train/course.ts";
import type { BatchSource } from "../train/pretraining-run-options.ts";
import { Random } from "../util/random.ts";
import { sha256 } from "../util/sha256.ts";
import { type OpenedDataset, openDataset } from "./dataset.ts";
import type { PretrainingPlan } from "./pretraining-plan.ts";

/** An opened data folder, planned for a run. */
export interface TrainingData {
  readonly description: DatasetDescription;
  readonly vocabulary: Vocabulary;
  readonly batches: BatchSource;
  /** Held-out batches in the same order at each call; undefined when nothing is held out. */
  readonly heldOut: (() => AsyncIterable<PretrainingBatch>) | undefined;
  /** SHA-256 over the settings and the checksums of all shards. */
  readonly identity: string;
  close(): Promise<void>;
}

/** The data of each phase of a run. */
export interface PhasesData {
  readonly data: TrainingData;
  readonly secondData?: TrainingData;
}

/**
 * Opens the data folders of a plan.
 * @param root - what the plan's folders are relative to.
 * @throws {DataError} when there is nothing to train on, or one phase has pairs and the other none.
 * @throws {FileError} when a file is missing.
 */
export async function openPhases(root: string, plan: PretrainingPlan): Promise<PhasesData> {
  const data = await openTrainingData(resolve(root, plan.data), plan);
  if (plan.secondPhase === undefined) return { data };
  const path = resolve(root, plan.secondPhase.data);
  try {
    const secondData = await openTrainingData(path, { ...plan, batchSize: plan.secondPhase.batchSize }, 1);
    const [first, second] = [data, secondData].map(({ description }) => description.settings.nextSentence);
    if (first === second) return { data, secondData };
    await secondData.close();
    throw new DataError({
      where: path,
      expected: first ? "data with sentence pairs, as in the first phase" : "data without pairs, as in the first phase",
      got: verbatim(second ? "data with pairs" : "data without pairs"),
      hint: "Make the data of both phases with the same kind of next sentences.",
    });
  } catch (error) {
    await data.close();
    throw error;
  }
}

/** Closes the data of all phases. */
export async function closePhases({ data, secondData }: PhasesData): Promise<void> {
  await data.close();
  await secondData?.close();
}

/**
 * Opens a data folder and plans its batches.
 * @param phase - 0 or 1; order and masks of the second phase are drawn apart from those of the first.
 * @throws {DataError} when there is nothing to train on. @throws {FileError} when a file is missing.
 */
export async function openTrainingData(path: string, plan: PretrainingPlan, phase: 0 | 1 = 0): Promise<TrainingData> {
  const dataset = await openDataset(path);
  try {
    const { description, vocabulary } = dataset;
    const { train, heldOut } = split(dataset, plan);
    if (train.count === 0) {
      throw new DataError({
        where: path,
        expected: "instances to train on",
        got: verbatim("none"),
        hint: "Hold out less, or make more data with zhbert data --dupe-factor.",
      });
    }
    return {
      description,
      vocabulary,
      batches: trainingBatches(train, dataset, plan, phase),
      heldOut: heldOut.count > 0 ? heldOutBatches(heldOut, dataset, plan) : undefined,
      identity: identityOf(description),
      close: dataset.close,
    };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}

/** The held-out part of the folder, or instances drawn where it has none. */
function split(
  dataset: { train: InstanceSource; heldOut: InstanceSource },
  { heldOutShare, settings }: PretrainingPlan,
) {
  if (dataset.heldOut.count > 0 || heldOutShare === 0) return dataset;
  const { train, heldOut } = splitIndexes(dataset.train.count, heldOutShare, settings.seed);
  return { train: selectInstances(dataset.train, train), heldOut: selectInstances(dataset.train, heldOut) };
}

function trainingBatches(
  source: InstanceSource,
  dataset: OpenedDataset,
  plan: PretrainingPlan,
  phase: 0 | 1,
): BatchSource {
  const { seed } = plan.settings;
  const batches = new Batches(source, {
    batchSize: plan.batchSize,
    maxSeqLength: dataset.description.settings.maxSeqLength,
    seed: phase === 0 ? seed : Random.derive(seed, SECOND_PHASE_STREAM).uint32(),
    ...(plan.dynamicMasking ? dynamicMasking(dataset, choicesOf(plan, phase)) : {}),
  });
  if (!plan.overfitOneBatch) return batches;
  const first = batches.batch(0);
  // Whoever asks for the batch gets the failure; without this line it would also end the process.
  first.catch(() => undefined);
  return { batchesPerEpoch: 1, batch: () => first };
}

/** A share of tokens that changes does so over the micro-batches of all phases, in each by its part of the updates. */
function choicesOf({ masking, maskingRatio, settings }: PretrainingPlan, phase: 0 | 1): DynamicMaskingChoices {
  const named = masking === undefined ? {} : { masking };
  if (maskingRatio === undefined) return named;
  const whole = parseMaskingRatio(maskingRatio, totalSteps(settings));
  if (whole.from === whole.to) return { ...named, ratio: whole };
  if (settings.hours !== undefined) {
    throw new TrainingError({
      where: "masking ratio",
      expected: "one share, or a run by steps",
      got: verbatim(`${maskingRatio} in a run by hours`),
    });
  }
  const middle = ratioAt(whole, settings.steps);
  const [from, to] = phase === 0 ? [whole.from, middle] : [middle, whole.to];
  return { ...named, ratio: { from, to, steps: microBatchesIn(settings, phase) } };
}

const SECOND_PHASE_STREAM = 0x70683200;

/** A sample over all lengths, the same at each evaluation; masks are the stored ones, where the data have any. */
function heldOutBatches(source: InstanceSource, dataset: OpenedDataset, plan: PretrainingPlan) {
  const { maxSeqLength } = dataset.description.settings;
  const isMasked = source.predictionCounts.some((count) => count > 0);
  const masking = plan.masking === undefined ? {} : { masking: plan.masking };
  const batches = new Batches(source, {
    batchSize: Math.min(plan.batchSize, source.count),
    maxSeqLength,
    seed: 0,
    ...(plan.dynamicMasking && !isMasked ? dynamicMasking(dataset, masking) : {}),
  });
  const count = Math.min(plan.evalBatches, batches.batchesPerEpoch);
  return async function* () {
    for (let i = 0; i < count; i++) yield batches.batch(i);
  };
}

function identityOf({ settings, generation, shards, heldOutShards }: DatasetDescription): string {
  // Shards of masked data tell how they were masked; where there are no masks, how they are drawn is in the description alone.
  const drawing = settings.masking === "none" ? [generation] : [];
  return sha256(new TextEncoder().encode(JSON.stringify([settings, shards, heldOutShards, ...drawing])));
}
