/**
 * An evaluation as one HTML file that needs nothing else: metrics, classes with bars, the confusion matrix as a heat map, and
 * the errors with their texts, by what was expected and what was predicted.
 */
import type { Evaluation, EvaluationError } from "../tasks/task.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import { type HtmlValue, html, type Markup, table } from "./html.ts";
import { MARKED_TEXT_STYLE, markedText } from "./marked-text.ts";
import { type ReportOptions, reportPage } from "./page.ts";
import { grouped } from "./run-facts.ts";
import { areShares, writtenMetric, writtenRows } from "./values.ts";

/** What was evaluated, on what, and what came out. */
export interface EvaluationReportData {
  /** The model, as its user calls it. */
  readonly model: string;
  /** Likewise. */
  readonly data: string;
  /** In words: `token classification`. */
  readonly task: string;
  readonly examples: number;
  /** What computed it. */
  readonly engine?: Omit<EngineIdentity, "threads">;
  /** The metric that models are compared by. */
  readonly primaryMetric: string;
  readonly evaluation: Evaluation;
  /** What was noticed of model and data. */
  readonly notes?: readonly string[];
}

/** More metrics than these stand in the table only. */
const MAX_FACTS = 6;

/**
 * Writes the report of an evaluation.
 * @returns the HTML document; texts of at most some thousand errors are in it.
 */
export function evaluationReport(data: EvaluationReportData, options: ReportOptions): string {
  const { model, task, examples, engine, evaluation, notes = [] } = data;
  const computed = engine && `; computed by ${engine.name} ${engine.version} in ${engine.precision}`;
  const { positiveLabel, tables = [], confusion, errors } = evaluation;
  const title = `Evaluation: ${model}`;
  const body = html`<header><h1>${title}</h1>
<p class="lead">${task}; ${grouped(examples)} examples of ${data.data}${computed}</p>
${facts(data)}</header>
${notes.map((note) => html`<p class="note">${note}</p>\n`)}
<h2>Metrics</h2>
${table(
  ["metric", "value"],
  metricsOf(data).map(([name, value]) => [name, writtenMetric(name, value)]),
)}
${positiveLabel === undefined ? undefined : html`<p class="note">precision, recall, f1 and rocAuc are of the label ${positiveLabel}</p>`}
${tables.map(({ title: name, columns, rows }) => html`<h2>${name}</h2>\n${barTable(columns, rows)}\n`)}
${confusion === undefined ? undefined : confusionSection(confusion, errors)}
${errorSection(errors, examples)}`;
  return reportPage({ title, body, style: STYLE + MARKED_TEXT_STYLE }, options);
}

/** The primary metric first. */
function metricsOf({ evaluation, primaryMetric }: EvaluationReportData): [string, number][] {
  const entries = Object.entries(evaluation.metrics);
  return [...entries.filter(([name]) => name === primaryMetric), ...entries.filter(([name]) => name !== primaryMetric)];
}

function facts(data: EvaluationReportData): Markup {
  const shown = metricsOf(data).slice(0, MAX_FACTS);
  return html`<dl class="facts">
${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${writtenMetric(name, value)}</dd></div>\n`)}</dl>`;
}

const STYLE = `
.bar { display: inline-block; height: .6rem; border-radius: .2rem; background: var(--mark); margin-left: .5rem; vertical-align: middle; }
.bars td:nth-child(n+2), .matrix td { white-space: nowrap; }
.track { display: inline-block; width: 5rem; text-align: left; }
.matrix table { width: auto; }
.matrix td, .matrix th { padding: .3rem .55rem; text-align: right; border: 1px solid var(--line); }
.matrix th[scope=row] { text-align: left; }
.matrix a { color: inherit; text-decoration: none; display: block; }
details { border-bottom: 1px solid var(--line); padding: .35rem 0; }
summary { cursor: pointer; }
details td:first-child { width: 80%; }
.errors td:first-child { min-width: 24rem; }
`;

/** A table whose shares have bars. */
function barTable(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): Markup {
  const written = writtenRows(columns, rows);
  const isShare = columns.map((name, column) =>
    areShares(
      name,
      rows.map((row) => row[column] ?? ""),
    ),
  );
  const isNumber = columns.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  const cell = (row: number, column: number): HtmlValue => {
    const [value, text] = [rows[row]?.[column], written[row]?.[column] ?? ""];
    if (typeof value !== "number") return html`<td>${text}</td>`;
    if (!isShare[column]) return html`<td class="number">${text}</td>`;
    const width = Math.round(80 * Math.min(1, Math.max(0, value)));
    return html`<td class="number">${text}<span class="track"><span class="bar" style="width:${width}px"></span></span></td>`;
  };
  return html`<div class="scroll bars"><table>
<thead><tr>${columns.map((name, column) => html`<th${isNumber[column] ? html` class="number"` : ""}>${name}</th>`)}</tr></thead>
<tbody>
${rows.map((row, i) => html`<tr>${row.map((_, column) => cell(i, column))}</tr>\n`)}</tbody></table></div>`;
}

/** More classes than these make a matrix that nobody reads; those with the most confusions are shown. */
const MAX_CLASSES = 30;

function confusionSection(
  { labels, counts }: NonNullable<Evaluation["confusion"]>,
  errors: readonly EvaluationError[],
): Markup {
  const at = (row: number, column: number) => counts[row]?.[column] ?? 0;
  const confusions = (label: number) =>
    labels.reduce((sum, _, other) => sum + (other === label ? 0 : at(label, other) + at(other, label)), 0);
  const order = [...labels.keys()].sort((a, b) => confusions(b) - confusions(a)).slice(0, MAX_CLASSES);
  const shown = labels.length <= MAX_CLASSES ? [...labels.keys()] : order.sort((a, b) => a - b);
  const totals = labels.map((_, row) => labels.reduce((sum, __, column) => sum + at(row, column), 0));
  const groups = new Map(groupErrors(errors).map(({ key }, i) => [key, i]));
  const cell = (row: number, column: number): Markup => {
    const count = at(row, column);
    const share = count / Math.max(1, totals[row] ?? 0);
    const color = row === column ? "#1971c2" : "#e8590c";
    const strength = count === 0 ? 0 : Math.round(12 + 60 * share);
    const group = groups.get(keyOf(labels[row] ?? "", labels[column] ?? ""));
    const text =
      row !== column && group !== undefined ? html`<a href="#e${group}">${grouped(count)}</a>` : grouped(count);
    return html`<td style="background:color-mix(in srgb, ${color} ${strength}%, transparent)">${text}</td>`;
  };
  return html`<h2>Confusion matrix</h2>
<p class="lead">Rows: what was expected. Columns: what was predicted. Colours: the share of the row.${
    shown.length < labels.length ? ` The ${shown.length} of ${labels.length} classes that are confused most.` : ""
  }</p>
<div class="scroll matrix"><table>
<thead><tr><th></th>${shown.map((column) => html`<th scope="col">${labels[column]}</th>`)}</tr></thead>
<tbody>
${shown.map(
  (row) => html`<tr><th scope="row">${labels[row]}</th>${shown.map((column) => cell(row, column))}</tr>\n`,
)}</tbody></table></div>\n`;
}

/** So many errors are shown in all, and of one kind. */
const MAX_SHOWN = { errors: 1000, ofGroup: 100, groups: 200 } as const;
/** So many groups are open at first. */
const OPEN = 3;
/** What was expected or predicted is cut where it is a whole passage. */
const MAX_LABEL = 60;

interface ErrorGroup {
  readonly key: string;
  readonly expected: string;
  readonly predicted: string;
  readonly errors: EvaluationError[];
}

function keyOf(expected: string, predicted: string): string {
  return JSON.stringify([expected, predicted]);
}

/** By what was expected and predicted, in the order of the worst error of each; all in one where hardly two are alike. */
function groupErrors(errors: readonly EvaluationError[]): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  for (const error of errors.slice(0, MAX_SHOWN.errors)) {
    const { expected, predicted } = error;
    const key = keyOf(expected, predicted);
    const group = groups.get(key) ?? { key, expected, predicted, errors: [] };
    group.errors.push(error);
    groups.set(key, group);
  }
  const found = [...groups.values()];
  if (found.length * 2 <= errors.length || found.length === 1) return found.slice(0, MAX_SHOWN.groups);
  return [{ key: "", expected: "", predicted: "", errors: errors.slice(0, MAX_SHOWN.errors) }];
}

function errorSection(errors: readonly EvaluationError[], examples: number): Markup {
  const head = html`<h2>Texts with errors</h2>\n`;
  if (errors.length === 0) return html`${head}<p>None among ${grouped(examples)} examples.</p>`;
  const hasMarks = errors.some(({ marks }) => marks !== undefined && marks.length > 0);
  const legend = hasMarks
    ? html` Texts show what was <span class="expected">expected</span>, <span class="predicted">predicted</span>, <span class="agreed">both</span>, and <span class="mistyped">both of different types</span>.`
    : "";
  const groups = groupErrors(errors);
  const [only] = groups;
  const shown =
    groups.length === 1 && only?.key === ""
      ? errorTable(only.errors.slice(0, MAX_SHOWN.errors), true)
      : groups.map((group, i) => groupDetails(group, i));
  const cut = errors.length > MAX_SHOWN.errors ? `; the first ${grouped(MAX_SHOWN.errors)} are shown` : "";
  return html`${head}<p class="lead">${grouped(errors.length)} of ${grouped(examples)} examples, the worst first${cut}.${legend}</p>
${shown}`;
}

function groupDetails({ expected, predicted, errors }: ErrorGroup, index: number): Markup {
  const shown = errors.slice(0, MAX_SHOWN.ofGroup);
  const more = errors.length - shown.length;
  return html`<details id="e${index}"${index < OPEN ? html` open` : ""}><summary>expected <b>${short(expected)}</b>, predicted <b>${short(predicted)}</b>: ${grouped(errors.length)}</summary>
${errorTable(shown, false)}
${more > 0 ? html`<p class="note">and ${grouped(more)} more</p>` : ""}</details>\n`;
}

function errorTable(errors: readonly EvaluationError[], withLabels: boolean): Markup {
  const hasIds = errors.some(({ id }) => id !== undefined);
  const head = ["text", ...(withLabels ? ["expected", "predicted"] : []), "probability", ...(hasIds ? ["id"] : [])];
  const rows = errors.map(({ id, text, expected, predicted, score, marks }) => [
    markedText(text, marks),
    ...(withLabels ? [html`<span lang="zh">${expected}</span>`, html`<span lang="zh">${predicted}</span>`] : []),
    score === undefined ? "" : writtenMetric("share", score),
    ...(hasIds ? [id ?? ""] : []),
  ]);
  return html`<div class="errors">${table(head, rows)}</div>`;
}

function short(text: string): string {
  const characters = [...text];
  if (text === "") return "nothing";
  return characters.length <= MAX_LABEL ? text : `${characters.slice(0, MAX_LABEL).join("")} …`;
}
