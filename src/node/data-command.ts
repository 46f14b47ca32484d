/** From options to what workers need and to what tells one command from another. */
import { readdir, stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { NO_FILTERS } from "../data/filter-lines.ts";
import { completeSettings } from "../data/instance-settings.ts";
import { formatMaskingWords } from "../data/masking-words.ts";
import { layoutOf } from "../data/shards.ts";
import { BLOCK_BYTES } from "../data/text-blocks.ts";
import noSegmenter from "../text/segmenters/none.ts";
import { sha256 } from "../util/sha256.ts";
import type { DataJob } from "./data-job.ts";
import { type MakeDataOptions, needsWholeLines } from "./data-options.ts";
import { shardSettings } from "./data-sinks.ts";
import type { DataCommand } from "./data-work-folder.ts";
import { digestOfFile } from "./files.ts";

/** Changes when the same options give other bytes, so that unfinished work of an older version is not gone on with. */
const GENERATION = 2;
const WORK_FOLDER = ".zhbert-work";
/** Follows the name of the work folder where a part is made. */
const PART_SUFFIX = /^-\d+-of-\d+$/;
/** For outputs that have no folder of their own. */
const TEMPORARY_WORK = join(tmpdir(), "zhbert-work-");
/** More threads than this wait for the disk or for memory more than they help; who has them can ask for more. */
const MAX_DEFAULT_WORKERS = 4;

/** Threads that are asked for; else one for each processor and not more than there is text for. */
export function countWorkers({ workers, segmenter, corpus, blockBytes = BLOCK_BYTES }: MakeDataOptions): number {
  if (workers !== undefined) return workers;
  if ("segment" in segmenter || needsWholeLines(segmenter)) return 1;
  const blocks = Math.ceil((corpus.bytes ?? Number.POSITIVE_INFINITY) / blockBytes);
  return Math.max(1, Math.min(availableParallelism(), MAX_DEFAULT_WORKERS, blocks));
}

/** The work on each block, as plain data. @throws {ArgumentError} when an option is out of range. */
export async function jobOf(options: MakeDataOptions): Promise<DataJob> {
  const { tokenizer, segmenter, masking, maxSeqLength, maxPredictionsPerSeq, maskedLmProb, shortSeqProb } = options;
  const { dupeFactor, randomSeed, nextSentence, heldOut, splitsSentences, reading = {}, filters } = options;
  const shares = { maskedLmProb, shortSeqProb, ...variantOf(options) };
  const instances = { masking, maxSeqLength, maxPredictionsPerSeq, dupeFactor, randomSeed, nextSentence, ...shares };
  completeSettings({ ...instances, tokenizer, segmenter: noSegmenter() });
  return {
    folder: await workFolderOf(options),
    vocabulary: tokenizer.vocabulary.tokens,
    tokenizer: tokenizer.options,
    segmenter: "segment" in segmenter ? { name: segmenter.name } : segmenter,
    instances,
    layout: layoutOf(shardSettings(options)),
    heldOut,
    reading: { format: "text", encoding: "utf-8", textField: "text", ...reading },
    filters: { ...NO_FILTERS, ...filters },
    splitsSentences: splitsSentences && reading.format !== "pairs",
  };
}

/** The options of masking and packing that are given. */
function variantOf(options: MakeDataOptions): Partial<DataJob["instances"]> {
  const names = [
    "maskTokenProb",
    "randomTokenProb",
    "ngramWeights",
    "words",
    "swapSegments",
    "crossDocuments",
  ] as const;
  const given = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

/** Whether this run makes one part of the data alone. */
export function isPart(part: MakeDataOptions["part"]): part is Exclude<MakeDataOptions["part"], "merge" | undefined> {
  return part !== undefined && part !== "merge";
}

/** The work folders of parts that lie beside that of the whole, in the order of their names. */
export async function findParts(folder: string): Promise<string[]> {
  const name = basename(folder);
  const names = await readdir(dirname(folder)).catch(() => []);
  const isOfPart = (other: string) => other.startsWith(name) && PART_SUFFIX.test(other.slice(name.length));
  return names
    .filter(isOfPart)
    .sort()
    .map((other) => join(dirname(folder), other));
}

/** Whether a later run can find what this one has finished, and go on with it. */
export function isResumable(options: MakeDataOptions, { folder }: DataJob): boolean {
  return !needsWholeLines(options.segmenter) && !folder.startsWith(TEMPORARY_WORK);
}

/** Within the data folder, or beside the first file; elsewhere for what is no file, such as a pipe. */
async function workFolderOf({ format, outputs, part }: MakeDataOptions): Promise<string> {
  const output = outputs[0] as string;
  const suffix = isPart(part) ? `-${part.index}-of-${part.count}` : "";
  if (format === "shards") return `${join(output, WORK_FOLDER)}${suffix}`;
  const found = await stat(output).catch(() => undefined);
  const isSpecial = found !== undefined && !found.isFile() && !found.isDirectory();
  return isSpecial ? `${TEMPORARY_WORK}${process.pid}` : `${output}${WORK_FOLDER}${suffix}`;
}

/** All that decides the bytes, besides the text; options as people know them. */
export async function commandOf(options: MakeDataOptions, job: DataJob): Promise<DataCommand> {
  const { userDictionary, referenceFile } = job.segmenter;
  const { words } = job.instances;
  const digest = async (path: string | undefined) => (path === undefined ? undefined : digestOfFile(path));
  const { format, outputs, shardBytes, blockBytes } = options;
  return {
    generation: GENERATION,
    output: format,
    ...(format === "shards" ? { shardBytes } : { outputs: outputs.length }),
    ...job.instances,
    words: words && sha256(new TextEncoder().encode(formatMaskingWords(words))),
    heldOut: job.heldOut,
    splitsSentences: job.splitsSentences,
    ...job.reading,
    ...job.filters,
    blockBytes,
    segmenter: job.segmenter.name,
    userDictionary: await digest(userDictionary),
    referenceFile: await digest(referenceFile),
    vocabulary: options.tokenizer.vocabulary.hash(),
    tokenizer: job.tokenizer,
  };
}
