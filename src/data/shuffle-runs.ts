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

/** The most bytes of records that are shuffled at once. */
const GROUP_BYTES = 64 << 20;
/** Numbers a stream of random numbers apart from those of blocks, whose first number is below 2^32. */
const SHUFFLE_STREAM = 2 ** 40;

/** The runs of a corpus, in order. */
export interface Runs {
  readonly count: number;
  /** Opens a run; whoever opens it closes it. */
  open(index: number): Promise<{ readonly reader: RunReader; close(): void }>;
}

/** How runs are shuffled. */
export interface ShuffleOptions {
  readonly split: Split;
  readonly layout: RecordLayout;
  readonly randomSeed: number;
  /** Bytes of records that are shuffled at once, 64 MiB unless said. Part of what decides the order. */
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

/** Records that were shuffled together, in their order; they are there until the next group is asked for. */
export interface ShuffledGroup {
  readonly count: number;
  /** @throws {DataError} when the record has changed since it was written. */
  record(place: number): ShuffledRecord;
}

/** All records of one side, in groups, in their final order. @throws {DataError} when a run is damaged. */
export async function* shuffleRuns(runs: Runs, options: ShuffleOptions): AsyncGenerator<ShuffledGroup> {
  const { groupBytes = GROUP_BYTES, pause } = options;
  const totals = await bucketTotals(runs, options);
  const group = new Group(
    options,
    Math.min(
      groupBytes,
      totals.reduce((sum, bytes) => sum + bytes, 0),
    ),
  );
  for (let first = 0; first < BUCKETS; ) {
    let last = first + 1;
    let bytes = totals[first]!;
    while (last < BUCKETS && bytes + totals[last]! <= groupBytes) bytes += totals[last++]!;
    // Parts differ a little in size; so they are planned a little smaller.
    const parts = bytes <= groupBytes ? 1 : Math.ceil(bytes / (0.95 * groupBytes));
    for (let part = 0; part < parts; part++) {
      const stream = [SPLITS.indexOf(options.split), first] as const;
      group.begin();
      const draws = Random.derive(options.randomSeed, SHUFFLE_STREAM + 1, ...stream);
      const isOurs = (): boolean => parts === 1 || draws.integer(parts) === part;
      await forEachRun(runs, pause, (reader) => group.addRun(reader, first, last, isOurs));
      group.shuffle(Random.derive(options.randomSeed, SHUFFLE_STREAM, ...stream, part));
      if (group.count > 0) yield group;
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
      close();
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

/** Words that say of a record in which run it was, where it is now, its lengths and its checksum. */
const FIELDS = 4;

/** Records that are collected, then put into random order; the memory is used again for the next group. */
class Group implements ShuffledGroup {
  readonly #options: ShuffleOptions;
  /** The names of the runs, for messages. */
  readonly #names: string[] = [];
  #bytes: Uint8Array;
  #used = 0;
  #fields = new Uint32Array(1 << 12);
  #order = new Uint32Array(0);
  count = 0;

  constructor(options: ShuffleOptions, capacity: number) {
    this.#options = options;
    this.#bytes = new Uint8Array(capacity);
  }

  begin(): void {
    this.count = 0;
    this.#used = 0;
    this.#names.length = 0;
  }

  /** Takes the records of a range of buckets for which `isOurs` is true; it is asked once for each. */
  async addRun(reader: RunReader, first: number, last: number, isOurs: () => boolean): Promise<void> {
    const { split, layout } = this.#options;
    const { count, index, bytes } = await reader.records(split, first, last);
    this.#names.push(reader.name);
    for (let i = 0, offset = 0; i < count; i++) {
      const [lengths, checksum] = [index[2 * i]!, index[2 * i + 1]!];
      const end = offset + sizeOf(lengths, layout);
      if (end > bytes.length) throw damagedRun(reader.name);
      if (isOurs()) this.#push(bytes.subarray(offset, end), lengths, checksum);
      offset = end;
    }
  }

  shuffle(random: Random): void {
    if (this.#order.length < this.count) this.#order = new Uint32Array(this.#fields.length / FIELDS);
    const order = this.#order.subarray(0, this.count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    random.shuffle(order);
  }

  record(place: number): ShuffledRecord {
    const at = FIELDS * this.#order[place]!;
    const offset = this.#fields[at + 1]!;
    const lengths = this.#fields[at + 2]!;
    const checksum = this.#fields[at + 3]!;
    const bytes = this.#bytes.subarray(offset, offset + sizeOf(lengths, this.#options.layout));
    if (crc32c(bytes) !== checksum) throw damagedRun(this.#names[this.#fields[at]!]!);
    return { bytes, lengths, checksum };
  }

  #push(record: Uint8Array, lengths: number, checksum: number): void {
    const at = FIELDS * this.count++;
    if (at === this.#fields.length) this.#fields = longer(this.#fields, new Uint32Array(2 * at));
    // Parts of a bucket can be a little larger than planned.
    const needed = this.#used + record.length;
    if (needed > this.#bytes.length) this.#bytes = longer(this.#bytes, new Uint8Array(Math.ceil(1.1 * needed)));
    this.#fields[at] = this.#names.length - 1;
    this.#fields[at + 1] = this.#used;
    this.#fields[at + 2] = lengths;
    this.#fields[at + 3] = checksum;
    this.#bytes.set(record, this.#used);
    this.#used = needed;
  }
}

function longer<T extends Uint8Array | Uint32Array>(array: T, room: T): T {
  room.set(array);
  return room;
}
