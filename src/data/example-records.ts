/**
 * The examples of one block of text as records in buckets: what workers make, and what the global shuffle reads.
 *
 * A block depends on its documents, the options and its number alone. Each example goes to a bucket drawn at random; all
 * examples of a bucket, from all blocks, are later shuffled together (shuffle-runs.ts).
 */
import { crc32c } from "../util/crc32.ts";
import { Random } from "../util/random.ts";
import { type RecordLayout, recordSize, writeRecord } from "./_record.ts";
import { assembleInto, exampleLength } from "./assemble.ts";
import type { Document } from "./corpus.ts";
import { joinDocuments } from "./full-sentences.ts";
import { isHeldOut } from "./held-out.ts";
import type { InstanceSettings, InstanceStats } from "./instance-settings.ts";
import { MaskDrawer } from "./masking.ts";
import { maxTextTokens, type PackedExamples, packBlock, RANGE_FIELDS } from "./packing.ts";
import { type TextCounts, type TokenBlock, TokenBlockBuilder } from "./token-block.ts";
import { alignWords, continuationTable } from "./word-alignment.ts";

/** Buckets of the global shuffle: neighbours are read together while they are small, so that many cost nothing. */
export const BUCKETS = 256;
/** Passes whose records are in memory together: about twice the text of the block. */
export const PASSES_OF_RUN = 2;
/** Examples between two pauses. */
const EXAMPLES_A_TURN = 2048;
/** Documents between two pauses; each takes longer. */
const DOCUMENTS_A_TURN = 64;

/** Records in the order in which they were made. */
export interface RecordList {
  readonly count: number;
  /** The records, one after the other. */
  readonly bytes: Uint8Array;
  /** uint32 [count, 2]; tokens + 65536 x predictions, and the record's CRC-32C. */
  readonly index: Uint32Array;
  /** uint8 [count]. */
  readonly buckets: Uint8Array;
}

/** The records of some passes over a block: those to train on, and those kept apart. */
export interface RecordRun {
  /** Which group of passes it is, from 0. */
  readonly group: number;
  readonly data: RecordList;
  readonly heldOut: RecordList;
  /** What was read (in group 0 alone) and made. */
  readonly stats: InstanceStats;
}

/** How records are made. */
export interface RecordOptions {
  readonly settings: InstanceSettings;
  readonly layout: RecordLayout;
  /** The share of documents kept apart. */
  readonly heldOut: number;
  /** Lets others have their turn, or throws to stop. */
  readonly pause: () => Promise<void>;
}

/** The number of runs that each block gives. */
export function runsOfBlock(dupeFactor: number): number {
  return Math.ceil(dupeFactor / PASSES_OF_RUN);
}

/**
 * Makes the records of one block, a group of passes at a time.
 * @param number - the block's place in the corpus; with the seed it decides all random numbers.
 */
export async function* createRuns(
  documents: Iterable<Document>,
  number: number,
  options: RecordOptions,
): AsyncGenerator<RecordRun> {
  const { settings, heldOut, pause } = options;
  const { randomSeed, dupeFactor } = settings;
  const builders = [blockBuilder(settings), blockBuilder(settings)] as const;
  let read = 0;
  for (const document of documents) {
    builders[isHeldOut(document, heldOut, randomSeed) ? 1 : 0].add(document);
    if (++read % DOCUMENTS_A_TURN === 0) await pause();
  }
  const blocks = builders.map((builder) => takeBlock(builder, settings));
  let counts = addCounts(builders[0].counts, builders[1].counts);
  for (let group = 0; group < runsOfBlock(dupeFactor); group++) {
    const passes = Math.min(PASSES_OF_RUN, dupeFactor - group * PASSES_OF_RUN);
    const writers = [];
    for (const [side, block] of blocks.entries()) {
      const writer = new RecordWriter(options, Random.derive(randomSeed, number, group, side));
      for (let pass = 0; pass < passes; pass++) await writer.addPass(block);
      writers.push(writer);
    }
    const [data, kept] = writers as [RecordWriter, RecordWriter];
    yield {
      group,
      data: data.finish(),
      heldOut: kept.finish(),
      stats: { ...counts, ...addCounts(data.made, kept.made) },
    };
    counts = addCounts(counts, counts, 0);
  }
}

function blockBuilder(settings: InstanceSettings): TokenBlockBuilder {
  const { tokenizer, segmenter } = settings;
  const continues = continuationTable(tokenizer.vocabulary);
  return new TokenBlockBuilder({
    tokenizer,
    segmenter,
    markWords: (_text, pieces, wordEnds) => alignWords(pieces, wordEnds, continues),
    maxSentenceTokens: maxTextTokens(settings),
  });
}

/** The block of a builder as it is packed. */
export function takeBlock(builder: TokenBlockBuilder, { crossDocuments, tokenizer }: InstanceSettings): TokenBlock {
  const block = builder.take();
  return crossDocuments ? joinDocuments(block, tokenizer.vocabulary.ids.sep) : block;
}

/** The sum of two lots of counts, times a factor. */
export function addCounts<T extends object>(a: T, b: T, factor = 1): T {
  const sum = Object.entries(a).map(([key, value]) => [key, factor * (value + b[key as keyof T])]);
  return Object.fromEntries(sum) as T;
}

/** Assembles, masks and writes examples in memory that is used again for each. */
class RecordWriter {
  readonly made = { instances: 0, instanceTokens: 0, maskedTokens: 0, randomNext: 0 } satisfies Omit<
    InstanceStats,
    keyof TextCounts
  >;
  readonly #options: RecordOptions;
  readonly #random: Random;
  readonly #drawer: MaskDrawer;
  readonly #ids: Int32Array;
  readonly #wordStarts: Uint8Array;
  #bytes = new Uint8Array(0);
  #used = 0;
  #index = new Uint32Array(0);
  #buckets = new Uint8Array(0);

  constructor(options: RecordOptions, random: Random) {
    const { maxSeqLength, masking } = options.settings;
    this.#options = options;
    this.#random = random;
    this.#drawer = new MaskDrawer(masking, maxSeqLength);
    this.#ids = new Int32Array(maxSeqLength);
    this.#wordStarts = new Uint8Array(maxSeqLength);
  }

  async addPass(block: TokenBlock): Promise<void> {
    const packed = packBlock(block, this.#options.settings, this.#random);
    this.#reserve(packed);
    for (let i = 0; i < packed.count; i++) {
      this.#add(block, packed.ranges, i * RANGE_FIELDS);
      if (i % EXAMPLES_A_TURN === EXAMPLES_A_TURN - 1) await this.#options.pause();
    }
    await this.#options.pause();
  }

  finish(): RecordList {
    const count = this.made.instances;
    return {
      count,
      bytes: this.#bytes.subarray(0, this.#used),
      index: this.#index.subarray(0, 2 * count),
      buckets: this.#buckets.subarray(0, count),
    };
  }

  #add(block: TokenBlock, ranges: Int32Array, at: number): void {
    const { settings, layout } = this.#options;
    const { cls: clsId, sep: sepId } = settings.tokenizer.vocabulary.ids;
    const [ids, wordStarts, drawer, random] = [this.#ids, this.#wordStarts, this.#drawer, this.#random];
    const seqLength = exampleLength(ranges, at);
    const firstLength = assembleInto(ids, wordStarts, block, ranges, at, { clsId, sepId });
    const predictions = drawer.draw(ids, wordStarts, seqLength, random);
    const label = ranges[at + 4]!;
    const { positions, labels } = drawer;
    const content = { seqLength, predictions, firstLength, label, ids, wordStarts, positions, labels };
    const end = writeRecord(content, layout, this.#bytes, this.#used);
    const made = this.made;
    this.#index[2 * made.instances] = seqLength | (predictions << 16);
    this.#index[2 * made.instances + 1] = crc32c(this.#bytes.subarray(this.#used, end));
    this.#buckets[made.instances] = random.integer(BUCKETS);
    this.#used = end;
    made.instances += 1;
    made.instanceTokens += seqLength;
    made.maskedTokens += predictions;
    made.randomNext += label;
  }

  /** Room for the examples of a pass, at the size that they can have at most. */
  #reserve({ count, ranges }: PackedExamples): void {
    const { layout, settings } = this.#options;
    let needed = this.#used;
    for (let i = 0; i < count; i++) {
      const seqLength = exampleLength(ranges, i * RANGE_FIELDS);
      needed += recordSize(seqLength, Math.min(seqLength, settings.masking.maxPredictionsPerSeq), layout);
    }
    const records = this.made.instances + count;
    this.#bytes = grown(this.#bytes, this.#used, needed, (length) => new Uint8Array(length));
    this.#index = grown(this.#index, 2 * this.made.instances, 2 * records, (length) => new Uint32Array(length));
    this.#buckets = grown(this.#buckets, this.made.instances, records, (length) => new Uint8Array(length));
  }
}

/** The array itself where it is long enough, else a longer one with what is used of it. */
function grown<T extends Uint8Array | Uint32Array>(
  array: T,
  used: number,
  needed: number,
  make: (length: number) => T,
): T {
  if (needed <= array.length) return array;
  const longer = make(Math.max(needed, 2 * used));
  longer.set(array.subarray(0, used));
  return longer;
}
