/**
 * Runs as one HTML file that needs nothing else: curves, best values, settings, data, filled texts, checkpoints.
 * No script, nothing from the network; without pictures the tables say the same.
 */
import { svgFigure } from "./figure.ts";
import { type HtmlValue, html, type Markup, table } from "./html.ts";
import { lineChart } from "./line-chart.ts";
import { type ReportOptions, reportPage } from "./page.ts";
import { hasPairs, type RunChart, runCharts } from "./run-charts.ts";
import { evaluations, type Measured, numberAt, type RunData, type RunSamples, trainingLines } from "./run-data.ts";
import { factsOf, formatBytes, grouped, percent } from "./run-facts.ts";
import { settingsTable } from "./run-settings.ts";

/**
 * Writes the report of a run, or of several side by side.
 * @returns the HTML document, well below a megabyte.
 */
export async function runReport(runs: readonly RunData[], options: ReportOptions): Promise<string> {
  const [only] = runs;
  const isOne = runs.length === 1 && only !== undefined;
  const title = isOne ? `Pre-training: ${only.name}` : `${runs.length} pre-training runs`;
  const figures: Markup[] = [];
  for (const chart of runCharts(runs)) figures.push(await figure(chart));
  const nameOf = (run: RunData) => (isOne ? "" : `: ${run.name}`);
  const body = html`<header><h1>${title}</h1>
${isOne ? glance(only) : comparison(runs)}</header>
${runs.flatMap(({ name, notes }) => notes.map((note) => html`<p class="note">${isOne ? "" : `${name}: `}${note}</p>\n`))}
<h2>Curves</h2>
${figures.length > 0 ? html`<div class="charts">\n${figures}</div>` : html`<p>Nothing was measured yet.</p>`}
${runs.map((run) => evaluationSection(run, nameOf(run)))}
${isOne ? samplesSection(only.samples) : samplesSection(lastModels(runs))}
<h2>Settings</h2>
${settingsTable(runs)}
${runs.map((run) => checkpointSection(run, nameOf(run)))}`;
  return reportPage({ title, body }, options);
}

/** Where the run stands, and the numbers that are looked for first. */
function glance(run: RunData): Markup {
  const facts = factsOf(run).map(
    ({ name, value, detail }) =>
      html`<div><dt>${name}</dt><dd>${value}${detail === undefined ? "" : html` <small>${detail}</small>`}</dd></div>\n`,
  );
  return html`<p class="lead">${progressOf(run)}</p>
<dl class="facts">\n${facts}</dl>\n`;
}

/** Step 3,000 of 3,000. */
function progressOf(run: RunData): string {
  const step = run.metrics.at(-1)?.step ?? run.checkpoints.at(-1)?.step ?? 0;
  const settings = run.options?.["settings"] as Readonly<Record<string, unknown>> | undefined;
  const steps = numberAt(settings, "steps");
  const share = numberAt(trainingLines(run).at(-1), "progress");
  // A run by hours has no number of steps to speak of.
  if (steps === undefined || steps >= Number.MAX_SAFE_INTEGER) {
    return `Step ${grouped(step)}${share === undefined ? "" : `, ${percent(share)} of its time`}`;
  }
  return `Step ${grouped(step)} of ${grouped(steps)}${step >= steps ? ", complete" : ""}`;
}

/** The runs' numbers in rows of one table. */
function comparison(runs: readonly RunData[]): Markup {
  const facts = runs.map((run) => new Map(factsOf(run).map(({ name, value }) => [name, value])));
  const names = [...new Set(facts.flatMap((one) => [...one.keys()]))];
  const rows = names.map((name) => [name, ...facts.map((one) => one.get(name) ?? "–")]);
  const head = ["", ...runs.map(({ name }) => name)];
  return table(head, [["Progress", ...runs.map(progressOf)], ...rows]);
}

/** All charts of a report together have room for so many points, each series for a few at least. */
const POINTS = { ofChart: 1200, most: 500 } as const;

async function figure(chart: RunChart): Promise<Markup> {
  const svg = await lineChart({
    ...chart,
    xLabel: "step",
    width: 560,
    height: 270,
    maxPoints: Math.min(POINTS.most, Math.ceil(POINTS.ofChart / chart.series.length)),
    followsColorScheme: true,
  });
  return svgFigure(svg, inWords(chart));
}

/** Pre-training loss: training from 9.96 at step 25 to 6.35 at step 3,000; ... */
function inWords({ title, series }: RunChart): string {
  const parts = series.map(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return name;
    const at = ([step, value]: readonly [number, number]) => `${Number(value.toPrecision(3))} at step ${grouped(step)}`;
    return `${name} from ${at(first)} to ${at(last)}`.trimStart();
  });
  return `${title}: ${parts.join("; ")}`;
}

/** More rows than this tell no more than the curve. */
const MAX_ROWS = 20;

function evaluationSection(run: RunData, suffix: string): Markup | undefined {
  const lines = evaluations(run);
  if (lines.length === 0) return undefined;
  const columns: [head: string, write: (line: Measured) => string][] = [
    ["step", ({ step }) => grouped(step)],
    ["loss", (line) => nats(line, "loss")],
    ["MLM loss", (line) => nats(line, "mlmLoss")],
    ["masked tokens", (line) => share(line, "mlmAccuracy")],
  ];
  if (lines.some((line) => numberAt(line, "wordAccuracy") !== undefined)) {
    columns.push(["whole words", (line) => share(line, "wordAccuracy")]);
  }
  if (hasPairs(lines)) {
    columns.push(
      ["NSP loss", (line) => nats(line, "nspLoss")],
      ["next sentences", (line) => share(line, "nspAccuracy")],
    );
  }
  const every = Math.ceil(lines.length / MAX_ROWS);
  const shown = lines.filter((_, i) => (lines.length - 1 - i) % every === 0);
  const rows = shown.map((line) => columns.map(([, write]) => write(line)));
  return html`<h2>Held-out evaluations${suffix}</h2>\n${table(
    columns.map(([head]) => head),
    rows,
  )}\n`;
}

function nats(line: Measured, field: string): string {
  return numberAt(line, field)?.toFixed(3) ?? "–";
}

function share(line: Measured, field: string): string {
  const value = numberAt(line, field);
  return value === undefined ? "–" : percent(value);
}

/** The last model of each run, in columns beside each other. */
function lastModels(runs: readonly RunData[]): RunSamples | undefined {
  const filled = runs.filter(({ samples }) => samples !== undefined);
  const [first] = filled;
  if (first?.samples === undefined) return undefined;
  return {
    models: filled.map(({ name }) => name),
    texts: first.samples.texts.map(({ text }, i) => ({
      text,
      filled: filled.map(({ samples }) => samples?.texts[i]?.filled.at(-1) ?? []),
    })),
  };
}

function samplesSection(samples: RunSamples | undefined): Markup | undefined {
  if (samples === undefined || samples.texts.length === 0) return undefined;
  const rows = samples.texts.map(({ text, filled }) => [
    html`<span lang="zh">${text}</span>`,
    ...filled.map((masks) => masks.map((entries, i) => html`${i > 0 ? html`<br>` : ""}${candidates(entries)}`)),
  ]);
  return html`<h2>Filled texts</h2>
<p class="lead">What each model holds likeliest at a [MASK], with its probability.</p>
${table(["text", ...samples.models], rows)}\n`;
}

function candidates(entries: readonly { readonly token: string; readonly score: number }[]): HtmlValue {
  return entries.map(
    ({ token, score }, rank) => html`${rank > 0 ? " / " : ""}<mark lang="zh">${token}</mark>\u00a0${percent(score)}`,
  );
}

function checkpointSection({ checkpoints, path }: RunData, suffix: string): Markup {
  if (checkpoints.length === 0)
    return html`<h2>Checkpoints${suffix}</h2>\n<p>None yet: a run that stops now begins anew.</p>\n`;
  const rows = checkpoints.map(({ name, step, bytes }) => [name, grouped(step), formatBytes(bytes)]);
  return html`<h2>Checkpoints${suffix}</h2>
<p>The run goes on from the last of these: <code>zhbert pretrain ${path} --resume</code></p>
${table(["folder", "step", "size"], rows)}\n`;
}
