/** Results as tables: for the terminal, and as Markdown with the machine that they belong to. */
import Table from "cli-table3";
import type { Bench } from "./bench.ts";
import { type Machine, machineLine } from "./machine.ts";
import type { BenchResult } from "./run-bench.ts";
import { shown, shownSpread } from "./statistics.ts";

interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** All that was measured of a benchmark. */
export interface Measured {
  readonly name: string;
  readonly bench: Bench;
  readonly machine: Machine;
  readonly date: string;
  readonly results: readonly BenchResult[];
}

function sideRows({ rate, remark }: Bench, { sides }: BenchResult): Rows {
  const rows = sides.map((side) => {
    const text = [side.version, remark?.(side.facts, side.amounts)].filter(Boolean).join("; ");
    return [side.name, shownSpread(side.rate), Math.round(side.peakMb).toString(), text];
  });
  return { head: ["side", `${rate.unit}: median (min-max)`, "peak MiB", ""], rows };
}

function comparisonRows({ comparisons }: BenchResult): Rows {
  const verdict = (goal: number | undefined, isReached: boolean) =>
    goal === undefined ? [] : [`goal ${shown(goal)}: ${isReached ? "reached" : "missed"}`];
  const rows = comparisons.map(({ ours, theirs, ratio, goal, memory }) => [
    `${ours} / ${theirs}`,
    [shownSpread(ratio), ...verdict(goal, ratio.median >= (goal ?? 0))].join("; "),
    [
      `${shown(memory.share)}${memory.theirs === theirs ? "" : ` of ${memory.theirs}`}`,
      ...verdict(memory.goal, memory.share <= (memory.goal ?? 1)),
    ].join("; "),
  ]);
  return { head: ["compared", "times as fast", "times its memory"], rows };
}

/** What a table does not show. */
function notes({ skipped, problems }: BenchResult): string[] {
  return [
    ...skipped.map(({ side, reason }) => `skipped ${side}: ${reason}`),
    ...problems.map((problem) => `NOT COMPARABLE: ${problem}`),
  ];
}

/** A case for the terminal. */
export function consoleText(bench: Bench, result: BenchResult): string {
  const style = { head: [], border: [], compact: true };
  const tables = [sideRows(bench, result), comparisonRows(result)].filter(({ rows }) => rows.length > 0);
  const drawn = tables.map(({ head, rows }) => {
    const table = new Table({ head: [...head], style });
    table.push(...rows.map((row) => [...row]));
    return table.toString();
  });
  return [...drawn, ...notes(result)].join("\n");
}

/** All cases as Markdown, with the command that measures them anew. @param charts - names of the charts' files. */
export function markdownText({ name, bench, machine, date, results }: Measured, charts: readonly string[]): string {
  const cases = results.map((result) => {
    const options = Object.entries(result.settings).filter(([, value]) => value !== "");
    const command = `npm run bench -- ${name} ${options.map(([key, value]) => `--${key}=${value}`).join(" ")}`;
    const tables = [sideRows(bench, result), comparisonRows(result)].filter(({ rows }) => rows.length > 0);
    return [`\`${command}\``, ...tables.map(markdownTable), ...notes(result).map((note) => `- ${note}`)].join("\n\n");
  });
  const rounds = results[0]?.sides[0]?.seconds.length ?? 0;
  const about = `${date.slice(0, 10)}; ${machineLine(machine)}; rounds: ${rounds}.`;
  const pictures = charts.map((file) => `![${name}: ${file}](${file})`);
  return `${[`### ${name}`, `${bench.summary}.`, about, ...cases, ...pictures].join("\n\n")}\n`;
}

function markdownTable({ head, rows }: Rows): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
