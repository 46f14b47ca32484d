/**
 * Length-bucketed batches of pre-training instances, each found by its number alone; see bucket-plan.ts for the buckets.
 *
 * What only fills a batch repeats instances with prediction weights of 0 and an ignored label: every prediction counts once
 * in an epoch.
 */
import { ArgumentError, verbatim } from "../errors.ts";
import { Random } from "../util/random.ts";
import { type BucketOptions, BucketPlan, type BucketShape, type PlannedBatch } from "./bucket-plan.ts";
import type { InstanceSource } from "./dataset.ts";
import { IGNORED_LABEL, originalIds, type PretrainingBatch, type PretrainingInstance } from "./instance.ts";
import { drawMasks, type MaskingPlan, predictionBudget } from "./masking.ts";
import { checkMaskingRatio, type MaskingRatio, ratioAt } from "./masking-ratio.ts";

/** How instances become batches; the seed is that of dynamic masks too. */
export interface BatchOptions extends BucketOptions {
  /** Draws masks anew in each epoch instead of taking the stored ones. */
  readonly dynamicMasking?: MaskingPlan;
  /** With dynamicMasking: the share of tokens to predict at each step, instead of the plan's. */
  readonly maskingRatio?: MaskingRatio;
}

/** One of the static shapes, and how many batches of an epoch have it. */
export interface BatchShape extends BucketShape {
  readonly maxPredictions: number;
}

/** The rows of a batch: indexes of instances; those from `filled` on are repeats that carry no weight. */
export type BatchRows = PlannedBatch<BatchShape>;

/** Keeps the masks' random numbers apart from those of the order. */
const MASK_STREAM = 3;

/** All batches of all epochs over a source of instances. */
export class Batches {
  /** Batches of one epoch; the same in every epoch. */
  readonly batchesPerEpoch: number;
  /** The shapes that occur, the shortest first. */
  readonly shapes: readonly BatchShape[];
  /** The share of places in an epoch's batches that hold no token, in [0, 1). */
  readonly paddingShare: number;
  readonly #source: InstanceSource;
  readonly #options: BatchOptions;
  readonly #plan: BucketPlan;

  /**
   * Plans batches from the sizes of the instances alone; none is read.
   * @throws {ArgumentError} when there are no instances, one is too long, or an option cannot be.
   */
  constructor(source: InstanceSource, options: BatchOptions) {
    this.#source = source;
    this.#options = options;
    this.#plan = new BucketPlan(source.seqLengths, options);
    checkMasking(source, options);
    this.batchesPerEpoch = this.#plan.batchesPerEpoch;
    this.paddingShare = this.#plan.paddingShare;
    this.shapes = this.#plan.shapes.map((shape) => ({ ...shape, maxPredictions: this.#predictionsUpTo(shape) }));
  }

  /**
   * The batch of a step.
   * @param step - counted from 0 over all epochs.
   * @throws {DataError} when an instance is damaged.
   */
  async batch(step: number): Promise<PretrainingBatch> {
    const { shape, rows, filled } = this.rows(step);
    const epoch = this.#plan.epochOf(step);
    const masking = this.#maskingAt(step);
    const instances = await Promise.all(Array.from(rows, (index) => this.#instance(index, epoch, masking)));
    return padInstances(instances, shape, filled);
  }

  /** Which instances the batch of a step holds, without reading them. */
  rows(step: number): BatchRows {
    const planned = this.#plan.rows(step);
    const shape = this.shapes[this.#plan.shapes.indexOf(planned.shape)] as BatchShape;
    return { ...planned, shape };
  }

  #maskingAt(step: number): MaskingPlan | undefined {
    const { dynamicMasking, maskingRatio } = this.#options;
    if (dynamicMasking === undefined || maskingRatio === undefined) return dynamicMasking;
    return { ...dynamicMasking, maskedLmProb: ratioAt(maskingRatio, step) };
  }

  async #instance(index: number, epoch: number, masking: MaskingPlan | undefined): Promise<PretrainingInstance> {
    const instance = await this.#source.instance(index);
    if (masking === undefined) return instance;
    const random = Random.derive(this.#options.seed, MASK_STREAM, epoch, index);
    const { inputIds, positions, labels } = drawMasks(originalIds(instance), instance.wordStarts, masking, random);
    return { ...instance, inputIds, maskedLmPositions: positions, maskedLmIds: labels };
  }

  /** Dynamic masking at its largest share, for shapes that hold at every step. */
  #mostMasking(): MaskingPlan | undefined {
    const { dynamicMasking, maskingRatio } = this.#options;
    if (dynamicMasking === undefined || maskingRatio === undefined) return dynamicMasking;
    return { ...dynamicMasking, maskedLmProb: Math.max(maskingRatio.from, maskingRatio.to) };
  }

  /** The most predictions of an instance that may be in a batch of a shape. */
  #predictionsUpTo({ seqLength }: BucketShape): number {
    const masking = this.#mostMasking();
    if (masking !== undefined) return predictionBudget(seqLength, masking);
    let most = 1;
    for (const bucket of this.#plan.bucketsUpTo(seqLength)) {
      for (const index of bucket) most = Math.max(most, this.#source.predictionCounts[index] ?? 0);
    }
    return most;
  }
}

function checkMasking(source: InstanceSource, options: BatchOptions): void {
  const { maskingRatio } = options;
  if (maskingRatio !== undefined) checkMaskingRatio(maskingRatio);
  if (maskingRatio !== undefined && options.dynamicMasking === undefined) {
    const hint = "masks of the data keep their share: a share that changes needs dynamicMasking";
    throw new ArgumentError({
      where: "batches: maskingRatio",
      expected: "dynamicMasking",
      got: verbatim("none"),
      hint,
    });
  }
  if (options.dynamicMasking === undefined && source.predictionCounts.every((count) => count === 0)) {
    const hint = "the data was made with --masking none: train with dynamic masking";
    throw new ArgumentError({ where: "batches", expected: "instances with predictions", got: verbatim("none"), hint });
  }
}

/**
 * Pads instances to one shape.
 * @param filled - rows from here on get prediction weights of 0 and an ignored label; the number of instances by default.
 * @throws {ArgumentError} when an instance does not fit the shape.
 */
export function padInstances(
  instances: readonly PretrainingInstance[],
  shape: Pick<BatchShape, "seqLength" | "maxPredictions">,
  filled = instances.length,
): PretrainingBatch {
  const { seqLength, maxPredictions } = shape;
  const batchSize = instances.length;
  const batch = {
    batchSize,
    seqLength,
    maxPredictions,
    inputIds: new Int32Array(batchSize * seqLength),
    tokenTypeIds: new Int32Array(batchSize * seqLength),
    attentionMask: new Int32Array(batchSize * seqLength),
    maskedLmPositions: new Int32Array(batchSize * maxPredictions),
    maskedLmIds: new Int32Array(batchSize * maxPredictions),
    maskedLmWeights: new Float32Array(batchSize * maxPredictions),
    maskedWords: new Int32Array(batchSize * maxPredictions).fill(-1),
    nextSentenceLabels: Int32Array.from(instances, ({ nextSentenceLabel }, row) =>
      row < filled ? nextSentenceLabel : IGNORED_LABEL,
    ),
  } satisfies PretrainingBatch;
  instances.forEach((instance, row) => {
    const [length, predictions] = [instance.inputIds.length, instance.maskedLmPositions.length];
    if (length > seqLength || predictions > maxPredictions) {
      const expected = `at most ${seqLength} tokens and ${maxPredictions} predictions`;
      throw new ArgumentError({ where: `batch: row ${row}`, expected, got: [length, predictions] });
    }
    batch.inputIds.set(instance.inputIds, row * seqLength);
    batch.tokenTypeIds.set(instance.tokenTypeIds, row * seqLength);
    batch.attentionMask.fill(1, row * seqLength, row * seqLength + length);
    const slot = row * maxPredictions;
    batch.maskedLmPositions.set(instance.maskedLmPositions, slot);
    batch.maskedLmIds.set(instance.maskedLmIds, slot);
    batch.maskedLmWeights.fill(row < filled ? 1 : 0, slot, slot + predictions);
    markMaskedWords(instance, batch.maskedWords.subarray(slot, slot + predictions));
  });
  return batch;
}

/** Finds the runs of predictions that are exactly one word of several tokens. */
function markMaskedWords({ wordStarts, maskedLmPositions }: PretrainingInstance, words: Int32Array): void {
  let slot = 0;
  while (slot < maskedLmPositions.length) {
    const start = maskedLmPositions[slot] as number;
    let next = slot + 1;
    while (maskedLmPositions[next] === start + next - slot && wordStarts[start + next - slot] === 0) next++;
    const isWhole = wordStarts[start] === 1 && wordStarts[start + next - slot] !== 0;
    if (isWhole && next - slot > 1) words.fill(slot, slot, next);
    slot = next;
  }
}
