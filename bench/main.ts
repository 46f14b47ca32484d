/**
 * `npm run bench [-- name... --rounds=5 --batch=8]`: runs benchmarks and prints medians, ranges and ratios; the numbers of
 * every run go to .bench/<name>.json. A benchmark is a file `<name>.bench.ts` of this folder.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type { Bench } from "./bench.ts";
import { benchFolder } from "./corpus.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { type BenchResult, runBench } from "./run-bench.ts";
import { shown, shownSpread } from "./statistics.ts";

interface Found {
  readonly file: URL;
  readonly bench: Bench;
}

async function findBenches(): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const name of readdirSync(new URL(".", import.meta.url)).sort()) {
    if (!name.endsWith(".bench.ts")) continue;
    const file = new URL(name, import.meta.url);
    const { default: bench } = (await import(file.href)) as { readonly default: Bench };
    found.set(name.slice(0, -".bench.ts".length), { file, bench });
  }
  return found;
}

function help(benches: ReadonlyMap<string, Found>): string {
  const lines = ["npm run bench -- [name...] [--rounds=N] [--setting=N]", ""];
  for (const [name, { bench }] of benches) {
    lines.push(`${name}: ${bench.summary} (rounds ${bench.rounds})`);
    for (const [setting, [value, text]] of Object.entries(bench.settings))
      lines.push(`    --${setting}=${value}  ${text}`);
  }
  return lines.join("\n");
}

/** The names and whole numbers of the command line. */
function readArguments(benches: ReadonlyMap<string, Found>): { names: string[]; numbers: Record<string, number> } {
  const known = ["rounds", ...[...benches.values()].flatMap(({ bench }) => Object.keys(bench.settings))];
  const options = Object.fromEntries(known.map((name) => [name, { type: "string" as const }]));
  const { values, positionals } = parseArgs({
    options: { ...options, help: { type: "boolean" } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !benches.has(name));
  if (values["help"] || unknown !== undefined) {
    if (unknown !== undefined)
      console.error(`bench: expected one of ${[...benches.keys()].join(", ")}, got ${unknown}`);
    console.log(help(benches));
    process.exit(unknown === undefined ? 0 : 2);
  }
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    numbers[name] = Number(value);
    if (Number.isInteger(numbers[name]) && numbers[name] > 0) continue;
    console.error(`--${name}: expected a whole number above 0, got ${value}`);
    process.exit(2);
  }
  return { names: positionals.length > 0 ? positionals : [...benches.keys()], numbers };
}

function table(head: string[], rows: string[][]): string {
  const style = { head: [], border: [], compact: true };
  const made = new Table({ head, style });
  made.push(...rows);
  return made.toString();
}

function printResult(bench: Bench, { sides, comparisons, skipped, problems }: BenchResult): void {
  const { rate, remark } = bench;
  const rows = sides.map((side) => {
    const text = [side.version, remark?.(side.facts, side.amounts)].filter(Boolean).join("; ");
    return [side.name, shownSpread(side.rate), Math.round(side.peakMb).toString(), text];
  });
  console.log(table(["", `${rate.unit}: median (min-max)`, "peak MiB", ""], rows));
  const ratios = comparisons.map(({ ours, theirs, ratio, goal }) => {
    const verdict = goal === undefined ? "" : `goal ${shown(goal)}: ${ratio.median >= goal ? "reached" : "missed"}`;
    return [`${ours} / ${theirs}`, shownSpread(ratio), verdict];
  });
  if (ratios.length > 0) console.log(table(["", "times as fast", ""], ratios));
  for (const { side, reason } of skipped) console.log(`skipped ${side}: ${reason}`);
  for (const problem of problems) console.log(`NOT THE SAME WORK: ${problem}`);
}

/** Progress, when somebody looks at it. */
function say(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

const benches = await findBenches();
const { names, numbers } = readArguments(benches);
const machine = describeMachine();
console.log(machineLine(machine));
mkdirSync(benchFolder, { recursive: true });
for (const name of names) {
  const { bench, file } = benches.get(name) as Found;
  const defaults = Object.entries(bench.settings).map(([key, [value]]) => [key, numbers[key] ?? value]);
  const settings = Object.fromEntries(defaults) as Record<string, number>;
  const result = await runBench(bench, file, settings, numbers["rounds"] ?? bench.rounds, say);
  say("");
  console.log(`\n${name}: ${bench.summary}; ${JSON.stringify(settings)}`);
  printResult(bench, result);
  const record = { bench: name, date: new Date().toISOString(), machine, unit: bench.rate.unit, ...result };
  writeFileSync(`${benchFolder}${name}.json`, `${JSON.stringify(record, null, 2)}\n`);
  if (result.problems.length > 0) process.exitCode = 1;
}
