/**
 * From a corpus on disk to training data on disk, in two steps: blocks of text become runs of records (by worker threads),
 * then the records of all runs are shuffled together and written. Nothing counts until all is written.
 *
 * The bytes depend on the text and the options alone: not on the number of workers, nor on how often the work was stopped
 * and went on. Memory is bounded by the number of workers.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { decodeRecord } from "../data/_record.ts";
import { DuplicateFilter } from "../data/duplicate-lines.ts";
import { addCounts } from "../data/example-records.ts";
import { activeCounts, type FilterCounts, filterDocuments, noFilterCounts } from "../data/filter-lines.ts";
import type { InstanceStats } from "../data/instance-settings.ts";
import { readBlock } from "../data/read-block.ts";
import { SPLITS, type Split } from "../data/run-file.ts";
import { shuffleRuns } from "../data/shuffle-runs.ts";
import { cutBlocks, type TextBlock } from "../data/text-blocks.ts";
import { DataError, verbatim } from "../errors.ts";
import { commandOf, countWorkers, findParts, isPart, isResumable, jobOf } from "./data-command.ts";
import { interruption, missingParts, noneHeldOut, noPlaceForPart, noText } from "./data-errors.ts";
import { type DataJob, prepareWork } from "./data-job.ts";
import { checkDataOptions, type DataReport, type MakeDataOptions } from "./data-options.ts";
import { type BlockPool, inProcessPool, type OnBlock, WorkerPool } from "./data-pool.ts";
import { type InstanceFiles, openFiles, openShards } from "./data-sinks.ts";
import { WorkFolder } from "./data-work-folder.ts";
import type { DatasetWriter } from "./dataset.ts";
import { makeGoogleData } from "./make-data-google.ts";

export { DATA_FORMATS, type DataFormat, type DataPart, type DataReport, type MakeDataOptions } from "./data-options.ts";

/** Records between two turns of the event loop. */
const RECORDS_A_TURN = 8192;
/** The share of the time that making runs takes; for the progress shown alone. */
const RUNS_SHARE = 0.9;

/**
 * Makes training data.
 * @throws {ArgumentError} when options contradict each other or the length is over 512.
 * @throws {CorpusError} when the corpus is empty or cannot be read as text. @throws {FileError} when a file cannot be
 * read or written, another run writes to the same output, or another command left unfinished data there.
 * @throws {RuntimeError} when a worker dies. @throws {InterruptedError} when aborted. In each case the output is what it
 * was before; blocks that are finished are kept beside it, and the same command goes on from there.
 */
export async function makeData(options: MakeDataOptions): Promise<DataReport> {
  checkDataOptions(options);
  if (options.googleCompatible) return makeGoogleData(options);
  return new DataMaking(options, await jobOf(options)).run();
}

/** One run of the command. */
class DataMaking {
  readonly #options: MakeDataOptions;
  readonly #job: DataJob;
  readonly #workers: number;
  readonly #duplicates: DuplicateFilter | undefined;
  /** The blocks of this run, in order: all, or those of its part. */
  readonly #blocks: number[] = [];
  #blocksDone = 0;
  #instances = 0;
  #textBytes = 0;
  /** Bytes of the corpus that are read, and those of blocks that are done. */
  #bytesRead = 0;
  #bytesDone = 0;

  constructor(options: MakeDataOptions, job: DataJob) {
    this.#options = options;
    this.#job = job;
    this.#workers = countWorkers(options);
    this.#duplicates = job.filters.dropDuplicates ? new DuplicateFilter() : undefined;
  }

  async run(): Promise<DataReport> {
    const options = this.#options;
    const command = await commandOf(options, this.#job);
    let work: WorkFolder | undefined;
    const isOnePart = isPart(options.part);
    const resumable = isResumable(options, this.#job);
    if (isOnePart && !resumable) throw noPlaceForPart(options.outputs[0] as string);
    const shards =
      options.format === "shards" && !isOnePart
        ? await openShards(options, async (shard) => work?.noteShard(shard))
        : undefined;
    let isFinished = false;
    try {
      const { dupeFactor, overwrite = false } = options;
      work = await WorkFolder.open(this.#job.folder, command, { dupeFactor, overwrite, isResumable: resumable });
      const parts = isOnePart || !resumable ? [] : await findParts(this.#job.folder);
      await work.addParts(parts, command, { dupeFactor, overwrite });
      const sources = await this.#makeRuns(work, resumable);
      const report = isOnePart ? await this.#reportPart(work) : await this.#write(work, sources, shards);
      isFinished = true;
      return report;
    } catch (error) {
      throw interruption(error, options.signal, this.#interruptionHint(resumable));
    } finally {
      const isLeft = isOnePart || !isFinished;
      const isKept = isLeft && resumable && (isFinished || this.#blocksDone > 0 || work?.isContinued === true);
      await work?.close(isKept, !isFinished);
      if (isKept) shards?.suspend();
      else await shards?.abort();
    }
  }

  #interruptionHint(isResumable: boolean): string {
    const outputs = this.#options.outputs.join(", ");
    if (this.#blocksDone === 0 || !isResumable)
      return `nothing was written; what was in ${outputs} before is unchanged`;
    const kept = `${this.#blocksDone} finished blocks of text are kept in ${this.#job.folder}`;
    return `${kept}: the same command goes on from there; what was in ${outputs} before is unchanged`;
  }

  /** Makes the runs of all blocks that have none yet. @returns the digest of each block. */
  async #makeRuns(work: WorkFolder, isResumable: boolean): Promise<string[]> {
    const { corpus, maxLineBytes, blockBytes, signal, part } = this.#options;
    const missing: number[] = [];
    const bytesOfBlock: number[] = [];
    const pool = await this.#openPool((block, instances) => {
      this.#blockDone(bytesOfBlock[block] ?? 0, instances);
    });
    const sources: string[] = [];
    try {
      const onBytes = (bytes: number) => {
        this.#bytesRead = bytes;
      };
      const chunks = corpus.chunks({ onBytes, ...(signal === undefined ? {} : { signal }) });
      let bytesBefore = 0;
      const cut = {
        format: this.#job.reading.format,
        ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
        ...(blockBytes === undefined ? {} : { blockBytes }),
      };
      for await (const block of cutBlocks(chunks, cut)) {
        const isNew = this.#duplicates === undefined ? undefined : this.#findNew(block, this.#duplicates);
        bytesOfBlock.push(this.#bytesRead - bytesBefore);
        bytesBefore = this.#bytesRead;
        signal?.throwIfAborted();
        if (isPart(part) && block.number % part.count !== part.index - 1) {
          this.#progress(bytesOfBlock.at(-1) ?? 0, 0);
          continue;
        }
        const source = work.sourceOf(block, isNew);
        sources.push(source);
        this.#blocks.push(block.number);
        this.#textBytes += block.bytes.length;
        if (isResumable && (await work.isDone(block.number, source))) this.#blockDone(bytesOfBlock.at(-1) ?? 0, 0);
        else if (part === "merge") missing.push(block.number);
        else await pool.submit({ block, source, ...(isNew === undefined ? {} : { isNew }) });
      }
      await pool.drain();
      if (missing.length > 0) throw missingParts(this.#job.folder, missing, this.#blocks.length);
    } finally {
      await pool.close();
    }
    return sources;
  }

  /** For each line of a block that the other filters keep: whether it is new. In this thread, since it depends on all lines before. */
  #findNew(block: TextBlock, duplicates: DuplicateFilter): Uint8Array<ArrayBuffer> {
    const { reading, filters } = this.#job;
    const isNew: number[] = [];
    const note = (line: string): boolean => isNew.push(duplicates.add(line) ? 1 : 0) > 0;
    const documents = filterDocuments(readBlock(block, reading), filters, reading, note, noFilterCounts());
    while (documents.next().done !== true);
    return Uint8Array.from(isNew);
  }

  #blockDone(bytes: number, instances: number): void {
    this.#blocksDone += 1;
    this.#progress(bytes, instances);
  }

  #progress(bytes: number, instances: number): void {
    this.#bytesDone += bytes;
    this.#instances += instances;
    this.#options.onProgress?.(RUNS_SHARE * this.#bytesDone, this.#instances);
  }

  async #openPool(onBlock: OnBlock): Promise<BlockPool> {
    const { signal, tokenizer, segmenter } = this.#options;
    if (this.#workers > 1) return new WorkerPool(this.#workers, this.#job, onBlock, signal);
    const work = await prepareWork(this.#job, { tokenizer, ...("segment" in segmenter ? { segmenter } : {}) });
    return inProcessPool(work, () => this.#pause(), onBlock);
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#options.signal?.throwIfAborted();
  }

  /** What the runs of a part hold; they stay where they are. */
  async #reportPart(work: WorkFolder): Promise<DataReport> {
    const { stats, counts, filtered } = await this.#addUp(work);
    this.#options.onProgress?.(this.#bytesRead, stats.instances);
    return { ...this.#reportOf(stats, counts["held-out"], filtered, 0), partFolder: work.path };
  }

  #reportOf(
    stats: InstanceStats,
    heldOutInstances: number,
    filtered: Partial<FilterCounts>,
    outputBytes: number,
  ): DataReport {
    const duplicateErrorRate = this.#duplicates?.errorRate ?? 0;
    const made = { corpusBytes: this.#textBytes, outputBytes, workers: this.#workers };
    return { ...stats, heldOutInstances, ...made, filtered, duplicateErrorRate };
  }

  /** Shuffles the records of all runs together and writes them. */
  async #write(work: WorkFolder, sources: readonly string[], shards: DatasetWriter | undefined): Promise<DataReport> {
    const { corpus, heldOut } = this.#options;
    const { stats, counts, filtered } = await this.#addUp(work);
    if (stats.tokens === 0) throw noText(corpus.name, filtered.linesRead);
    for (const split of SPLITS) if (heldOut > 0 && counts[split] === 0) throw noneHeldOut(corpus.name, heldOut, split);
    const heldOutInstances = counts["held-out"];
    const statistics = { ...stats, heldOutInstances, ...filtered };
    const outputBytes =
      shards === undefined
        ? await this.#writeFiles(work, stats.instances)
        : await this.#writeShards(work, sources, shards, statistics);
    this.#options.onProgress?.(this.#bytesRead, stats.instances);
    return this.#reportOf(stats, heldOutInstances, filtered, outputBytes);
  }

  /** What all runs say of themselves. */
  async #addUp(work: WorkFolder) {
    const runs = work.runs(this.#blocks);
    let stats: InstanceStats = { ...NOTHING };
    let all = noFilterCounts();
    const counts: Record<Split, number> = { data: 0, "held-out": 0 };
    for (let i = 0; i < runs.count; i++) {
      const { reader, close } = await runs.open(i);
      await close();
      stats = addCounts(stats, reader.head.stats);
      all = addCounts(all, reader.head.filtered);
      for (const [side, split] of SPLITS.entries()) counts[split] += reader.head.records[side] as number;
    }
    const filtered: Partial<FilterCounts> = {};
    for (const name of activeCounts(this.#job.filters)) filtered[name] = all[name];
    return { stats, counts, filtered };
  }

  async #writeShards(
    work: WorkFolder,
    sources: readonly string[],
    shards: DatasetWriter,
    statistics: Readonly<Record<string, number>>,
  ): Promise<number> {
    const runs = createHash("sha256").update(sources.join("\n")).digest("hex");
    const finished = await work.finishedShards(this.#options.outputs[0] as string, runs);
    shards.resume(finished);
    let written = 0;
    for (const split of SPLITS) {
      let skipped = finished.reduce((sum, shard) => sum + (shard.split === split ? shard.instances : 0), 0);
      written += skipped;
      for await (const group of this.#shuffled(work, split)) {
        const from = Math.min(skipped, group.count);
        skipped -= from;
        for (let i = from; i < group.count; i++) {
          const { bytes, lengths, checksum } = group.record(i);
          const writing = shards.addRecord(bytes, lengths, checksum, split);
          if (writing !== undefined) await writing;
          if (++written % RECORDS_A_TURN === 0) await this.#turn(written, statistics["instances"] as number);
        }
      }
      await shards.endSplit(split);
    }
    this.#options.signal?.throwIfAborted();
    return shards.commit(statistics);
  }

  async #writeFiles(work: WorkFolder, instances: number): Promise<number> {
    const files: InstanceFiles = await openFiles(this.#options);
    try {
      let written = 0;
      for await (const group of this.#shuffled(work, "data")) {
        for (let i = 0; i < group.count; i++) {
          const { bytes, lengths } = group.record(i);
          const instance = decodeRecord(bytes, lengths & 0xffff, lengths >>> 16, this.#job.layout);
          if (typeof instance === "string") throw impossible(this.#job.folder, instance);
          await files.add(instance);
          if (++written % RECORDS_A_TURN === 0) await this.#turn(written, instances);
        }
      }
      this.#options.signal?.throwIfAborted();
      return await files.commit();
    } finally {
      await files.abort();
    }
  }

  #shuffled(work: WorkFolder, split: Split) {
    const { randomSeed } = this.#options;
    return shuffleRuns(work.runs(this.#blocks), {
      split,
      layout: this.#job.layout,
      randomSeed,
      pause: () => this.#pause(),
    });
  }

  async #turn(written: number, instances: number): Promise<void> {
    await this.#pause();
    const share = RUNS_SHARE + (1 - RUNS_SHARE) * (written / instances);
    this.#options.onProgress?.(share * this.#bytesRead, instances);
  }
}

const NOTHING: InstanceStats = {
  documents: 0,
  sentences: 0,
  tokens: 0,
  words: 0,
  unknownTokens: 0,
  unalignedSentences: 0,
  instances: 0,
  instanceTokens: 0,
  maskedTokens: 0,
  randomNext: 0,
};

function impossible(where: string, got: string): DataError {
  return new DataError({
    where,
    expected: "possible instances",
    got: verbatim(got),
    hint: "begin anew with --overwrite",
  });
}
