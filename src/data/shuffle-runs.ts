/**
 * The global shuffle: the records of all runs in one random order, in bounded memory.
 *
 * Every example was put into a bucket drawn at random; here the examples of a bucket, from the whole corpus, are brought
 * together and shuffled. All orders are equally likely (Rao 1961 and Sandelius 1962: parting at random and shuffling
 * the parts is a uniform shuffle). Buckets that are small are read several at a time, those that are too large in parts
 * that are drawn at random as well.
 */
import { crc32c } from "../util/crc32.ts";
import { Random } from "../util/random.ts";
import type { RecordLayout } from "./_record.ts";
import { BUCKETS } from "./example-records.ts";
import { damagedRun, type RunReader, SPLITS, type Split, sizeOf } from "./run-file.ts";

/** The most bytes of records that are shuffled at once; half as much again may be in memory for them. */
const GROUP_BYTES = 96 << 20;
/** Numbers a stream of random numbers apart from those of blocks, whose first number is below 2^32. */
const SHUFFLE_STREAM = 2 ** 40;

/** The runs of a corpus, in order. */
export interface Runs {
  readonly count: number;
  /** Opens a run; whoever opens it closes it. */
  open(index: number): Promise<{ readonly reader: RunReader; close(): Promise<void> }>;
}

/** How runs are shuffled. */
export interface ShuffleOptions {
  readonly split: Split;
  readonly layout: RecordLayout;
  readonly randomSeed: number;
  /** Bytes of records that are shuffled at once, 96 MiB unless said. Part of what decides the order. */
  readonly groupBytes?: number;
  /** Lets others have their turn, or throws to stop. */
  readonly pause: () => Promise<void>;
}

/** A record in its final place. */
export interface ShuffledRecord {
  readonly bytes: Uint8Array;
  /** Tokens + 65536 x predictions. */
  readonly lengths: number;
  readonly checksum: number;
}

/** Records that were shuffled together, in their order. */
export interface ShuffledGroup {
  readonly count: number;
  /** @throws {DataError} when the record has changed since it was written. */
  record(place: number): ShuffledRecord;
}

/** All records of one side, in groups, in their final order. @throws {DataError} when a run is damaged. */
export async function* shuffleRuns(runs: Runs, options: ShuffleOptions): AsyncGenerator<ShuffledGroup> {
  const { groupBytes = GROUP_BYTES, pause } = options;
  const totals = await bucketTotals(runs, options);
  for (let first = 0; first < BUCKETS; ) {
    let last = first + 1;
    let bytes = totals[first]!;
    while (last < BUCKETS && bytes + totals[last]! <= groupBytes) bytes += totals[last++]!;
    // Parts differ a little in size; so they are planned a little smaller.
    const parts = bytes <= groupBytes ? 1 : Math.ceil(bytes / (0.95 * groupBytes));
    for (let part = 0; part < parts; part++) {
      const stream = [SPLITS.indexOf(options.split), first] as const;
      const group = new Group(options, Random.derive(options.randomSeed, SHUFFLE_STREAM, ...stream, part));
      const draws = Random.derive(options.randomSeed, SHUFFLE_STREAM + 1, ...stream);
      const isOurs = (): boolean => parts === 1 || draws.integer(parts) === part;
      await forEachRun(runs, pause, (reader) => group.addRun(reader, first, last, isOurs));
      if (group.count > 0) yield group.shuffle();
    }
    first = last;
  }
}

async function forEachRun(
  runs: Runs,
  pause: () => Promise<void>,
  use: (reader: RunReader) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < runs.count; i++) {
    const { reader, close } = await runs.open(i);
    try {
      await use(reader);
    } finally {
      await close();
    }
    await pause();
  }
}

/** Bytes of each bucket in all runs; float64 [256]. */
async function bucketTotals(runs: Runs, { split, pause }: ShuffleOptions): Promise<Float64Array> {
  const totals = new Float64Array(BUCKETS);
  await forEachRun(runs, pause, async (reader) => {
    const table = await reader.table(split);
    for (let i = 0; i < BUCKETS; i++) totals[i]! += table[2 * i + 3]! - table[2 * i + 1]!;
  });
  return totals;
}

/** Words that say of a record in which chunk it is, where, its lengths and its checksum. */
const FIELDS = 4;

/** Records that are collected, then put into random order. */
class Group implements ShuffledGroup {
  readonly #options: ShuffleOptions;
  readonly #random: Random;
  /** The records that each run gave, and the run's name. */
  readonly #chunks: Uint8Array[] = [];
  readonly #names: string[] = [];
  #fields = new Uint32Array(1 << 12);
  #order = new Uint32Array(0);
  count = 0;

  constructor(options: ShuffleOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Takes the records of a range of buckets for which `isOurs` is true; it is asked once for each. */
  async addRun(reader: RunReader, first: number, last: number, isOurs: () => boolean): Promise<void> {
    const { split, layout } = this.#options;
    const { count, index, bytes } = await reader.records(split, first, last);
    const before = this.count;
    let own = bytes;
    let kept = 0;
    for (let i = 0, offset = 0; i < count; i++) {
      const [lengths, checksum] = [index[2 * i]!, index[2 * i + 1]!];
      const size = sizeOf(lengths, layout);
      if (offset + size > bytes.length) throw damagedRun(reader.name);
      if (isOurs()) {
        // What is not ours leaves no gap: the rest moves down over it.
        if (kept < offset) {
          // The source may be memory that others read as well.
          if (own === bytes) own = bytes.slice();
          own.copyWithin(kept, offset, offset + size);
        }
        this.#push(this.#chunks.length, kept, lengths, checksum);
        kept += size;
      }
      offset += size;
    }
    if (this.count === before) return;
    this.#chunks.push(kept === own.length ? own : own.slice(0, kept));
    this.#names.push(reader.name);
  }

  shuffle(): this {
    this.#order = Uint32Array.from({ length: this.count }, (_, i) => i);
    this.#random.shuffle(this.#order);
    return this;
  }

  record(place: number): ShuffledRecord {
    const at = FIELDS * this.#order[place]!;
    const [chunk, offset, lengths, checksum] = [0, 1, 2, 3].map((field) => this.#fields[at + field]!) as [
      number,
      number,
      number,
      number,
    ];
    const bytes = this.#chunks[chunk]!.subarray(offset, offset + sizeOf(lengths, this.#options.layout));
    if (crc32c(bytes) !== checksum) throw damagedRun(this.#names[chunk]!);
    return { bytes, lengths, checksum };
  }

  #push(chunk: number, offset: number, lengths: number, checksum: number): void {
    const at = FIELDS * this.count++;
    if (at === this.#fields.length) {
      const longer = new Uint32Array(2 * this.#fields.length);
      longer.set(this.#fields);
      this.#fields = longer;
    }
    this.#fields[at] = chunk;
    this.#fields[at + 1] = offset;
    this.#fields[at + 2] = lengths;
    this.#fields[at + 3] = checksum;
  }
}
