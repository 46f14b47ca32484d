/**
 * Runs the sides of a benchmark in strict turn and gathers what they tell. The loop is our own: mitata and tinybench time
 * one function after the other in one process, so that a slow minute of the machine falls on one side alone.
 */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { given } from "../src/util/given.ts";
import { type Amounts, type Bench, type Facts, type PeerCommand, type Settings, type Side, Skip } from "./bench.ts";
import { SideProcess } from "./side-process.ts";
import { pairedRatios, type Spread, spread } from "./statistics.ts";

/** Threads of an engine keep spinning for a moment after its run, and would take time from the next side. */
const PAUSE_MS = 100;

/** A side's results. */
export interface SideResult {
  readonly name: string;
  readonly version: string;
  readonly amounts: Amounts;
  readonly seconds: readonly number[];
  readonly rate: Spread;
  /** MiB. */
  readonly peakMb: number;
  /** The median of each fact. */
  readonly facts: Facts;
}

/** How many times as fast as theirs ours was, run by run, and how much of their memory it took. */
export interface ComparisonResult {
  readonly ours: string;
  /** The fastest of them. */
  readonly theirs: string;
  readonly ratio: Spread;
  readonly goal?: number;
  /** Ours at its peak, of that of the one with the least. */
  readonly memory: { readonly theirs: string; readonly share: number; readonly goal?: number };
}

/** All results of a benchmark. */
export interface BenchResult {
  readonly settings: Settings;
  readonly sides: readonly SideResult[];
  readonly comparisons: readonly ComparisonResult[];
  readonly skipped: readonly { readonly side: string; readonly reason: string }[];
  readonly problems: readonly string[];
}

interface Started {
  readonly side: Side;
  readonly process: SideProcess;
  readonly runs: Facts[];
}

/**
 * Runs one benchmark.
 * @param file - of the benchmark. @param rounds - timed runs of each side. @param say - shows what is going on.
 */
export async function runBench(
  bench: Bench,
  file: URL,
  settings: Settings,
  rounds: number,
  say: (line: string) => void,
): Promise<BenchResult> {
  const started: Started[] = [];
  const skipped: { side: string; reason: string }[] = [];
  try {
    for (const side of bench.sides) {
      say(`preparing ${side.name}`);
      try {
        started.push({ side, process: await SideProcess.start(commandOf(side, file, settings)), runs: [] });
      } catch (error) {
        // A peer that breaks off lacks a program or a module; one of our own sides would be at fault.
        if (!(error instanceof Skip || "peer" in side)) throw error;
        skipped.push({ side: side.name, reason: (error as Error).message });
      }
    }
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      // Every other round goes backwards, so that no side always follows the same one.
      const order = round % 2 === 0 ? [...started].reverse() : started;
      for (const { process, runs } of order) {
        runs.push(await process.run());
        await setTimeout(PAUSE_MS);
      }
    }
  } finally {
    for (const { process } of started) await process.stop();
  }
  const sides = started.map((one) => summarize(one, bench));
  return { settings, sides, comparisons: compare(bench, sides), skipped, problems: differences(bench, sides) };
}

function commandOf(side: Side, file: URL, settings: Settings): PeerCommand {
  if ("peer" in side) return side.peer(settings);
  const serve = fileURLToPath(new URL("./serve.ts", import.meta.url));
  return {
    command: process.execPath,
    args: ["--import", "tsx", serve, file.href, side.name, JSON.stringify(settings)],
  };
}

function summarize({ side, process, runs }: Started, { rate }: Bench): SideResult {
  const { version, amounts, peakMb, extra } = process;
  const seconds = runs.map((run) => run["seconds"] as number);
  const amount = (amounts[rate.amount] as number) * rate.scale;
  const names = Object.keys(runs[0] ?? {});
  const medians = names.map((name) => [name, spread(runs.map((run) => run[name] as number)).median]);
  const facts: Facts = { ...extra, ...Object.fromEntries(medians) };
  return { name: side.name, version, amounts, seconds, rate: spread(seconds.map((s) => amount / s)), peakMb, facts };
}

/** Amounts that are not the same on all sides, and what facts show to be wrong, in words. */
function differences({ same, problem }: Bench, sides: readonly SideResult[]): string[] {
  const wrong = sides.flatMap(({ name, facts }) => {
    const words = problem?.(facts);
    return words === undefined ? [] : [`${name}: ${words}`];
  });
  const unequal = same.flatMap((amount) => {
    const differ = new Set(sides.map(({ amounts }) => amounts[amount])).size > 1;
    return differ ? [`${amount}: ${sides.map(({ name, amounts }) => `${name} ${amounts[amount]}`).join(", ")}`] : [];
  });
  return [...unequal, ...wrong];
}

/** Of several peers those count whose results can be compared. */
export function compare({ comparisons, rate, problem }: Bench, sides: readonly SideResult[]): ComparisonResult[] {
  return comparisons.flatMap(({ ours: name, theirs, goal, memoryGoal }) => {
    const ours = sides.find((side) => side.name === name);
    const wanted = typeof theirs === "string" ? [theirs] : theirs;
    const [first, ...others] = sides.filter(
      ({ name: other, facts }) => wanted.includes(other) && (wanted.length === 1 || problem?.(facts) === undefined),
    );
    if (ours === undefined || first === undefined) return [];
    const fastest = others.reduce((best, side) => (side.rate.median > best.rate.median ? side : best), first);
    const smallest = others.reduce((best, side) => (side.peakMb < best.peakMb ? side : best), first);
    const rates = ({ seconds, amounts }: SideResult) => seconds.map((s) => (amounts[rate.amount] as number) / s);
    const memory = { theirs: smallest.name, share: ours.peakMb / smallest.peakMb, ...given({ goal: memoryGoal }) };
    const ratio = pairedRatios(rates(ours), rates(fastest));
    return [{ ours: name, theirs: fastest.name, ratio, ...given({ goal }), memory }];
  });
}
