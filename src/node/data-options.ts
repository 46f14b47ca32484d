/** What training data are made from and how, and what was made. */
import { resolve } from "node:path";
import { activeCounts, checkFilters, type FilterCounts, type FilterOptions, NO_FILTERS } from "../data/filter-lines.ts";
import type { InstanceStats } from "../data/instance-settings.ts";
import type { MaskingOptions } from "../data/masking.ts";
import type { TextReading } from "../data/read-block.ts";
import { MAX_SEQ_LENGTH } from "../data/shards.ts";
import { ArgumentError } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { type Corpus, keepCorpus } from "./corpus.ts";
import type { SegmenterSettings } from "./data-job.ts";

/** What training data can be written as. */
export const DATA_FORMATS = ["shards", "tfrecord", "jsonl"] as const;
/** shards: a folder that pre-training reads; tfrecord: files as Google's program writes them; jsonl: one object a line. */
export type DataFormat = (typeof DATA_FORMATS)[number];

/** Strings cannot be much longer, and memory would not be bounded by much. */
const MAX_LINE_BYTES = 256 << 20;

/** Options of {@link makeData}. */
export interface MakeDataOptions extends MaskingOptions {
  readonly corpus: Corpus;
  /** How the corpus is to be read: plain text in UTF-8 unless said. */
  readonly reading?: Partial<TextReading>;
  /** What is cleaned and removed; nothing unless said. */
  readonly filters?: Partial<FilterOptions>;
  /** A folder for shards, one file for jsonl, one or more files for tfrecord (instances go round). */
  readonly outputs: readonly string[];
  readonly format: DataFormat;
  readonly tokenizer: BertTokenizer;
  /** By name, or one of your own: that one works in this thread only. */
  readonly segmenter: Segmenter | SegmenterSettings;
  readonly maxSeqLength: number;
  readonly maxPredictionsPerSeq: number;
  readonly maskedLmProb: number;
  readonly shortSeqProb: number;
  readonly dupeFactor: number;
  readonly randomSeed: number;
  readonly nextSentence: boolean;
  /** With nextSentence: B before A with label 1, instead of a random B. */
  readonly swapSegments?: boolean;
  /** Without nextSentence: examples go on over the ends of documents. */
  readonly crossDocuments?: boolean;
  readonly googleCompatible: boolean;
  /** Cut lines at 。！？； and the like, so that a line may be a paragraph. */
  readonly splitsSentences: boolean;
  /** The share of documents that go into shards of their own, for evaluation. */
  readonly heldOut: number;
  readonly shardBytes?: number;
  readonly maxLineBytes?: number;
  /** Threads that work on the text; 1 works in this thread. By default as many as there are processors, at most 4. */
  readonly workers?: number;
  /**
   * Makes the runs of one part alone, every `count`-th block, into a work folder of its own; nothing is written then.
   * Without `part` what the parts beside the output hold is taken and the rest is made; `merge` refuses gaps.
   */
  readonly part?: DataPart | "merge";
  /** Removes what another command has left unfinished. */
  readonly overwrite?: boolean;
  /** Bytes of text that are worked on at once, for tests; part of what decides the instances. */
  readonly blockBytes?: number;
  /** Stops the work; what is finished is kept for the next run of the same command. */
  readonly signal?: AbortSignal;
  /**
   * Called now and then: bytes of text that are done (over all passes; text counts in part when its instances are made
   * and in full when they are written), and instances made.
   */
  readonly onProgress?: (bytes: number, instances: number) => void;
}

/** One of several machines that make data together: every machine reads the same text with the same options. */
export interface DataPart {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** What was read and made. */
export interface DataReport extends InstanceStats {
  /** Of `instances`, those kept apart for evaluation. */
  readonly heldOutInstances: number;
  readonly corpusBytes: number;
  readonly outputBytes: number;
  /** Threads that worked on the text. */
  readonly workers: number;
  /** What was done to lines, by each step of cleaning and filter that is on. */
  readonly filtered: Readonly<Partial<FilterCounts>>;
  /** The chance at the end that a new line was taken for a duplicate; 0 where duplicates stay. */
  readonly duplicateErrorRate: number;
  /** Of a run that makes one part: where its work lies. All counts are the part's then. */
  readonly partFolder?: string;
}

/** Whether a segmenter must get the corpus's own lines, uncut and in order. */
export function needsWholeLines(segmenter: Segmenter | SegmenterSettings): boolean {
  return "segment" in segmenter ? segmenter.needsWholeLines === true : segmenter.name === "reference";
}

/** @throws {ArgumentError} when options contradict each other or the length is over 512. */
export function checkDataOptions(options: MakeDataOptions): void {
  const { maxSeqLength, maxPredictionsPerSeq, heldOut, format, corpus, outputs } = options;
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
  if (heldOut > 0 && format !== "shards") {
    throw new ArgumentError({ where: "heldOut", expected: "format shards", got: format });
  }
  const { maxLineBytes = 0 } = options;
  if (maxLineBytes > MAX_LINE_BYTES) {
    const hint = "a line is a string in memory; put one sentence or paragraph on a line";
    throw new ArgumentError({ where: "maxLineBytes", expected: `at most ${MAX_LINE_BYTES}`, got: maxLineBytes, hint });
  }
  checkFilters({ ...NO_FILTERS, ...options.filters });
  checkSegmenter(options);
  checkGoogle(options);
  checkPart(options);
  keepCorpus(corpus, outputs);
  checkOutputs(outputs, format);
}

function checkSegmenter(options: MakeDataOptions): void {
  const { segmenter, heldOut, splitsSentences, workers = 1, reading } = options;
  if (needsWholeLines(segmenter)) {
    const isOtherText = (reading?.format ?? "text") !== "text" || hasFilters(options);
    const where = heldOut > 0 ? "heldOut" : splitsSentences ? "splitsSentences" : workers > 1 ? "workers" : undefined;
    if (where !== undefined || isOtherText) {
      throw new ArgumentError({
        where: where ?? "reading",
        expected: "a segmenter that does not count the corpus's lines",
        got: segmenter.name,
        hint: "its words belong to all lines of the corpus, uncut and in order: leave this option out",
      });
    }
  }
  if (workers > 1 && "segment" in segmenter) {
    const hint = "a segmenter of your own cannot be handed to another thread: leave workers out";
    throw new ArgumentError({ where: "workers", expected: "1", got: workers, hint });
  }
  if (!Number.isInteger(workers) || workers < 1) {
    throw new ArgumentError({ where: "workers", expected: "a whole number of at least 1", got: workers });
  }
}

/** Whether anything is cleaned or removed. */
function hasFilters({ filters }: MakeDataOptions): boolean {
  return activeCounts({ ...NO_FILTERS, ...filters }).length > 0;
}

/** Google's program reads plain text, holds it all, and goes through it alone. */
function checkGoogle(options: MakeDataOptions): void {
  const { googleCompatible, workers = 1, reading = {}, corpus, heldOut } = options;
  if (!googleCompatible) return;
  const hint = "leave out googleCompatible";
  const { format = "text", encoding = "utf-8" } = reading;
  if (workers > 1)
    throw new ArgumentError({ where: "workers", expected: "1 with googleCompatible", got: workers, hint });
  if (format !== "text" || encoding !== "utf-8") {
    const expected = "plain text in UTF-8 with googleCompatible";
    throw new ArgumentError({ where: "reading", expected, got: verbatimReading(format, encoding), hint });
  }
  if (hasFilters(options))
    throw new ArgumentError({ where: "filters", expected: "none with googleCompatible", got: options.filters, hint });
  if (heldOut > 0 && !corpus.isRepeatable) {
    throw new ArgumentError({ where: "heldOut", expected: "a corpus of files", got: corpus.name, hint });
  }
}

function checkPart({ part, googleCompatible, segmenter }: MakeDataOptions): void {
  if (part === undefined) return;
  if (googleCompatible || needsWholeLines(segmenter)) {
    throw new ArgumentError({
      where: "part",
      expected: googleCompatible ? "none with googleCompatible" : "a segmenter that does not count the corpus's lines",
      got: googleCompatible ? "googleCompatible" : segmenter.name,
      hint: "such data are made by one machine: leave part out",
    });
  }
  if (part === "merge") return;
  const { index, count } = part;
  if (Number.isInteger(index) && Number.isInteger(count) && index >= 1 && index <= count) return;
  throw new ArgumentError({ where: "part", expected: "a part from 1 to their number", got: `${index}/${count}` });
}

function verbatimReading(format: string, encoding: string): string {
  return `${format} in ${encoding.toUpperCase()}`;
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
