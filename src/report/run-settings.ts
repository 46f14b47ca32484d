/** The settings of runs as tables: training, model, data, engine; where runs differ is marked. */
import { type HtmlValue, html, type Markup, table } from "./html.ts";
import type { Fields, RunData } from "./run-data.ts";
import { grouped } from "./run-facts.ts";

const GROUPS: readonly { readonly title: string; readonly fields: (run: RunData) => Fields | undefined }[] = [
  { title: "Training", fields: ({ options }) => options },
  { title: "Model", fields: ({ model }) => model?.config },
  { title: "Data", fields: ({ data }) => data },
  { title: "Engine", fields: ({ engine }) => engine },
];

/** Values that are long, and say nothing to people. */
const HIDDEN = /hash|architectures|digest/i;
/** Options hold options: settings, phases. */
const MAX_DEPTH = 4;

/** A table for each group, with a column for each run. */
export function settingsTable(runs: readonly RunData[]): Markup {
  const sections = GROUPS.flatMap(({ title, fields }) => {
    const columns = runs.map((run) => new Map(flatten(fields(run) ?? {}, "", 0)));
    const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
    if (names.length === 0) return [];
    const rows = names.map((name) => rowOf(name, columns));
    const head = runs.length === 1 ? ["", ""] : ["", ...runs.map(({ name }) => name)];
    return [html`<section><h3>${title}</h3>\n${table(head, rows)}</section>\n`];
  });
  if (sections.length === 0) return html`<p>The folder says nothing about them.</p>`;
  return runs.length === 1 ? html`<div class="columns">\n${sections}</div>` : html`${sections}`;
}

function rowOf(name: string, columns: readonly ReadonlyMap<string, string>[]): HtmlValue[] {
  const values = columns.map((column) => column.get(name) ?? "–");
  const differs = new Set(values).size > 1;
  return [name, ...values.map((value) => (differs ? html`<mark>${value}</mark>` : value))];
}

/** Names in words, those within others behind them; what is unset is left out. */
function flatten(fields: Fields, prefix: string, depth: number): [string, string][] {
  return Object.entries(fields).flatMap(([key, value]): [string, string][] => {
    if (HIDDEN.test(key) || value === null || value === undefined) return [];
    const name = prefix === "" ? inWords(key) : `${prefix}: ${inWords(key)}`;
    if (typeof value !== "object" || Array.isArray(value)) return [[name, written(value)]];
    if (depth >= MAX_DEPTH) return [];
    // "settings" is a word for everything here.
    return flatten(value as Fields, key === "settings" || key === "statistics" ? prefix : name, depth + 1);
  });
}

/** maxSeqLength and max_seq_length become "max seq length". */
function inWords(key: string): string {
  return key.replace(/_/g, " ").replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function written(value: unknown): string {
  if (typeof value === "number") return Math.abs(value) < 1e-4 ? String(value) : grouped(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value);
}
