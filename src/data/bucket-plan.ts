/**
 * Rows of unequal lengths as batches of few static shapes, each found by its number alone, so that training resumes without
 * replay.
 *
 * Rows are put into buckets by length (multiples of 32 tokens). What does not fill a batch goes up into the next longer
 * bucket, so that only one batch of an epoch is not full: its free places repeat rows, which must carry no weight there.
 */
import { ArgumentError } from "../errors.ts";
import { Random } from "../util/random.ts";

/** How rows become batches. */
export interface BucketOptions {
  readonly batchSize: number;
  /** The length of the longest bucket; no row may be longer. */
  readonly maxSeqLength: number;
  /** The seed of the order, an integer >= 0. */
  readonly seed: number;
  /** Lengths of buckets are multiples of it; by default an eighth of `maxSeqLength`, and 32 at least. */
  readonly bucketWidth?: number;
  /** False keeps the order of the rows within buckets, as evaluation wants it; true by default. */
  readonly shuffle?: boolean;
}

/** One of the static shapes, and how many batches of an epoch have it. */
export interface BucketShape {
  readonly batchSize: number;
  readonly seqLength: number;
  readonly batches: number;
}

/** The rows of a batch by their indexes; those from `filled` on are repeats that carry no weight. */
export interface PlannedBatch<Shape extends BucketShape = BucketShape> {
  readonly shape: Shape;
  readonly rows: Uint32Array;
  readonly filled: number;
}

const MIN_BUCKET_WIDTH = 32;
/** Each bucket is a graph that is compiled and keeps memory of its own; finer ones save little padding. */
const MAX_BUCKETS = 8;

/** Independent streams of random numbers under one seed. */
const STREAM = { rows: 1, batches: 2 } as const;

/** Which rows each batch of each epoch holds. */
export class BucketPlan {
  /** Batches of one epoch; the same in every epoch. */
  readonly batchesPerEpoch: number;
  /** The shapes that occur, the shortest first. */
  readonly shapes: readonly BucketShape[];
  /** The share of places in an epoch's batches that hold no token, in [0, 1). */
  readonly paddingShare: number;
  readonly #options: Required<BucketOptions>;
  /** uint32; the rows of each bucket, ascending. */
  readonly #buckets: readonly Uint32Array[];
  #plan: { readonly epoch: number; readonly batches: readonly PlannedBatch[] } | undefined;

  /**
   * @param lengths - of the rows, in tokens.
   * @throws {ArgumentError} when there are no rows, one is too long, or an option cannot be.
   */
  constructor(lengths: Uint16Array, options: BucketOptions) {
    const bucketWidth = defaultBucketWidth(options.maxSeqLength);
    this.#options = { bucketWidth, shuffle: true, ...options };
    checkOptions(lengths, this.#options);
    this.#buckets = fillBuckets(lengths, this.#options.bucketWidth);
    this.shapes = this.#findShapes();
    this.batchesPerEpoch = this.shapes.reduce((sum, { batches }) => sum + batches, 0);
    const places = this.shapes.reduce((sum, shape) => sum + shape.batches * shape.batchSize * shape.seqLength, 0);
    this.paddingShare = 1 - lengths.reduce((sum, length) => sum + length, 0) / places;
  }

  /** The buckets up to a length: the rows of each, ascending. */
  bucketsUpTo(seqLength: number): readonly Uint32Array[] {
    return this.#buckets.slice(0, Math.ceil(seqLength / this.#options.bucketWidth));
  }

  /** The rows of the batch of a step. @param step - counted from 0 over all epochs. */
  rows(step: number): PlannedBatch {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ArgumentError({ where: "batches: step", expected: "an integer of at least 0", got: step });
    }
    const epoch = this.epochOf(step);
    if (this.#plan?.epoch !== epoch) this.#plan = { epoch, batches: this.#planEpoch(epoch) };
    return this.#plan.batches[step % this.batchesPerEpoch] as PlannedBatch;
  }

  /** The epoch of a step, counted from 0. */
  epochOf(step: number): number {
    return Math.floor(step / this.batchesPerEpoch);
  }

  #lengthOf(bucket: number): number {
    return Math.min((bucket + 1) * this.#options.bucketWidth, this.#options.maxSeqLength);
  }

  #findShapes(): BucketShape[] {
    const { batchSize } = this.#options;
    const shapes: BucketShape[] = [];
    let carried = 0;
    this.#buckets.forEach((bucket, i) => {
      const isLast = i === this.#buckets.length - 1;
      const waiting = carried + bucket.length;
      const batches = isLast ? Math.ceil(waiting / batchSize) : Math.floor(waiting / batchSize);
      carried = waiting - batches * batchSize;
      shapes.push({ batchSize, seqLength: this.#lengthOf(i), batches });
    });
    return shapes.filter(({ batches }) => batches > 0);
  }

  #planEpoch(epoch: number): PlannedBatch[] {
    const { batchSize, seed, shuffle } = this.#options;
    const planned: PlannedBatch[] = [];
    let waiting = new Uint32Array(0);
    this.#buckets.forEach((bucket, i) => {
      waiting = concatenate(waiting, bucket);
      if (shuffle) Random.derive(seed, STREAM.rows, epoch, i).shuffle(waiting);
      const seqLength = this.#lengthOf(i);
      const shape = this.shapes.find((candidate) => candidate.seqLength === seqLength);
      for (let k = 0; k < (shape?.batches ?? 0); k++) {
        const own = waiting.subarray(k * batchSize, (k + 1) * batchSize);
        planned.push({ shape: shape as BucketShape, rows: repeatTo(own, batchSize), filled: own.length });
      }
      waiting = waiting.slice((shape?.batches ?? 0) * batchSize);
    });
    return shuffle ? Random.derive(seed, STREAM.batches, epoch).shuffle(planned) : planned;
  }
}

function checkOptions(lengths: Uint16Array, options: Required<BucketOptions>): void {
  for (const name of ["batchSize", "maxSeqLength", "bucketWidth"] as const) {
    if (Number.isSafeInteger(options[name]) && options[name] >= 1) continue;
    throw new ArgumentError({ where: `batches: ${name}`, expected: "an integer of at least 1", got: options[name] });
  }
  if (lengths.length === 0) throw new ArgumentError({ where: "batches", expected: "at least one instance", got: 0 });
  const tooLong = lengths.findIndex((length) => length > options.maxSeqLength);
  if (tooLong < 0) return;
  throw new ArgumentError({
    where: `batches: instance ${tooLong}`,
    expected: `at most ${options.maxSeqLength} tokens`,
    got: lengths[tooLong],
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
