/** Training data from the files of one program to those of another. */
import { setImmediate } from "node:timers/promises";
import type { GenerationSettings } from "../data/dataset.ts";
import { wordRestorer } from "../data/restore-words.ts";
import { MAX_SEQ_LENGTH, type Masking, type ShardSettings } from "../data/shards.ts";
import type { ExampleShape } from "../data/tfrecord.ts";
import { ArgumentError, DataError, InterruptedError, verbatim } from "../errors.ts";
import { exceedTokens } from "../text/added-tokens.ts";
import type { Segmenter } from "../text/segmenter.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { SPECIAL_TOKENS } from "../text/vocabulary.ts";
import { checkInstance, documentsOf } from "./convert-documents.ts";
import {
  type DataInputOptions,
  type DocumentInput,
  type InstanceInput,
  largerShape,
  openDataInput,
} from "./data-inputs.ts";
import {
  DOCUMENT_FORMATS,
  type DocumentFormat,
  type DocumentOutput,
  type InstanceOutput,
  openDocumentOutput,
  openInstanceOutput,
} from "./data-outputs.ts";
import { DatasetWriter } from "./dataset.ts";

/** What data can be converted to. */
export const OUTPUT_FORMATS = ["shards", "tfrecord", "jsonl", "parquet", ...DOCUMENT_FORMATS] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Options of {@link convertData}. */
export interface ConvertDataOptions extends DataInputOptions {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly to: OutputFormat;
  /** Of the program that the data come from or go to; ids are those of its vocabulary. */
  readonly tokenizer: BertTokenizer;
  /** Finds words where the data do not say them. */
  readonly segmenter: Segmenter;
  /** How the masks of foreign instances were drawn; whole-word unless said. */
  readonly masking?: Masking;
  /** Lengths that instances are padded to; the input's, or else its longest, unless said. */
  readonly maxSeqLength?: number;
  readonly maxPredictionsPerSeq?: number;
  readonly signal?: AbortSignal;
  /** Called now and then with instances or documents that are written. */
  readonly onProgress?: (done: number) => void;
}

/** What was converted. */
export interface ConvertDataReport {
  readonly from: string;
  readonly to: OutputFormat;
  readonly outputs: readonly string[];
  readonly outputBytes: number;
  readonly instances: number;
  readonly documents: number;
  readonly sentences: number;
  readonly tokens: number;
  /** What the new files cannot hold, or what was added. */
  readonly notes: readonly string[];
}

/** BERT's share of tokens to predict. */
const MASKED_LM_PROB = 0.15;
/** Instances or documents between two turns of the event loop. */
const ITEMS_A_TURN = 1024;

/**
 * Converts training data; the output appears when all of it is written.
 * @throws {ArgumentError} when documents are to become instances, which masks must be drawn for.
 * @throws {DataError} when the data are damaged or of another vocabulary. @throws {FileError} when files cannot be read or
 * written. @throws {InterruptedError} when aborted.
 */
export async function convertData(options: ConvertDataOptions): Promise<ConvertDataReport> {
  const input = await openDataInput(options.inputs, options);
  try {
    const { to } = options;
    const isDocuments = (DOCUMENT_FORMATS as readonly string[]).includes(to);
    if (input.kind === "instances" && !isDocuments) return await convertInstances(input, options);
    if (!isDocuments) throw withoutMasks(input.format, options);
    return await convertDocuments(input, options, to as DocumentFormat);
  } finally {
    await input.close();
  }
}

function withoutMasks(format: string, { inputs, output }: ConvertDataOptions): ArgumentError {
  const [first] = inputs;
  return new ArgumentError({
    where: `data: ${first}`,
    expected: "instances with masks",
    got: verbatim(`documents (${format})`),
    hint:
      format === "text"
        ? `make instances with: zhbert data ${first} -o ${output}`
        : `zhbert data convert ${first} --to text -o - | zhbert data --segmenter spaces --no-split-sentences -o ${output}`,
  });
}

/** What a first reading of instances finds. */
interface Found {
  readonly instances: number;
  readonly shape: ExampleShape;
  readonly hasPairs: boolean;
  readonly hasPredictions: boolean;
  readonly hasWords: boolean;
}

async function scan(input: InstanceInput, options: ConvertDataOptions): Promise<Found> {
  let found = { instances: 0, hasPairs: false, hasPredictions: false, hasWords: true };
  let shape = { maxSeqLength: 1, maxPredictionsPerSeq: 1 };
  for await (const { instance, hasWords } of watched(input.read(), options)) {
    shape = largerShape(shape, instance);
    found = {
      instances: found.instances + 1,
      hasPairs: found.hasPairs || instance.tokenTypeIds.includes(1),
      hasPredictions: found.hasPredictions || instance.maskedLmPositions.length > 0,
      hasWords: found.hasWords && hasWords,
    };
  }
  return { ...found, shape };
}

async function* watched<T>(items: Iterable<T> | AsyncIterable<T>, { signal }: ConvertDataOptions): AsyncGenerator<T> {
  let count = 0;
  for await (const item of items) {
    if (++count % ITEMS_A_TURN === 0) await setImmediate();
    if (signal?.aborted) {
      const hint = "nothing was written; what was there before is unchanged";
      throw new InterruptedError({
        where: "data convert",
        expected: "all data",
        got: verbatim("an interruption"),
        hint,
      });
    }
    yield item;
  }
}

async function convertInstances(input: InstanceInput, options: ConvertDataOptions): Promise<ConvertDataReport> {
  const { to, tokenizer, segmenter, signal } = options;
  const found = await scan(input, options);
  const maxSeqLength = options.maxSeqLength ?? Math.max(found.shape.maxSeqLength, input.shape?.maxSeqLength ?? 1);
  const shape = {
    maxSeqLength,
    maxPredictionsPerSeq:
      options.maxPredictionsPerSeq ??
      Math.max(
        found.shape.maxPredictionsPerSeq,
        input.shape?.maxPredictionsPerSeq ?? 1,
        // Masks that are still to be drawn need room.
        found.hasPredictions ? 1 : Math.ceil(MASKED_LM_PROB * maxSeqLength),
      ),
  };
  const notes: string[] = [];
  if (!found.hasWords && to !== "tfrecord")
    notes.push(`words are those of ${segmenter.name}: the input does not say them`);
  if (to === "tfrecord") notes.push("TFRecords do not say where words begin");
  if (!found.hasPredictions) notes.push("no token is to be predicted: train with --dynamic-masking");
  const restore = wordRestorer(tokenizer.vocabulary, segmenter);
  const output =
    to === "shards"
      ? await openShardOutput(options, input, { ...found, shape })
      : await openInstanceOutput(to as "tfrecord", options.output, { tokenizer, shape });
  const totals = { instances: 0, documents: 0, sentences: 0, tokens: 0 };
  try {
    for await (const { instance, hasWords } of watched(input.read(), options)) {
      checkInstance(instance, totals.instances, input.format, tokenizer, shape);
      await output.add(hasWords || to === "tfrecord" ? instance : restore(instance));
      totals.instances += 1;
      totals.tokens += instance.inputIds.length;
      if (totals.instances % ITEMS_A_TURN === 0) options.onProgress?.(totals.instances);
    }
    signal?.throwIfAborted();
    const outputBytes = await output.commit();
    return { from: input.format, to, outputs: output.paths, outputBytes, ...totals, notes };
  } finally {
    await output.abort();
  }
}

async function openShardOutput(
  options: ConvertDataOptions,
  { described }: InstanceInput,
  { shape, hasPairs, hasPredictions, instances }: Found,
): Promise<InstanceOutput> {
  const { tokenizer, output, masking = "whole-word", segmenter } = options;
  if (shape.maxSeqLength > MAX_SEQ_LENGTH) {
    throw new DataError({
      where: "data",
      expected: `sequences of at most ${MAX_SEQ_LENGTH} tokens`,
      got: shape.maxSeqLength,
      hint: "BERT models have 512 position embeddings: make the data anew with shorter sequences",
    });
  }
  const { vocabulary } = tokenizer;
  const { rules, lowercase, curlyQuotes, addedTokens } = tokenizer.options;
  const added = exceedTokens(addedTokens, Object.values(SPECIAL_TOKENS)) ? { addedTokens } : {};
  const settings: ShardSettings = {
    randomSeed: 0,
    dupeFactor: 1,
    masking: hasPredictions ? masking : "none",
    nextSentence: hasPairs,
    ...described?.settings,
    ...shape,
    vocabularyHash: vocabulary.hash(),
    vocabSize: vocabulary.size,
  };
  const generation: GenerationSettings = described?.generation ?? {
    maskedLmProb: MASKED_LM_PROB,
    shortSeqProb: 0,
    segmenter: segmenter.name,
    googleCompatible: false,
  };
  const { maskingWords: digest, ...kept } = generation;
  const tokenizerSettings = { rules, lowercase, curlyQuotes, ...added };
  const writer = await DatasetWriter.create(output, {
    settings,
    vocabulary,
    tokenizer: tokenizerSettings,
    generation: kept,
    ...(digest === undefined || described === undefined ? {} : { maskingWords: described.maskingWords }),
  });
  return {
    paths: [output],
    add: (instance) => writer.add(instance),
    commit: () => writer.commit({ instances }),
    abort: () => writer.abort(),
  };
}

async function convertDocuments(
  input: InstanceInput | DocumentInput,
  options: ConvertDataOptions,
  to: DocumentFormat,
): Promise<ConvertDataReport> {
  const output = await openDocumentOutput(to, options.output, options.tokenizer);
  const totals = { instances: 0, documents: 0, sentences: 0, tokens: 0 };
  try {
    for await (const document of watched(
      documentsOf(input, options, () => totals.instances++),
      options,
    )) {
      await output.add(document);
      totals.documents += 1;
      totals.sentences += document.length;
      for (const { ids } of document) totals.tokens += ids.length;
      if (totals.documents % ITEMS_A_TURN === 0) options.onProgress?.(totals.documents);
    }
    const outputBytes = await output.commit();
    const notes = notesOf(input, to, output, totals.sentences);
    return { from: input.format, to, outputs: output.paths, outputBytes, ...totals, notes };
  } finally {
    await output.abort();
  }
}

function notesOf(
  { kind }: { kind: string },
  to: DocumentFormat,
  { losses }: DocumentOutput,
  sentences: number,
): string[] {
  const { changedSentences, lostMarks } = losses;
  return [
    ...(kind === "instances"
      ? ["masks, and how pairs were drawn, are left out; text of several passes is there as often"]
      : []),
    ...(to === "reference" ? ["a reference file has no documents, masks or pairs"] : []),
    ...(to === "megatron" ? ["Megatron-LM's ids do not say which Chinese characters belong to one word"] : []),
    ...(changedSentences === 0
      ? []
      : [`${changedSentences} of ${sentences} sentences have a text that is read as other tokens than they had`]),
    ...(lostMarks === 0 ? [] : [`${lostMarks} tokens continue a word but have no ## form, and begin one now`]),
  ];
}
