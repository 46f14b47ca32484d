/**
 * `npm run bench [-- name... --rounds=5 --batch=8]`: runs benchmarks and prints medians, ranges and ratios. All of it goes to
 * .bench/<name>.json, the tables and the machine to .bench/<name>.md, charts beside them. A benchmark is a file
 * `<name>.bench.ts` of this folder.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Bench, Settings } from "./bench.ts";
import { casesOf, defaultsOf } from "./cases.ts";
import { costCharts } from "./charts.ts";
import { benchFolder } from "./corpus.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { type BenchResult, runBench } from "./run-bench.ts";
import { consoleText, type Measured, markdownText } from "./tables.ts";

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
  const lines = ["npm run bench -- [name...] [--rounds=N] [--setting=VALUE]", ""];
  for (const [name, { bench }] of benches) {
    const cases = casesOf(bench, {}).length;
    lines.push(`${name}: ${bench.summary} (rounds ${bench.rounds}${cases > 1 ? `, ${cases} cases` : ""})`);
    for (const [setting, [value, text]] of Object.entries(bench.settings))
      lines.push(`    --${setting}=${value}  ${text}`);
  }
  return lines.join("\n");
}

interface Arguments {
  readonly names: readonly string[];
  readonly rounds: number | undefined;
  readonly given: Settings;
}

/** The names, and the settings that are given. */
function readArguments(benches: ReadonlyMap<string, Found>): Arguments {
  const settings = [...benches.values()].flatMap(({ bench }) => Object.entries(bench.settings));
  const words = new Set(settings.flatMap(([name, [value]]) => (typeof value === "string" ? [name] : [])));
  const options = Object.fromEntries(
    ["rounds", ...settings.map(([name]) => name)].map((name) => [name, { type: "string" as const }]),
  );
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
  const { rounds, ...given } = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, words.has(name) ? String(value) : wholeNumber(name, value)]),
  );
  return { names: positionals.length > 0 ? positionals : [...benches.keys()], rounds: rounds as number, given };
}

function wholeNumber(name: string, value: unknown): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${name}: expected a whole number above 0, got ${value}`);
  process.exit(2);
}

/** Progress, when somebody looks at it. */
function say(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

/** Writes what there is so far, so that an interrupted run leaves its finished cases. */
async function write(measured: Measured, defaults: Settings): Promise<void> {
  const { name, bench, machine, date, results } = measured;
  const record = { bench: name, date, machine, unit: bench.rate.unit, results };
  writeFileSync(`${benchFolder}${name}.json`, `${JSON.stringify(record, null, 2)}\n`);
  const charts = await costCharts(measured, defaults);
  for (const [setting, svg] of charts) writeFileSync(`${benchFolder}${name}-${setting}.svg`, svg);
  const files = [...charts.keys()].map((setting) => `${name}-${setting}.svg`);
  writeFileSync(`${benchFolder}${name}.md`, markdownText(measured, files));
}

const benches = await findBenches();
const { names, rounds, given } = readArguments(benches);
const machine = describeMachine();
console.log(machineLine(machine));
mkdirSync(benchFolder, { recursive: true });
for (const name of names) {
  const { bench, file } = benches.get(name) as Found;
  const date = new Date().toISOString();
  const results: BenchResult[] = [];
  for (const settings of casesOf(bench, given)) {
    const result = await runBench(bench, file, settings, rounds ?? bench.rounds, say);
    results.push(result);
    say("");
    console.log(`\n${name}: ${bench.summary}; ${JSON.stringify(settings)}\n${consoleText(bench, result)}`);
    await write({ name, bench, machine, date, results }, defaultsOf(bench, given));
    if (result.problems.length > 0) process.exitCode = 1;
  }
}
