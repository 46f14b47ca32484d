/**
 * Length-bucketed batches of few static shapes, each found by its number alone, so that training resumes without replay.
 *
 * Instances are put into buckets by length (multiples of 32 tokens). What does not fill a batch goes up into the next
 * longer bucket, so that only one batch of an epoch is not full: its free rows repeat instances with prediction weights
 * of 0 and an ignored label, and every prediction counts once in an epoch.
 */
import { ArgumentError, verbatim } from "../errors.ts";
import { Random } from "../util/random.ts";
import type { InstanceSource } from "./dataset.ts";
import { IGNORED_LABEL, originalIds, type PretrainingBatch, type PretrainingInstance } from "./instance.ts";
import { drawMasks, type MaskingPlan, predictionBudget } from "./masking.ts";
import { checkMaskingRatio, type MaskingRatio, ratioAt } from "./masking-ratio.ts";

/** How instances become batches. */
export interface BatchOptions {
  readonly batchSize: number;
  /** The length of the longest bucket; no instance may be longer. */
  readonly maxSeqLength: number;
  /** The seed of order and of dynamic masks, an integer >= 0. */
  readonly seed: number;
  /** Lengths of buckets are multiples of it; by default an eighth of `maxSeqLength`, and 32 at least. */
  readonly bucketWidth?: number;
  /** False keeps the order of the source within buckets, as evaluation wants it; true by default. */
  readonly shuffle?: boolean;
  /** Draws masks anew in each epoch instead of taking the stored ones. */
  readonly dynamicMasking?: MaskingPlan;
  /** With dynamicMasking: the share of tokens to predict at each step, instead of the plan's. */
  readonly maskingRatio?: MaskingRatio;
}

/** One of the static shapes, and how many batches of an epoch have it. */
export interface BatchShape {
  readonly batchSize: number;
  readonly seqLength: number;
  readonly maxPredictions: number;
  readonly batches: number;
}

/** The rows of a batch: indexes of instances; those from `filled` on are repeats that carry no weight. */
export interface BatchRows {
  readonly shape: BatchShape;
  readonly rows: Uint32Array;
  readonly filled: number;
}

const MIN_BUCKET_WIDTH = 32;
/** Each bucket is a graph that is compiled and keeps memory of its own; finer ones save little padding. */
const MAX_BUCKETS = 8;

/** Independent streams of random numbers under one seed. */
const STREAM = { instances: 1, batches: 2, masks: 3 } as const;

type Dynamic = "dynamicMasking" | "maskingRatio";

/** All batches of all epochs over a source of instances. */
export class Batches {
  /** Batches of one epoch; the same in every epoch. */
  readonly batchesPerEpoch: number;
  /** The shapes that occur, the shortest first. */
  readonly shapes: readonly BatchShape[];
  /** The share of places in an epoch's batches that hold no token, in [0, 1). */
  readonly paddingShare: number;
  readonly #source: InstanceSource;
  readonly #options: Required<Omit<BatchOptions, Dynamic>> & Pick<BatchOptions, Dynamic>;
  /** uint32; the instances of each bucket, ascending. */
  readonly #buckets: readonly Uint32Array[];
  #plan: { readonly epoch: number; readonly batches: readonly BatchRows[] } | undefined;

  /**
   * Plans batches from the sizes of the instances alone; none is read.
   * @throws {ArgumentError} when there are no instances, one is too long, or an option cannot be.
   */
  constructor(source: InstanceSource, options: BatchOptions) {
    this.#source = source;
    const bucketWidth = defaultBucketWidth(options.maxSeqLength);
    this.#options = { bucketWidth, shuffle: true, ...options };
    checkOptions(source, this.#options);
    this.#buckets = fillBuckets(source.seqLengths, this.#options.bucketWidth);
    this.shapes = this.#findShapes();
    this.batchesPerEpoch = this.shapes.reduce((sum, { batches }) => sum + batches, 0);
    const places = this.shapes.reduce((sum, shape) => sum + shape.batches * shape.batchSize * shape.seqLength, 0);
    this.paddingShare = 1 - source.seqLengths.reduce((sum, length) => sum + length, 0) / places;
  }

  /**
   * The batch of a step.
   * @param step - counted from 0 over all epochs.
   * @throws {DataError} when an instance is damaged.
   */
  async batch(step: number): Promise<PretrainingBatch> {
    const { shape, rows, filled } = this.rows(step);
    const epoch = Math.floor(step / this.batchesPerEpoch);
    const masking = this.#maskingAt(step);
    const instances = await Promise.all(Array.from(rows, (index) => this.#instance(index, epoch, masking)));
    return padInstances(instances, shape, filled);
  }

  /** Which instances the batch of a step holds, without reading them. */
  rows(step: number): BatchRows {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ArgumentError({ where: "batches: step", expected: "an integer of at least 0", got: step });
    }
    const epoch = Math.floor(step / this.batchesPerEpoch);
    if (this.#plan?.epoch !== epoch) this.#plan = { epoch, batches: this.#planEpoch(epoch) };
    return this.#plan.batches[step % this.batchesPerEpoch] as BatchRows;
  }

  #maskingAt(step: number): MaskingPlan | undefined {
    const { dynamicMasking, maskingRatio } = this.#options;
    if (dynamicMasking === undefined || maskingRatio === undefined) return dynamicMasking;
    return { ...dynamicMasking, maskedLmProb: ratioAt(maskingRatio, step) };
  }

  async #instance(index: number, epoch: number, masking: MaskingPlan | undefined): Promise<PretrainingInstance> {
    const instance = await this.#source.instance(index);
    if (masking === undefined) return instance;
    const random = Random.derive(this.#options.seed, STREAM.masks, epoch, index);
    const { inputIds, positions, labels } = drawMasks(originalIds(instance), instance.wordStarts, masking, random);
    return { ...instance, inputIds, maskedLmPositions: positions, maskedLmIds: labels };
  }

  /** Dynamic masking at its largest share, for shapes that hold at every step. */
  #mostMasking(): MaskingPlan | undefined {
    const { dynamicMasking, maskingRatio } = this.#options;
    if (dynamicMasking === undefined || maskingRatio === undefined) return dynamicMasking;
    return { ...dynamicMasking, maskedLmProb: Math.max(maskingRatio.from, maskingRatio.to) };
  }

  #findShapes(): BatchShape[] {
    const { batchSize, bucketWidth, maxSeqLength } = this.#options;
    const masking = this.#mostMasking();
    const shapes: BatchShape[] = [];
    let carried = 0;
    let maxPredictions = 1;
    this.#buckets.forEach((bucket, i) => {
      const isLast = i === this.#buckets.length - 1;
      const waiting = carried + bucket.length;
      const batches = isLast ? Math.ceil(waiting / batchSize) : Math.floor(waiting / batchSize);
      carried = waiting - batches * batchSize;
      for (const index of bucket) maxPredictions = Math.max(maxPredictions, this.#source.predictionCounts[index] ?? 0);
      const seqLength = Math.min((i + 1) * bucketWidth, maxSeqLength);
      const slots = masking === undefined ? maxPredictions : predictionBudget(seqLength, masking);
      shapes.push({ batchSize, seqLength, maxPredictions: slots, batches });
    });
    return shapes.filter(({ batches }) => batches > 0);
  }

  #planEpoch(epoch: number): BatchRows[] {
    const { batchSize, bucketWidth, seed, shuffle } = this.#options;
    const planned: BatchRows[] = [];
    let waiting = new Uint32Array(0);
    this.#buckets.forEach((bucket, i) => {
      waiting = concatenate(waiting, bucket);
      if (shuffle) Random.derive(seed, STREAM.instances, epoch, i).shuffle(waiting);
      const seqLength = Math.min((i + 1) * bucketWidth, this.#options.maxSeqLength);
      const shape = this.shapes.find((candidate) => candidate.seqLength === seqLength);
      for (let k = 0; k < (shape?.batches ?? 0); k++) {
        const own = waiting.subarray(k * batchSize, (k + 1) * batchSize);
        planned.push({ shape: shape as BatchShape, rows: repeatTo(own, batchSize), filled: own.length });
      }
      waiting = waiting.slice((shape?.batches ?? 0) * batchSize);
    });
    return shuffle ? Random.derive(seed, STREAM.batches, epoch).shuffle(planned) : planned;
  }
}

function checkOptions(source: InstanceSource, options: Required<Omit<BatchOptions, Dynamic>> & BatchOptions): void {
  for (const name of ["batchSize", "maxSeqLength", "bucketWidth"] as const) {
    if (Number.isSafeInteger(options[name]) && options[name] >= 1) continue;
    throw new ArgumentError({ where: `batches: ${name}`, expected: "an integer of at least 1", got: options[name] });
  }
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
  if (source.count === 0) throw new ArgumentError({ where: "batches", expected: "at least one instance", got: 0 });
  if (options.dynamicMasking === undefined && source.predictionCounts.every((count) => count === 0)) {
    const hint = "the data was made with --masking none: train with dynamic masking";
    throw new ArgumentError({ where: "batches", expected: "instances with predictions", got: verbatim("none"), hint });
  }
  const tooLong = source.seqLengths.findIndex((length) => length > options.maxSeqLength);
  if (tooLong < 0) return;
  throw new ArgumentError({
    where: `batches: instance ${tooLong}`,
    expected: `at most ${options.maxSeqLength} tokens`,
    got: source.seqLengths[tooLong],
  });
}

/** How many tokens one bucket's length is apart from the next. */
export function defaultBucketWidth(maxSeqLength: number): number {
  return Math.max(MIN_BUCKET_WIDTH, Math.ceil(maxSeqLength / MAX_BUCKETS));
}

/** The indexes of the instances by bucket, in two passes over the lengths. */
function fillBuckets(seqLengths: Uint16Array, width: number): Uint32Array[] {
  const counts: number[] = [];
  for (const length of seqLengths) {
    const bucket = Math.ceil(length / width) - 1;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  const buckets = Array.from(counts, (count) => new Uint32Array(count ?? 0));
  const used = new Uint32Array(buckets.length);
  seqLengths.forEach((length, index) => {
    const bucket = Math.ceil(length / width) - 1;
    (buckets[bucket] as Uint32Array)[used[bucket]!++] = index;
  });
  return buckets;
}

function concatenate(a: Uint32Array, b: Uint32Array): Uint32Array<ArrayBuffer> {
  const joined = new Uint32Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** The rows, from the first again until there are `length`. */
function repeatTo(rows: Uint32Array, length: number): Uint32Array {
  return rows.length === length ? rows : Uint32Array.from({ length }, (_, i) => rows[i % rows.length] as number);
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
