/** A protocol run as one HTML file: tables with the published bands, a chart of the seeds for each task, significance. */
import type { ProtocolResults, ProtocolRow } from "../tasks/protocol/protocol-results.ts";
import { inPercent } from "../util/percent.ts";
import { svgFigure } from "./figure.ts";
import { html, type Markup, table } from "./html.ts";
import { lineChart } from "./line-chart.ts";
import { type ReportOptions, reportPage } from "./page.ts";
import {
  checkInWords,
  countsInWords,
  metricName,
  optionsInWords,
  type ProtocolTable,
  protocolTables,
  RESULTS_TITLE,
  writtenP,
} from "./protocol-tables.ts";
import { seedChart } from "./seed-chart.ts";

/** Below this a difference is called significant. */
const SIGNIFICANT = 0.05;

/**
 * Writes the report of a protocol.
 * @returns the HTML document.
 */
export async function protocolReport(results: ProtocolResults, options: ReportOptions): Promise<string> {
  const { title, rows, finished, missing, failed } = results;
  const tasks = [...new Set(rows.map(({ task }) => task))];
  const charts: Markup[] = [];
  for (const task of tasks) charts.push(...(await seedFigures(rows.filter((row) => row.task === task))));
  const curves: Markup[] = [];
  for (const task of tasks) curves.push(...(await curveFigure(results, task)));
  const tables = protocolTables(results);
  const failures = failed.length === 0 ? "" : `; ${failed.length} failed`;
  const body = html`<header><h1>${title}</h1>
<p class="lead">${countsInWords(finished.length, missing)}${failures}</p></header>
${tables.filter(isResult).map(section)}
${checksSection(rows)}
${
  charts.length > 0
    ? html`<h2>Runs by seed</h2>
<p class="lead">A dot for each run, a line at the mean; green is the published band from mean to maximum.</p>
<div class="charts">\n${charts}</div>`
    : undefined
}
${tables.filter((one) => !isResult(one)).map(section)}
${tasks.map((task) => matrixSection(results, task))}
${curves.length > 0 ? html`<h2>Course on dev</h2>\n<div class="charts">\n${curves}</div>` : undefined}
${settingsSection(rows)}`;
  return reportPage({ title, body, style: STYLE }, options);
}

const STYLE = `
.below { color: #b3261e; font-weight: 600; }
.above { color: #0b7a4b; font-weight: 600; }
@media (prefers-color-scheme: dark) { .below { color: #ff9a90; } .above { color: #5fd6a0; } }
.matrix table { width: auto; }
.matrix td { padding: .3rem .7rem; }
`;

/** What readers look for first. */
function isResult({ title }: ProtocolTable): boolean {
  return title.startsWith(RESULTS_TITLE);
}

function section({ title, note, columns, rows }: ProtocolTable): Markup {
  const shown = rows.map((row) => row.map(marked));
  return html`<h2>${title}</h2>
${note === undefined ? undefined : html`<p class="lead">${note}</p>`}
${table(columns, shown)}\n`;
}

function marked(text: string): string | Markup {
  if (text === "below the band") return html`<span class="below">${text}</span>`;
  return text === "above the band" ? html`<span class="above">${text}</span>` : text;
}

function checksSection(rows: readonly ProtocolRow[]): Markup | undefined {
  const below = rows.filter(({ checks }) => checks.length > 0);
  if (below.length === 0) return undefined;
  return html`<h2>Below the published results: what to check first</h2>
${below.map(
  ({ published, checks }) => html`${published
    .filter(({ position }) => position === "below")
    .map(({ message }) => html`<p>${message}</p>\n`)}
<ol>\n${checks.map((check) => html`<li>${checkInWords(check)}</li>\n`)}</ol>\n`,
)}`;
}

/** A chart for the last shown metric of the test split, or dev. */
async function seedFigures(rows: readonly ProtocolRow[]): Promise<Markup[]> {
  const [first] = rows;
  const metric = first?.metrics.at(-1);
  const split = ["test", "dev"].find((one) => first !== undefined && one in first.results);
  if (first === undefined || metric === undefined || split === undefined) return [];
  const runs = rows.flatMap(({ model, values, published }) => {
    const own = (values[split]?.[metric] ?? []).filter(Number.isFinite);
    const found = published.find((one) => one.split === split && one.metric === metric);
    const band = found === undefined ? {} : { band: { low: found.lowest, high: found.band.max ?? found.lowest } };
    return own.length === 0 ? [] : [{ model, values: own, ...band }];
  });
  if (runs.length === 0) return [];
  const label = `${metricName(metric)} on ${split}`;
  const svg = await seedChart({ title: first.task, label, runs });
  const inWords = runs.map(({ model, values }) => `${model} ${values.map((value) => inPercent(value)).join(", ")}`);
  return [svgFigure(svg, `${first.task}, ${label} in %: ${inWords.join("; ")}`)];
}

/** More lines than colours could not be told apart. */
const MAX_CURVES = 6;

/** The primary metric on dev by update, of the first seed of each model. */
async function curveFigure({ finished, rows }: ProtocolResults, task: string): Promise<Markup[]> {
  const own = rows.filter((row) => row.task === task);
  const series = own.flatMap(({ model, seeds, point }) => {
    const cell = finished.find(
      (one) =>
        one.model.name === model &&
        one.task.name === task &&
        one.seed === seeds[0] &&
        optionsInWords(one.point) === optionsInWords(point),
    );
    const points = cell?.result.curve ?? [];
    return points.length < 2 ? [] : [{ name: model, points }];
  });
  if (series.length === 0) return [];
  const metric = own[0]?.primaryMetric ?? "";
  const title = `${task}: ${metricName(metric)} on dev`;
  const svg = await lineChart({
    title,
    xLabel: "step",
    yLabel: metricName(metric),
    series: series.slice(0, MAX_CURVES),
    smooth: false,
    width: 560,
    height: 270,
    followsColorScheme: true,
  });
  const inWords = series.map(({ name, points }) => `${name} ends at ${points.at(-1)?.[1].toFixed(3)}`);
  return [svgFigure(svg, `${title}: ${inWords.join("; ")}`)];
}

/** The models against each other: how much better the one of the row is, where that is no chance. */
function matrixSection({ comparisons, rows }: ProtocolResults, task: string): Markup | undefined {
  const own = comparisons.filter((one) => one.task === task);
  const models = rows.filter((row) => row.task === task).map(({ model }) => model);
  if (own.length < 2) return undefined;
  const cell = (row: string, column: string): string | Markup => {
    if (row === column) return "";
    const found = own.find((one) => [one.first, one.second].includes(row) && [one.first, one.second].includes(column));
    if (found === undefined) return "–";
    const difference = 100 * (found.first === row ? found.difference : -found.difference);
    const text = `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(2)}, p ${writtenP(found.corrected)}`;
    if (found.corrected >= SIGNIFICANT) return text;
    return html`<span class="${difference < 0 ? "below" : "above"}">${text}</span>`;
  };
  return html`<h3>${task}: the row's model less the column's</h3>
<div class="matrix">${table(
    ["", ...models],
    models.map((row) => [row, ...models.map((column) => cell(row, column))]),
  )}</div>\n`;
}

/** The name of a run's evaluation within its folder. */
export function evaluationFile(split: string): string {
  return `evaluation-${split}.html`;
}

/** What was chosen, with the errors of the best run. */
function settingsSection(rows: readonly ProtocolRow[]): Markup | undefined {
  if (rows.length === 0) return undefined;
  const links = ({ bestRun: { folder, evaluations } }: ProtocolRow) =>
    evaluations.map((split, i) => {
      const path = [...folder.split("/"), evaluationFile(split)].map(encodeURIComponent).join("/");
      return html`${i > 0 ? ", " : ""}<a href="${path}">${split}</a>`;
    });
  return html`<h2>Chosen options</h2>
${table(
  ["task", "model", "best of the grid", "seeds", "errors of the best run"],
  rows.map((row) => [row.task, row.model, optionsInWords(row.point), row.seeds.join(", "), links(row)]),
)}`;
}
