/** The process of one of our sides: `serve.ts <bench> <side> <settings as JSON>`; the protocol is in side-process.ts. */
import { createInterface } from "node:readline";
import { type Bench, type Facts, type Settings, Skip, type Work } from "./bench.ts";

/** Untimed runs: the engine allocates its memory in the first, and the compiler is done after a few. */
const WARM_UP = 3;

async function timed(work: Work): Promise<Facts> {
  const began = performance.now();
  const told = await work.run();
  const seconds = (performance.now() - began) / 1000;
  return { seconds, peak_rss_mb: process.resourceUsage().maxRSS / 1024, ...told };
}

async function prepare(benchFile: string, sideName: string, settings: Settings): Promise<Work> {
  const { default: bench } = (await import(benchFile)) as { readonly default: Bench };
  const side = bench.sides.find(({ name }) => name === sideName);
  if (!side || !("prepare" in side)) throw new Error(`${benchFile} has no side ${sideName} for this process`);
  const work = await side.prepare(settings);
  for (let i = 0; i < (work.warmUps ?? WARM_UP); i++) await work.run();
  return work;
}

const answer = (record: object) => process.stdout.write(`${JSON.stringify(record)}\n`);
const [benchFile, sideName, settings] = process.argv.slice(2) as [string, string, string];
try {
  const work = await prepare(benchFile, sideName, JSON.parse(settings) as Settings);
  answer({ ready: true, version: work.version, amounts: work.amounts, extra: work.facts });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "quit") break;
    if (line.trim() === "run") answer(await timed(work));
  }
} catch (error) {
  if (!(error instanceof Skip)) throw error;
  answer({ ready: false, skipped: error.message });
}
process.exit();
