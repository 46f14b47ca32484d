/**
 * The sides of the benchmarks of making data: text to whole-word-masked instances, from a file, start of the program included.
 *
 * Ours is the command as a user runs it: pairs of sentences packed to the full length, shuffled over the corpus and written to
 * shards. The peer masks each line by itself, without pairs or a shuffle, and keeps the arrays in memory, so it does less.
 * Processor time is told as well: on a machine that others use, it says more than the time that has passed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Facts, type Settings, type Side, Skip, type Work } from "./bench.ts";
import { benchFolder, corpusBytes, vocabularyPath } from "./corpus.ts";
import { pythonPeer } from "./peers.ts";

const [MAX_LENGTH, MAX_PREDICTIONS] = [128, 20];
/** The fastest of so many starts is taken: what a run costs before there is text. */
const START_UPS = 3;
/** What the peer starts with to find out what a run costs before there is text. */
const TINY_TEXT = "一个句子。\n又一个句子。\n\n另一个文档。\n它也有两句。\n";
const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** Tells the peak memory and the processor time of a program's process when it ends, on a file descriptor of its own. */
const reporter = `import { readFileSync, writeSync } from "node:fs";
process.on("exit", () => {
  const kilobytes = process.platform === "linux"
    ? /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]
    : process.resourceUsage().maxRSS;
  const { user, system } = process.cpuUsage();
  writeSync(3, JSON.stringify({ peak_rss_mb: Number(kilobytes) / 1024, cpu_seconds: (user + system) / 1e6 }));
});
`;

/** One sentence a line, as both sides want it; the rule of the peer. */
function sentences(text: string): string {
  return text.replace(/(?<=[。？！；])(?=[^\n”’」』）])/g, "\n");
}

/** Runs the command once in a fresh process. */
async function makeData(folder: string, corpus: string, preload: string, settings: Settings): Promise<Facts> {
  const output = join(folder, "data");
  const { dupe, workers } = settings;
  const options = ["--dupe-factor", `${dupe}`, "--workers", `${workers}`, "--max-seq-length", `${MAX_LENGTH}`];
  const more = [
    "--no-split-sentences",
    "--max-predictions-per-seq",
    String(MAX_PREDICTIONS),
    "--vocab",
    vocabularyPath(),
    "--json",
  ];
  const args = ["--import", preload, program, "data", corpus, "-o", output, ...options, ...more];
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const texts = child.stdio.slice(1).map(async (stream) => {
    let text = "";
    for await (const chunk of stream as NodeJS.ReadableStream) text += chunk;
    return text;
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  const seconds = (performance.now() - began) / 1000;
  const [stdout, stderr, facts] = await Promise.all(texts);
  rmSync(output, { recursive: true, force: true });
  if (status !== 0) throw new Error(`zhbert data ended with ${status}: ${stderr}`);
  const { instances } = JSON.parse(stdout?.trim().split("\n").at(-1) ?? "{}") as { readonly instances: number };
  return { seconds, instances, ...(JSON.parse(facts ?? "{}") as Facts) };
}

async function ourData(settings: Settings, mb: number): Promise<Work> {
  if (!existsSync(program)) throw new Skip("dist/ is not there: run npm run build");
  const folder = mkdtempSync(join(tmpdir(), "zhbert-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(benchFolder, { recursive: true });
  const preload = join(folder, "reporter.mjs");
  writeFileSync(preload, reporter);
  const [corpus, tiny] = [join(folder, "corpus.txt"), join(folder, "tiny.txt")];
  const text = sentences(corpusBytes(mb).toString());
  writeFileSync(corpus, text);
  writeFileSync(tiny, TINY_TEXT);
  const bytes = Buffer.byteLength(text);
  let startup = Number.POSITIVE_INFINITY;
  for (let i = 0; i < START_UPS; i++) {
    const { seconds } = await makeData(folder, tiny, preload, settings);
    startup = Math.min(startup, seconds as number);
  }
  const run = async (): Promise<Facts> => {
    const facts = await makeData(folder, corpus, preload, settings);
    const after = (facts["seconds"] as number) - startup;
    return { ...facts, mb_per_s_after_startup: bytes / 1e6 / Math.max(1e-9, after) };
  };
  return { version: "jieba in Rust (@node-rs/jieba)", amounts: { bytes }, run };
}

/** Our command. @param size - the setting that says how many megabytes of text it gets. */
export function zhbertData(name: string, size: string): Side {
  return { name, prepare: (settings) => ourData(settings, settings[size] as number) };
}

/** The route by Hugging Face's reference file, its segmentation in Rust. @param size - as above. */
export function referenceData(name: string, size: string): Side {
  return {
    name,
    peer: (settings) =>
      pythonPeer("wwm_data.py", {
        peer: "reference-rjieba",
        mb: settings[size] as number,
        dupe: settings["dupe"] as number,
        "max-length": MAX_LENGTH,
        "max-predictions": MAX_PREDICTIONS,
      }),
  };
}

/** What the table says of a side. */
export function remarkOfData({ mb_per_s_after_startup: rate, instances, cpu_seconds: cpu }: Facts): string {
  const processor = cpu === undefined ? "" : `; ${cpu.toFixed(1)} s of processor time`;
  return `${rate?.toFixed(1)} MB/s after the start; ${instances} instances${processor}`;
}
