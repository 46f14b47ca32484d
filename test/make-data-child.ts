/**
 * A process that makes training data and ends itself by SIGKILL after some milliseconds, unless it is done before:
 * tsx test/make-data-child.ts corpus output workers killAfterMs. Prints how many milliseconds the work has taken.
 */
import { openCorpus } from "../src/node/corpus.ts";
import { makeData } from "../src/node/make-data.ts";
import { loadTokenizer } from "../src/node/vocabulary-file.ts";

const [corpus = "", output = "", workers, killAfterMs] = process.argv.slice(2);
const tokenizer = await loadTokenizer();
const began = performance.now();
setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(killAfterMs)).unref();
await makeData({
  corpus: await openCorpus([corpus]),
  outputs: [output],
  format: "shards",
  tokenizer,
  segmenter: { name: "intl" },
  masking: "whole-word",
  maxSeqLength: 64,
  maxPredictionsPerSeq: 10,
  maskedLmProb: 0.15,
  shortSeqProb: 0.1,
  dupeFactor: 10,
  randomSeed: 3,
  nextSentence: true,
  googleCompatible: false,
  splitsSentences: true,
  heldOut: 0.2,
  blockBytes: 4000,
  shardBytes: 20_000,
  workers: Number(workers),
});
console.log(performance.now() - began);
