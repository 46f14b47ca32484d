/** The text of the benchmarks: free Chinese articles beside the checkout, or else the package's own examples, repeated. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sharedPath } from "./peers.ts";

/** The folder for results and for what is prepared once; git ignores it. */
export const benchFolder = fileURLToPath(new URL("../.bench/", import.meta.url));

const LINE_FEED = 10;
const CORPUS = "lctt";

/** The vocabulary that all sides use. */
export function vocabularyPath(): string {
  return sharedPath("assets/vocab.txt") ?? fileURLToPath(new URL("../assets/vocab.txt", import.meta.url));
}

/** The first whole lines of the corpus, up to so many megabytes (10^6 bytes): the rule of the peers' corpus(). */
export function corpusBytes(megabytes: number): Buffer {
  const whole = sharedCorpus() ?? examples(megabytes * 1e6);
  const cut = whole.subarray(0, megabytes * 1e6);
  return cut.subarray(0, cut.lastIndexOf(LINE_FEED) + 1);
}

/** The lines of a text that hold something. */
export function linesOf(bytes: Buffer): string[] {
  return bytes
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}

function sharedCorpus(): Buffer | undefined {
  const archive = sharedPath(`data/corpus/${CORPUS}.txt.xz`);
  if (archive === undefined) return undefined;
  const unpacked = `${benchFolder}${CORPUS}.txt`;
  if (!existsSync(unpacked)) {
    mkdirSync(benchFolder, { recursive: true });
    const text = execFileSync("xz", ["-dc", archive], { maxBuffer: 1 << 30 });
    writeFileSync(`${unpacked}.part`, text);
    renameSync(`${unpacked}.part`, unpacked);
  }
  return readFileSync(unpacked);
}

function examples(sizeBytes: number): Buffer {
  const folder = fileURLToPath(new URL("../examples/corpus/", import.meta.url));
  const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  const once = Buffer.concat(files.sort().map((name) => readFileSync(folder + name)));
  return Buffer.concat(Array.from({ length: Math.ceil(sizeBytes / once.length) + 1 }, () => once));
}
