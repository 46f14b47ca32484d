/** The tables of a protocol: maximum (mean) by model and task as publications print them, spread, published bands, comparisons. */

import type { RunStatistics } from "../tasks/metrics/significance.ts";
import { type OptionValues, written } from "../tasks/protocol/protocol.ts";
import type { ProtocolResults, ProtocolRow } from "../tasks/protocol/protocol-results.ts";
import { inPercent } from "../util/percent.ts";

/** A table of texts. */
export interface ProtocolTable {
  readonly title: string;
  /** What its numbers are. */
  readonly note?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const NONE = "–";
/** How the titles of the tables of scores begin. */
export const RESULTS_TITLE = "Results on";

/** The tables of what a protocol has shown, the most important one first; empty ones are left out. */
export function protocolTables(results: ProtocolResults): ProtocolTable[] {
  const splits = [...new Set(results.rows.flatMap((row) => Object.keys(row.results)))];
  const tables = [
    ...splits.map((split) => scoreTable(results, split)),
    publishedTable(results),
    spreadTable(results),
    gridTable(results),
    relativeTable(results),
    comparisonTable(results),
    failureTable(results),
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

function scoreTable({ rows }: ProtocolResults, split: string): ProtocolTable {
  const tasks = [...new Set(rows.map(({ task }) => task))].filter((task) =>
    rows.some((row) => row.task === task && split in row.results),
  );
  const models = [...new Set(rows.map(({ model }) => model))];
  const metricsOf = (task: string) => rows.find((row) => row.task === task)?.metrics ?? [];
  return {
    title: `${RESULTS_TITLE} ${split}`,
    note: "maximum (mean) of the runs, in %",
    columns: ["model", ...tasks.map((task) => `${task}, ${metricsOf(task).map(metricName).join(" / ")}`)],
    rows: models.map((model) => [
      model,
      ...tasks.map((task) => {
        const row = rows.find((one) => one.task === task && one.model === model);
        return row === undefined ? NONE : scoreOf(row, split);
      }),
    ]),
  };
}

/** 66.3 (65.0) / 85.6 (84.7). */
function scoreOf({ results, metrics, isLowerBetter }: ProtocolRow, split: string): string {
  const found = metrics.flatMap((metric) => results[split]?.[metric] ?? []);
  return found.length === 0 ? NONE : found.map((one) => maximumAndMean(one, isLowerBetter)).join(" / ");
}

function maximumAndMean({ max, min, mean, runs }: RunStatistics, isLowerBetter: boolean): string {
  const best = percent(isLowerBetter ? min : max);
  return runs === 1 ? best : `${best} (${percent(mean)})`;
}

function publishedTable({ rows }: ProtocolResults): ProtocolTable {
  return {
    title: "Beside the published results",
    note: "maximum (mean) in %; the band is from the published mean to the maximum",
    columns: ["task", "model", "split", "metric", "runs", "here", "published", "position"],
    rows: rows.flatMap((row) =>
      row.published.map(({ split, metric, band, position }) => {
        const here = row.results[split]?.[metric] as RunStatistics;
        const mean = band.mean === undefined ? "" : ` (${percent(band.mean)})`;
        return [
          row.task,
          row.model,
          split,
          metricName(metric),
          String(here.runs),
          maximumAndMean(here, false),
          `${band.max === undefined ? NONE : percent(band.max)}${mean}`,
          POSITIONS[position],
        ];
      }),
    ),
  };
}

const POSITIONS = { below: "below the band", within: "within the band", above: "above the band" } as const;

/** Of two runs the interval is wider than all shares. */
const MIN_RUNS_OF_INTERVAL = 3;

function spreadTable({ rows }: ProtocolResults): ProtocolTable {
  return {
    title: "Spread over seeds",
    note: "in %; standard deviation of the sample, 95 % confidence interval of the mean by Student's t",
    columns: ["task", "model", "split", "metric", "runs", "maximum", "mean", "deviation", "interval"],
    rows: rows.flatMap((row) =>
      Object.entries(row.results).flatMap(([split, byMetric]) =>
        row.metrics.flatMap((metric) => {
          const found = byMetric[metric];
          if (found === undefined) return [];
          const { runs, max, mean, standardDeviation: deviation, confidence } = found;
          return [
            [
              row.task,
              row.model,
              split,
              metricName(metric),
              String(runs),
              percent(max),
              percent(mean),
              deviation === undefined ? NONE : inPercent(deviation, 2),
              confidence === undefined || runs < MIN_RUNS_OF_INTERVAL
                ? NONE
                : `${percent(confidence[0])} to ${percent(confidence[1])}`,
            ],
          ];
        }),
      ),
    ),
  };
}

function gridTable({ rows }: ProtocolResults): ProtocolTable {
  return {
    title: "Search on dev",
    note: "mean of the primary metric on dev, in %; the first of each is reported above",
    columns: ["task", "model", "options", "runs", "dev"],
    rows: rows.flatMap(({ task, model, points }) =>
      points.length < 2
        ? []
        : points.map(({ point, runs, mean }) => [task, model, optionsInWords(point), String(runs), percent(mean)]),
    ),
  };
}

function relativeTable({ relative, relativeColumns, baseline }: ProtocolResults): ProtocolTable {
  const share = (value: number | undefined) => (value === undefined ? NONE : `${value.toFixed(1)}`);
  return {
    title: `In per cent of ${baseline}`,
    note: "by the best runs",
    columns: [
      "model",
      ...relativeColumns.map(({ task, metric }) => `${task} ${metricName(metric)}`),
      "average",
      "classification",
    ],
    rows: relative.map(({ model, relative: shares, average, classification }) => [
      model,
      ...shares.map(share),
      share(average),
      share(classification),
    ]),
  };
}

function comparisonTable({ comparisons }: ProtocolResults): ProtocolTable {
  return {
    title: "Are the models different?",
    note: "paired bootstrap over the examples, each with its mean over the runs; p corrected for the pairs of a task (Holm)",
    columns: ["task", "split", "models", "metric", "difference", "95 % interval", "p", "better in"],
    rows: comparisons.map(({ task, split, first, second, metric, difference, low, high, corrected, wins }) => [
      task,
      split,
      `${first} – ${second}`,
      metricName(metric),
      signed(difference),
      `${signed(low)} to ${signed(high)}`,
      writtenP(corrected),
      `${inPercent(wins)} %`,
    ]),
  };
}

/** A p-value; small ones are only known to be small. */
export function writtenP(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

function failureTable({ failed }: ProtocolResults): ProtocolTable {
  return {
    title: "Failed runs",
    columns: ["task", "model", "seed", "options", "what went wrong", "what to do"],
    rows: failed.map(({ task, model, seed, point, error, hint }) => [
      task.name,
      model.name,
      String(seed),
      optionsInWords(point),
      error,
      hint,
    ]),
  };
}

/** learningRate 2e-5, epochs 3. */
export function optionsInWords(options: OptionValues): string {
  const parts = Object.entries(options).map(([name, value]) => `${name} ${written(value)}`);
  return parts.length === 0 ? NONE : parts.join(", ");
}

/** Exact match is EM, as tables have it. */
export function metricName(metric: string): string {
  return { exactMatch: "EM", f1: "F1" }[metric] ?? metric;
}

function percent(share: number): string {
  return Number.isFinite(share) ? inPercent(share) : NONE;
}

/** +1.2, or −0.3 with a true minus sign. */
function signed(share: number): string {
  return `${share < 0 ? "−" : "+"}${inPercent(Math.abs(share), 2)}`;
}

/** The results as Markdown, with what to check first where one is below the published band. */
export function protocolMarkdown(results: ProtocolResults): string {
  const { title, rows, finished, missing } = results;
  const parts = [`# ${title}`, countsInWords(finished.length, missing)];
  for (const { title: heading, note, columns, rows: cells } of protocolTables(results)) {
    parts.push(`## ${heading}`);
    if (note !== undefined) parts.push(`${note[0]?.toUpperCase()}${note.slice(1)}.`);
    const line = (row: readonly string[]) => `| ${row.map(escapeCell).join(" | ")} |`;
    parts.push([line(columns), `|${columns.map(() => "---|").join("")}`, ...cells.map(line)].join("\n"));
  }
  const checks = rows.filter((row) => row.checks.length > 0);
  if (checks.length > 0) parts.push("## What to check first");
  for (const { model, task, checks: notes } of checks) {
    parts.push(
      `${model} on ${task}:`,
      notes
        .map(checkInWords)
        .map((text) => `- ${escapeCell(text)}`)
        .join("\n"),
    );
  }
  return `${parts.join("\n\n")}\n`;
}

/** 12 runs; 3 are still to be made. */
export function countsInWords(finished: number, missing: number): string {
  return `${finished} ${finished === 1 ? "run" : "runs"}${missing > 0 ? `; ${missing} still to be made` : ""}`;
}

/** A note with what to do about it. */
export function checkInWords({ message, run }: { readonly message: string; readonly run?: string }): string {
  return run === undefined ? message : `${message}: ${run}`;
}

/** Names of models and messages of errors must not break a table, or be taken for marks. */
function escapeCell(text: string): string {
  return text.replace(/[\\|*_<>`[\]]/g, "\\$&").replace(/\s+/g, " ");
}
