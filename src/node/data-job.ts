/** Work on blocks of text: from a block to its runs on the disk, by whichever thread. */
import { join } from "node:path";
import type { RecordLayout } from "../data/_record.ts";
import { createRuns, type RecordOptions } from "../data/example-records.ts";
import { type FilterOptions, filterDocuments, noFilterCounts } from "../data/filter-lines.ts";
import { type CreateInstancesOptions, completeSettings } from "../data/instance-settings.ts";
import { readBlock, type TextReading, toSentences } from "../data/read-block.ts";
import { encodeRun } from "../data/run-file.ts";
import { splitSentences } from "../data/sentences.ts";
import type { TextBlock } from "../data/text-blocks.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import type { TokenizerOptions } from "../text/tokenizer-options.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { makeFolder, writeFileAtomic } from "./files.ts";
import { createSegmenter } from "./segmenters.ts";

/** A segmenter by its name, as {@link createSegmenter} makes it: plain data, so that each worker can make its own. */
export interface SegmenterSettings {
  readonly name: string;
  readonly userDictionary?: string;
  readonly referenceFile?: string;
}

/** All that decides what becomes of a block, as plain data. */
export interface DataJob {
  /** The folder of the runs. */
  readonly folder: string;
  readonly vocabulary: readonly string[];
  readonly tokenizer: Required<TokenizerOptions>;
  readonly segmenter: SegmenterSettings;
  readonly instances: Omit<CreateInstancesOptions, "tokenizer" | "segmenter" | "onBlock" | "onStats" | "pause">;
  readonly layout: RecordLayout;
  readonly heldOut: number;
  readonly reading: TextReading;
  readonly filters: FilterOptions;
  readonly splitsSentences: boolean;
}

/** A block to work on, and the digest of all that its runs come from. */
export interface BlockTask {
  readonly block: TextBlock;
  readonly source: string;
  /** uint8; for each line that all other filters keep, in order: 1 where it is no duplicate. */
  readonly isNew?: Uint8Array<ArrayBuffer>;
}

/** Works on one block. @returns the number of instances. */
export type BlockWork = (task: BlockTask, pause: () => Promise<void>) => Promise<number>;

/** The file of a run. */
export function runPath(folder: string, block: number, group: number): string {
  // Folders of a thousand: some file systems are slow with more names in one.
  const thousand = String(Math.floor(block / 1000)).padStart(3, "0");
  return join(folder, `runs-${thousand}`, `block-${block}-${group}.zhbrun`);
}

/**
 * Prepares tokenizer and segmenter for blocks.
 * @param ready - those that are there already, in the thread that made the job.
 * @throws {ArgumentError} @throws {FileError} @throws {CorpusError} as {@link createSegmenter} does.
 */
export async function prepareWork(
  job: DataJob,
  ready: { readonly tokenizer?: BertTokenizer; readonly segmenter?: Segmenter } = {},
): Promise<BlockWork> {
  const tokenizer = ready.tokenizer ?? new BertTokenizer(Vocabulary.fromTokens(job.vocabulary), job.tokenizer);
  const { name, ...files } = job.segmenter;
  const segmenter = ready.segmenter ?? (await createSegmenter(name, { tokenizer, ...files }));
  const settings = completeSettings({ ...job.instances, tokenizer, segmenter });
  return async ({ block, source, isNew }, pause) => {
    const options: RecordOptions = { settings, layout: job.layout, heldOut: job.heldOut, pause };
    const counts = noFilterCounts();
    let line = 0;
    const isKept = () => isNew?.[line++] !== 0;
    const lines = filterDocuments(readBlock(block, job.reading), job.filters, job.reading, isKept, counts);
    const documents = toSentences(lines, job.splitsSentences ? splitSentences : undefined);
    let instances = 0;
    for await (const run of createRuns(documents, block.number, options)) {
      const path = runPath(job.folder, block.number, run.group);
      await makeFolder(join(path, ".."));
      await writeFileAtomic(
        path,
        encodeRun(run, { source, filtered: run.group === 0 ? counts : noFilterCounts() }, job.layout),
      );
      instances += run.stats.instances;
    }
    return instances;
  };
}
