/** WordPiece over Chinese text on one thread: MB of UTF-8 a second, the same lines and vocabulary on all sides. */
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import type { BertTokenizer } from "../src/text/tokenizer.ts";
import type { Bench, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { corpusBytes, linesOf, vocabularyPath } from "./corpus.ts";
import { pythonPeer } from "./peers.ts";

/** [CLS] and [SEP] of each line, which bulk mode leaves out. */
const SPECIAL_TOKENS_A_LINE = 2;
/** One pass takes milliseconds, in which a busy machine gives all of its time or none: a run is the mean of several. */
const BULK_PASSES = 10;

async function ourTokenizer(): Promise<BertTokenizer> {
  const { BertTokenizer } = await built("text/index");
  return BertTokenizer.fromVocabText(readFileSync(vocabularyPath(), "utf8"));
}

/** A side that gives how many tokens it made of all lines. */
function counting(version: string, bytes: number, count: () => number): Work {
  const amounts = { bytes, tokens: count() };
  return { version, amounts, run: () => ({ tokens: count() }) };
}

async function bulk({ mb }: Settings): Promise<Work> {
  const tokenizer = await ourTokenizer();
  const bytes = corpusBytes(mb as number);
  const added = linesOf(bytes).length * SPECIAL_TOKENS_A_LINE;
  const work = counting("", bytes.length, () => tokenizer.encodeBytes(bytes).ids.length + added);
  const run = () => {
    const began = performance.now();
    for (let pass = 0; pass < BULK_PASSES; pass++) work.run();
    return { seconds: (performance.now() - began) / 1000 / BULK_PASSES };
  };
  return { ...work, run };
}

async function encode({ mb }: Settings): Promise<Work> {
  const tokenizer = await ourTokenizer();
  const bytes = corpusBytes(mb as number);
  const lines = linesOf(bytes);
  return counting("", bytes.length, () => lines.reduce((sum, line) => sum + tokenizer.encode(line).ids.length, 0));
}

async function tokenizersJs({ mb }: Settings): Promise<Work> {
  const manifest = readFileSync(
    new URL("../node_modules/@huggingface/tokenizers/package.json", import.meta.url),
    "utf8",
  );
  const { version } = JSON.parse(manifest) as { readonly version: string };
  const tokenizer = new Tokenizer((await ourTokenizer()).toTokenizerJson(), {});
  const bytes = corpusBytes(mb as number);
  const lines = linesOf(bytes);
  const count = () => lines.reduce((sum, line) => sum + tokenizer.encode(line).ids.length, 0);
  return counting(`@huggingface/tokenizers ${version}`, bytes.length, count);
}

const tokenizersPython =
  (peer: string) =>
  ({ mb }: Settings) =>
    pythonPeer("tokenise.py", { peer, mb: mb as number });

const bench: Bench = {
  summary: "text to WordPiece ids, one thread",
  settings: { mb: [5, "megabytes of text"] },
  rounds: 9,
  rate: { amount: "bytes", scale: 1e-6, unit: "MB/s" },
  sides: [
    { name: "zhbert encodeBytes", prepare: bulk },
    { name: "zhbert encode", prepare: encode },
    { name: "tokenizers (JavaScript)", prepare: tokenizersJs },
    { name: "tokenizers (Rust) batch-fast", peer: tokenizersPython("tokenizers-batch-fast") },
    { name: "tokenizers (Rust) encode", peer: tokenizersPython("tokenizers-encode") },
  ],
  comparisons: [
    { ours: "zhbert encodeBytes", theirs: "tokenizers (JavaScript)" },
    { ours: "zhbert encodeBytes", theirs: "tokenizers (Rust) batch-fast" },
    { ours: "zhbert encode", theirs: "tokenizers (JavaScript)" },
    { ours: "zhbert encode", theirs: "tokenizers (Rust) encode" },
  ],
  same: ["bytes", "tokens"],
};
export default bench;
