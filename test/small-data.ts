/** Options for making small shards of a corpus, as the tests of stopping, resuming and sharing share them. */
import { openCorpus } from "../src/node/corpus.ts";
import type { MakeDataOptions } from "../src/node/make-data.ts";
import { loadTokenizer } from "../src/node/vocabulary-file.ts";

/** Pairs of up to 64 tokens, whole words masked, two passes. @param output - the data folder. */
export async function smallDataOptions(corpus: string, output: string) {
  return {
    corpus: await openCorpus([corpus]),
    outputs: [output],
    format: "shards",
    tokenizer: await loadTokenizer(),
    segmenter: { name: "intl" },
    masking: "whole-word",
    maxSeqLength: 64,
    maxPredictionsPerSeq: 10,
    maskedLmProb: 0.15,
    shortSeqProb: 0.1,
    dupeFactor: 2,
    randomSeed: 3,
    nextSentence: true,
    googleCompatible: false,
    splitsSentences: true,
    heldOut: 0.2,
    blockBytes: 4000,
    shardBytes: 20_000,
    workers: 1,
  } satisfies MakeDataOptions;
}
