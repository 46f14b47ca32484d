/** Where instances go: the shards of a data folder, or files that they fill in turn. */
import type { GenerationSettings } from "../data/dataset.ts";
import { type FilterOptions, NO_FILTERS } from "../data/filter-lines.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { encodeInstanceLine } from "../data/jsonl.ts";
import { maskingCode, parseMasking } from "../data/masking-variants.ts";
import type { ShardSettings } from "../data/shards.ts";
import { encodeExample, frameRecord } from "../data/tfrecord.ts";
import { exceedTokens } from "../text/added-tokens.ts";
import { SPECIAL_TOKENS } from "../text/vocabulary.ts";
import type { SegmenterSettings } from "./data-job.ts";
import type { MakeDataOptions } from "./data-options.ts";
import { DatasetWriter, type DatasetWriterOptions } from "./dataset.ts";
import { type AtomicFile, createAtomicFile, digestOfFile } from "./files.ts";

/** The settings that shards of these options have. */
export function shardSettings(options: MakeDataOptions): ShardSettings {
  const { maxSeqLength, maxPredictionsPerSeq, masking, nextSentence, randomSeed, dupeFactor, tokenizer } = options;
  const common = {
    maxSeqLength,
    maxPredictionsPerSeq,
    masking: maskingCode(masking),
    nextSentence,
    randomSeed,
    dupeFactor,
  };
  return { vocabularyHash: tokenizer.vocabulary.hash(), vocabSize: tokenizer.vocabulary.size, ...common };
}

/** Begins the data folder. @throws {FileError} as `DatasetWriter.create`. */
export async function openShards(
  options: MakeDataOptions,
  onShard?: DatasetWriterOptions["onShard"],
): Promise<DatasetWriter> {
  const { tokenizer, segmenter, maskedLmProb, shortSeqProb, googleCompatible, shardBytes } = options;
  const { rules, lowercase, curlyQuotes, addedTokens } = tokenizer.options;
  const added = exceedTokens(addedTokens, Object.values(SPECIAL_TOKENS)) ? { addedTokens } : {};
  return DatasetWriter.create(options.outputs[0] as string, {
    settings: shardSettings(options),
    vocabulary: tokenizer.vocabulary,
    tokenizer: { rules, lowercase, curlyQuotes, ...added },
    generation: {
      maskedLmProb,
      shortSeqProb,
      segmenter: segmenter.name,
      googleCompatible,
      ...variantSettings(options),
      ...(await sourceSettings(options)),
    },
    ...(options.words === undefined ? {} : { maskingWords: options.words }),
    ...(shardBytes === undefined ? {} : { shardBytes }),
    ...(onShard === undefined ? {} : { onShard }),
  });
}

/** What is not the usual. */
function variantSettings(options: MakeDataOptions): Partial<GenerationSettings> {
  const { masking, maskTokenProb, randomTokenProb, ngramWeights, swapSegments, crossDocuments } = options;
  return {
    ...(parseMasking(masking).length === 1 ? {} : { masking }),
    ...(maskTokenProb === undefined ? {} : { maskTokenProb }),
    ...(randomTokenProb === undefined ? {} : { randomTokenProb }),
    ...(ngramWeights === undefined ? {} : { ngramWeights }),
    ...(swapSegments === true ? { swapSegments } : {}),
    ...(crossDocuments === true ? { crossDocuments } : {}),
  };
}

/** What the text went through: the files of the segmenter, and filters that are on. */
async function sourceSettings({ segmenter, filters = {} }: MakeDataOptions): Promise<Partial<GenerationSettings>> {
  const { userDictionary, referenceFile } = segmenter as SegmenterSettings;
  const active = Object.entries(filters).filter(([name, value]) => value !== NO_FILTERS[name as keyof FilterOptions]);
  return {
    ...(userDictionary === undefined ? {} : { userDictionary: await digestOfFile(userDictionary) }),
    ...(referenceFile === undefined ? {} : { referenceFile: await digestOfFile(referenceFile) }),
    ...(active.length === 0 ? {} : { filters: Object.fromEntries(active.sort(([a], [b]) => (a < b ? -1 : 1))) }),
  };
}

/** Files that appear together when they are committed. */
export interface InstanceFiles {
  add(instance: PretrainingInstance): Promise<void>;
  /** @returns bytes written. */
  commit(): Promise<number>;
  abort(): Promise<void>;
}

/** Instances go to the files in turn, as Google's program does. @throws {FileError} when one cannot be written. */
export async function openFiles(options: MakeDataOptions): Promise<InstanceFiles> {
  const { format, outputs, tokenizer } = options;
  const encode =
    format === "jsonl"
      ? (instance: PretrainingInstance) => encodeInstanceLine(instance, tokenizer.vocabulary)
      : (instance: PretrainingInstance) => frameRecord(encodeExample(instance, options));
  const files: AtomicFile[] = [];
  const abort = async () => {
    for (const file of files) await file.abort();
  };
  try {
    for (const path of outputs) files.push(await createAtomicFile(path));
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
