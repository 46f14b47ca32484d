/** From a corpus on disk to training data on disk, in one of three formats; nothing counts until all is written. */
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Document, readDocuments } from "../data/corpus.ts";
import { createPretrainingInstances, type InstanceStats } from "../data/create-instances.ts";
import { isHeldOut } from "../data/held-out.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { encodeInstanceLine } from "../data/jsonl.ts";
import { splitSentences } from "../data/sentences.ts";
import { MAX_SEQ_LENGTH, type Masking, type ShardSettings } from "../data/shards.ts";
import { encodeExample, frameRecord } from "../data/tfrecord.ts";
import { ArgumentError, CorpusError, InterruptedError, verbatim } from "../errors.ts";
import { exceedTokens } from "../text/added-tokens.ts";
import type { Segmenter } from "../text/segmenter.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { SPECIAL_TOKENS } from "../text/vocabulary.ts";
import { type Corpus, keepCorpus } from "./corpus.ts";
import { DatasetWriter, type Split } from "./dataset.ts";
import { type AtomicFile, createAtomicFile } from "./files.ts";

/** What training data can be written as. */
export const DATA_FORMATS = ["shards", "tfrecord", "jsonl"] as const;
/** shards: a folder that pre-training reads; tfrecord: files as Google's program writes them; jsonl: one object a line. */
export type DataFormat = (typeof DATA_FORMATS)[number];

/** Options of {@link makeData}. */
export interface MakeDataOptions {
  readonly corpus: Corpus;
  /** A folder for shards, one file for jsonl, one or more files for tfrecord (instances go round). */
  readonly outputs: readonly string[];
  readonly format: DataFormat;
  readonly tokenizer: BertTokenizer;
  readonly segmenter: Segmenter;
  readonly masking: Masking;
  readonly maxSeqLength: number;
  readonly maxPredictionsPerSeq: number;
  readonly maskedLmProb: number;
  readonly shortSeqProb: number;
  readonly dupeFactor: number;
  readonly randomSeed: number;
  readonly nextSentence: boolean;
  readonly googleCompatible: boolean;
  /** Cut lines at 。！？； and the like, so that a line may be a paragraph. */
  readonly splitsSentences: boolean;
  /** The share of documents that go into shards of their own, for evaluation; the corpus is then read twice. */
  readonly heldOut: number;
  readonly shardBytes?: number;
  readonly maxLineBytes?: number;
  /** Stops the work; nothing is left behind. */
  readonly signal?: AbortSignal;
  /**
   * Called now and then: bytes of text that are done (over both passes, when there are two; text counts in part when it
   * is read and in full when its instances are made), and instances made.
   */
  readonly onProgress?: (bytes: number, instances: number) => void;
}

/** What was read and made. */
export interface DataReport extends InstanceStats {
  /** Of `instances`, those kept apart for evaluation. */
  readonly heldOutInstances: number;
  readonly corpusBytes: number;
  readonly outputBytes: number;
}

/** A document longer than this (12 MB of Chinese) is cut, so that a corpus without blank lines does not fill the memory. */
const MAX_DOCUMENT_LENGTH = 1 << 22;
/** Instances between two turns of the event loop: often enough for Ctrl-C. */
const INSTANCES_A_TURN = 2048;

/**
 * Makes training data.
 * @throws {ArgumentError} when options contradict each other or the length is over 512.
 * @throws {CorpusError} when the corpus is empty or cannot be read as text. @throws {FileError} when a file cannot be
 * read or written. @throws {InterruptedError} when aborted. In each case the output is what it was before.
 */
export async function makeData(options: MakeDataOptions): Promise<DataReport> {
  checkOptions(options);
  const { signal } = options;
  const sink = await openSink(options);
  try {
    const passes: readonly Split[] = options.heldOut > 0 ? ["data", "held-out"] : ["data"];
    const results: PassResult[] = [];
    for (const split of passes) results.push(await runPass(split, sink, options, results[0]?.bytes ?? 0));
    const stats = results.map((result) => result.stats).reduce(addStats);
    const heldOutInstances = results[1]?.stats.instances ?? 0;
    signal?.throwIfAborted();
    const outputBytes = await sink.commit({ ...stats, heldOutInstances });
    return { ...stats, heldOutInstances, corpusBytes: results[0]?.bytes ?? 0, outputBytes };
  } catch (error) {
    if (!(error instanceof InterruptedError) && (signal?.aborted !== true || error !== signal.reason)) throw error;
    throw new InterruptedError({
      where: "data",
      expected: "the work to be finished",
      got: verbatim("an interruption"),
      hint: `nothing was written; what was in ${options.outputs.join(", ")} before is unchanged`,
      cause: error,
    });
  } finally {
    await sink.abort();
  }
}

function checkOptions(options: MakeDataOptions): void {
  const { maxSeqLength, maxPredictionsPerSeq, heldOut, format, corpus, outputs, segmenter } = options;
  if (maxSeqLength > MAX_SEQ_LENGTH) {
    throw new ArgumentError({
      where: "maxSeqLength",
      expected: `at most ${MAX_SEQ_LENGTH}`,
      got: maxSeqLength,
      hint: "BERT models have 512 position embeddings; longer text is cut into several instances",
    });
  }
  if (maxPredictionsPerSeq > MAX_SEQ_LENGTH) {
    const expected = `at most ${MAX_SEQ_LENGTH}`;
    throw new ArgumentError({ where: "maxPredictionsPerSeq", expected, got: maxPredictionsPerSeq });
  }
  if (!(heldOut >= 0 && heldOut < 1)) {
    throw new ArgumentError({ where: "heldOut", expected: "a share in [0, 1)", got: heldOut });
  }
  if (heldOut > 0 && (format !== "shards" || !corpus.isRepeatable)) {
    const got = format === "shards" ? corpus.name : format;
    throw new ArgumentError({ where: "heldOut", expected: "format shards and a corpus of files", got });
  }
  if (segmenter.needsWholeLines === true && (heldOut > 0 || options.splitsSentences)) {
    throw new ArgumentError({
      where: heldOut > 0 ? "heldOut" : "splitsSentences",
      expected: "a segmenter that does not count the corpus's lines",
      got: segmenter.name,
      hint: "its words belong to all lines of the corpus, uncut and in order: leave this option out",
    });
  }
  keepCorpus(corpus, outputs);
  checkOutputs(outputs, format);
}

function checkOutputs(outputs: readonly string[], format: DataFormat): void {
  if (outputs.length < 1 || (outputs.length > 1 && format !== "tfrecord")) {
    throw new ArgumentError({ where: "outputs", expected: `one for format ${format}`, got: outputs.length });
  }
  const paths = outputs.map((path) => resolve(path));
  const twice = outputs.find((_, i) => paths.indexOf(paths[i] as string) < i);
  if (twice === undefined) return;
  const hint = "instances go to the files in turn: give each its own name";
  throw new ArgumentError({ where: "outputs", expected: "files of different names", got: twice, hint });
}

interface PassResult {
  readonly stats: InstanceStats;
  readonly bytes: number;
}

/** Makes the instances of the documents on one side. */
async function runPass(split: Split, sink: Sink, options: MakeDataOptions, bytesBefore: number): Promise<PassResult> {
  let stats: InstanceStats | undefined;
  let made = 0;
  const work = new TextWork(options.dupeFactor);
  const report = () => options.onProgress?.(bytesBefore + work.bytesDone, made);
  const documents = readSide(split, options, (read) => {
    work.bytesRead = read;
    report();
  });
  const onStats = (soFar: InstanceStats) => {
    stats = soFar;
  };
  const onBlock = (examples: number) => work.beginBlock(examples);
  const pause = async () => {
    await setImmediate();
    options.signal?.throwIfAborted();
    report();
  };
  for await (const instance of createPretrainingInstances(documents, { ...options, onBlock, onStats, pause })) {
    await sink.add(instance, split);
    work.addExample();
    if (++made % INSTANCES_A_TURN === 0) await pause();
  }
  report();
  return { stats: stats as InstanceStats, bytes: work.bytesRead };
}

/** The time that a pass over a text takes, as a share of that for reading and segmenting it; for the progress shown alone. */
const PASS_TIME = 0.6;

/** How much of a text is done: it is read in blocks, and then the examples of the block are made. */
class TextWork {
  bytesRead = 0;
  readonly #readingShare: number;
  /** Bytes of the blocks before, and of the block whose examples are being made. */
  #bytesBefore = 0;
  #bytesOfBlock = 0;
  #examples = 0;
  #made = 0;

  constructor(dupeFactor: number) {
    this.#readingShare = 1 / (1 + PASS_TIME * dupeFactor);
  }

  beginBlock(examples: number): void {
    this.#bytesBefore += this.#bytesOfBlock;
    this.#bytesOfBlock = this.bytesRead - this.#bytesBefore;
    this.#examples = examples;
    this.#made = 0;
  }

  addExample(): void {
    this.#made += 1;
  }

  get bytesDone(): number {
    const read = this.bytesRead - this.#bytesBefore;
    const made = this.#examples === 0 ? this.#bytesOfBlock : this.#bytesOfBlock * (this.#made / this.#examples);
    return this.#bytesBefore + this.#readingShare * read + (1 - this.#readingShare) * made;
  }
}

/** The documents of one side of the held-out split; all of them when there is none. */
async function* readSide(
  split: Split,
  options: MakeDataOptions,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Document> {
  const { corpus, googleCompatible, splitsSentences, heldOut, randomSeed, maxLineBytes, signal } = options;
  const groups = corpus.read({
    partsFiles: !googleCompatible,
    onBytes,
    ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
    ...(signal === undefined ? {} : { signal }),
  });
  const documents = readDocuments(groups, {
    where: corpus.name,
    ...(googleCompatible ? {} : { maxDocumentLength: MAX_DOCUMENT_LENGTH }),
    ...(splitsSentences ? { splitLine: splitSentences } : {}),
  });
  let count = 0;
  for await (const document of documents) {
    if (heldOut > 0 && isHeldOut(document, heldOut, randomSeed) !== (split === "held-out")) continue;
    count++;
    yield document;
  }
  if (count > 0) return;
  throw new CorpusError({
    where: corpus.name,
    expected: `documents on both sides of a held-out share of ${heldOut}`,
    got: verbatim(`none for ${split === "data" ? "training" : "evaluation"}`),
    hint: "documents are parted by blank lines: give more of them, or another share",
  });
}

function addStats(a: InstanceStats, b: InstanceStats): InstanceStats {
  const sum = Object.entries(a).map(([key, value]) => [key, value + b[key as keyof InstanceStats]]);
  return Object.fromEntries(sum) as unknown as InstanceStats;
}

/** Where instances go. */
interface Sink {
  add(instance: PretrainingInstance, split: Split): Promise<void>;
  /** @returns bytes written. */
  commit(statistics: Readonly<Record<string, number>>): Promise<number>;
  abort(): Promise<void>;
}

async function openSink(options: MakeDataOptions): Promise<Sink> {
  const { format, outputs, tokenizer } = options;
  if (format === "shards") return openShards(outputs[0] as string, options);
  const encode =
    format === "jsonl"
      ? (instance: PretrainingInstance) => encodeInstanceLine(instance, tokenizer.vocabulary)
      : (instance: PretrainingInstance) => frameRecord(encodeExample(instance, options));
  return openFiles(outputs, encode);
}

function openShards(folder: string, options: MakeDataOptions): Promise<DatasetWriter> {
  const { tokenizer, segmenter, maskedLmProb, shortSeqProb, googleCompatible, shardBytes } = options;
  const { maxSeqLength, maxPredictionsPerSeq, masking, nextSentence, randomSeed, dupeFactor } = options;
  const { vocabulary } = tokenizer;
  const { rules, lowercase, curlyQuotes, addedTokens } = tokenizer.options;
  const added = exceedTokens(addedTokens, Object.values(SPECIAL_TOKENS)) ? { addedTokens } : {};
  const common = { maxSeqLength, maxPredictionsPerSeq, masking, nextSentence, randomSeed, dupeFactor };
  const settings: ShardSettings = { vocabularyHash: vocabulary.hash(), vocabSize: vocabulary.size, ...common };
  return DatasetWriter.create(folder, {
    settings,
    vocabulary,
    tokenizer: { rules, lowercase, curlyQuotes, ...added },
    generation: { maskedLmProb, shortSeqProb, segmenter: segmenter.name, googleCompatible },
    ...(shardBytes === undefined ? {} : { shardBytes }),
  });
}

/** Instances go to the files in turn, as Google's program does. */
async function openFiles(
  paths: readonly string[],
  encode: (instance: PretrainingInstance) => Uint8Array,
): Promise<Sink> {
  const files: AtomicFile[] = [];
  const abort = async () => {
    for (const file of files) await file.abort();
  };
  try {
    for (const path of paths) files.push(await createAtomicFile(path));
  } catch (error) {
    await abort();
    throw error;
  }
  let next = 0;
  return {
    add: (instance) => (files[next++ % files.length] as AtomicFile).write(encode(instance)),
    commit: async () => {
      for (const file of files) await file.sync();
      for (const file of files) await file.commit();
      return files.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
    },
    abort,
  };
}
