/** Training data as Google's program makes it: one thread, one generator, one shuffle, the whole corpus in memory. */
import { setImmediate } from "node:timers/promises";
import { type Document, readDocuments } from "../data/corpus.ts";
import { createPretrainingInstances } from "../data/create-instances.ts";
import { addCounts } from "../data/example-records.ts";
import { isHeldOut } from "../data/held-out.ts";
import type { InstanceStats } from "../data/instance-settings.ts";
import type { Split } from "../data/run-file.ts";
import { splitSentences } from "../data/sentences.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { interruption, noneHeldOut } from "./data-errors.ts";
import type { DataReport, MakeDataOptions } from "./data-options.ts";
import { openFiles, openShards } from "./data-sinks.ts";
import { createSegmenter } from "./segmenters.ts";

/** Instances between two turns of the event loop: often enough for Ctrl-C. */
const INSTANCES_A_TURN = 2048;

const UNFILTERED = { filtered: {}, duplicateErrorRate: 0 };

/** Makes training data; nothing is written before all is made. @throws as `makeData`. */
export async function makeGoogleData(options: MakeDataOptions): Promise<DataReport> {
  const { signal, format } = options;
  const segmenter = await segmenterOf(options);
  const sink = format === "shards" ? await openShards(options) : await openFiles(options);
  try {
    const passes: readonly Split[] = options.heldOut > 0 ? ["data", "held-out"] : ["data"];
    const results: PassResult[] = [];
    for (const split of passes) {
      const before = results[0]?.bytes ?? 0;
      results.push(await runPass(split, (instance) => sink.add(instance, split), { ...options, segmenter }, before));
    }
    const stats = results.map((result) => result.stats).reduce((a, b) => addCounts(a, b));
    const heldOutInstances = results[1]?.stats.instances ?? 0;
    signal?.throwIfAborted();
    const outputBytes = await sink.commit({ ...stats, heldOutInstances });
    return { ...stats, heldOutInstances, corpusBytes: results[0]?.bytes ?? 0, outputBytes, workers: 1, ...UNFILTERED };
  } catch (error) {
    throw interruption(
      error,
      signal,
      `nothing was written; what was in ${options.outputs.join(", ")} before is unchanged`,
    );
  } finally {
    await sink.abort();
  }
}

function segmenterOf({ segmenter, tokenizer }: MakeDataOptions): Promise<Segmenter> {
  if ("segment" in segmenter) return Promise.resolve(segmenter);
  const { name, ...files } = segmenter;
  return createSegmenter(name, { tokenizer, ...files });
}

interface PassResult {
  readonly stats: InstanceStats;
  readonly bytes: number;
}

type PassOptions = MakeDataOptions & { readonly segmenter: Segmenter };
type Add = (instance: Parameters<Awaited<ReturnType<typeof openFiles>>["add"]>[0]) => Promise<void>;

/** Makes the instances of the documents on one side. */
async function runPass(split: Split, add: Add, options: PassOptions, bytesBefore: number): Promise<PassResult> {
  let stats: InstanceStats | undefined;
  let made = 0;
  let examples = 0;
  let bytes = 0;
  // Text counts half when it is read, and in full when its instances are written.
  const report = () =>
    options.onProgress?.(bytesBefore + (bytes / 2) * (1 + (examples === 0 ? 0 : made / examples)), made);
  const documents = readSide(split, options, (read) => {
    bytes = read;
    report();
  });
  const hooks = {
    onBlock: (count: number) => {
      examples = count;
    },
    onStats: (soFar: InstanceStats) => {
      stats = soFar;
    },
    pause: async () => {
      await setImmediate();
      options.signal?.throwIfAborted();
      report();
    },
  };
  for await (const instance of createPretrainingInstances(documents, { ...options, ...hooks })) {
    await add(instance);
    if (++made % INSTANCES_A_TURN === 0) await hooks.pause();
  }
  report();
  return { stats: stats as InstanceStats, bytes };
}

/** The documents of one side of the held-out split; all of them when there is none. */
async function* readSide(
  split: Split,
  options: MakeDataOptions,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Document> {
  const { corpus, splitsSentences, heldOut, randomSeed, maxLineBytes, signal } = options;
  const groups = corpus.read({
    onBytes,
    ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
    ...(signal === undefined ? {} : { signal }),
  });
  const splitting = splitsSentences ? { splitLine: splitSentences } : {};
  let count = 0;
  for await (const document of readDocuments(groups, { where: corpus.name, ...splitting })) {
    if (heldOut > 0 && isHeldOut(document, heldOut, randomSeed) !== (split === "held-out")) continue;
    count++;
    yield document;
  }
  if (count === 0) throw noneHeldOut(corpus.name, heldOut, split);
}
