/** What the runs of a protocol amount to: the best place of each grid, statistics over seeds, the published bands, significance. */

import type { EngineIdentity } from "../../train/trainer-state.ts";
import {
  type BootstrapResult,
  compareResampled,
  holm,
  meanMeasure,
  type ResampledMetric,
  type RunStatistics,
  resampleMetrics,
  statisticsOf,
} from "../metrics/significance.ts";
import type { DataNote } from "../records/data-note.ts";
import type { OptionValues, Protocol, ProtocolCell } from "./protocol.ts";
import {
  compareWithPublished,
  type PublishedComparison,
  type ResultCircumstances,
  relativeScores,
  whatToCheck,
} from "./published.ts";

/** What each example contributes to the metric of a split: one number, or right, predicted and true entities. */
export interface ExampleScores {
  readonly metric: string;
  readonly parts: 1 | 3;
  /** [examples * parts]. */
  readonly values: readonly number[];
}

/** How a run was made, next to how the published ones were. */
export type RunCircumstances = Omit<ResultCircumstances, "notes">;

/** A finished run, as its folder keeps it. */
export interface CellResult {
  /** The task's name: `qa`. */
  readonly kind: string;
  /** The title of a known data set. */
  readonly dataset?: string;
  readonly primaryMetric: string;
  readonly isLowerBetter?: boolean;
  /** By split and name; shares in [0, 1]. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By split. */
  readonly scores: Readonly<Record<string, ExampleScores>>;
  /** The primary metric on dev by update. */
  readonly curve: readonly (readonly [step: number, value: number])[];
  /** The splits whose evaluation is written out beside the model. */
  readonly evaluations: readonly string[];
  readonly circumstances: RunCircumstances;
  /** What it was trained and measured on; results of earlier versions do not say. */
  readonly engine?: EngineIdentity;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** A run that came to its end, or did not. */
export type FinishedCell = ProtocolCell & { readonly result: CellResult };
/** A run that failed. */
export type FailedCell = ProtocolCell & { readonly error: string; readonly hint: string };

/** A model on a task. */
export interface ProtocolRow {
  readonly model: string;
  readonly task: string;
  readonly dataset?: string;
  readonly primaryMetric: string;
  readonly isLowerBetter: boolean;
  /** What is shown of each split: exact match and F1 of reading comprehension, else the primary metric. */
  readonly metrics: readonly string[];
  /** The place in the grid that is best on dev. */
  readonly point: OptionValues;
  /** The mean primary metric on dev of each place in the grid, best first. */
  readonly points: readonly { readonly point: OptionValues; readonly mean: number; readonly runs: number }[];
  readonly seeds: readonly number[];
  /** The run that is best on dev: its folder within the protocol's, and the splits whose evaluation is written out there. */
  readonly bestRun: { readonly seed: number; readonly folder: string; readonly evaluations: readonly string[] };
  /** By split, then by metric. */
  readonly results: Readonly<Record<string, Readonly<Record<string, RunStatistics>>>>;
  /** The values behind, by split and metric, in the order of the seeds. */
  readonly values: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  readonly published: readonly (PublishedComparison & { readonly split: string; readonly metric: string })[];
  /** What to check first, where a result is below the published ones. */
  readonly checks: readonly DataNote[];
}

/** Two models on a task. */
export interface ProtocolComparison extends BootstrapResult {
  readonly task: string;
  readonly split: string;
  readonly metric: string;
  readonly first: string;
  readonly second: string;
  /** The p-value, corrected for the number of pairs on the task. */
  readonly corrected: number;
}

/** A column of what is relative. */
export interface RelativeColumn {
  readonly task: string;
  readonly metric: string;
}

/** What a protocol has shown so far. */
export interface ProtocolResults {
  readonly title: string;
  readonly rows: readonly ProtocolRow[];
  readonly comparisons: readonly ProtocolComparison[];
  readonly relative: readonly {
    readonly model: string;
    /** By column, in per cent of the baseline. */
    readonly relative: readonly (number | undefined)[];
    readonly average?: number;
    readonly classification?: number;
  }[];
  readonly relativeColumns: readonly RelativeColumn[];
  readonly baseline: string;
  readonly finished: readonly FinishedCell[];
  readonly failed: readonly FailedCell[];
  /** Runs that are still to be made. */
  readonly missing: number;
}

/** The splits that are shown, in this order; others follow. */
const SPLIT_ORDER = ["dev", "test", "challenge"];

/** Sums up the runs of a protocol; those that are missing or failed are left out. */
export function protocolResults(
  protocol: Protocol,
  finished: readonly FinishedCell[],
  failed: readonly FailedCell[] = [],
): ProtocolResults {
  const rows = protocol.tasks.flatMap((task) =>
    protocol.models.flatMap((model) => {
      const cells = finished.filter((cell) => cell.model.name === model.name && cell.task.name === task.name);
      return cells.length === 0 ? [] : [rowOf(cells)];
    }),
  );
  const { columns, relative } = relativeTo(protocol, rows);
  return {
    title: protocol.title,
    rows,
    comparisons: protocol.tasks.flatMap(({ name }) => comparisonsOf(finished, rows, name)),
    relative,
    relativeColumns: columns,
    baseline: protocol.baseline,
    finished,
    failed,
    missing: protocol.cells.length - finished.length - failed.length,
  };
}

function rowOf(cells: readonly FinishedCell[]): ProtocolRow {
  const [first] = cells as [FinishedCell];
  const { kind, dataset, primaryMetric, isLowerBetter = false } = first.result;
  const points = rankedPoints(cells, isLowerBetter);
  const point = (points[0] as (typeof points)[number]).point;
  const best = cells.filter((cell) => samePoint(cell.point, point));
  const splits = splitsOf(best);
  const metrics = shownMetrics(kind, first.result);
  const values = byName(splits, (split) =>
    byName(namesOf(best, split), (metric) => best.flatMap(({ result }) => result.metrics[split]?.[metric] ?? [])),
  );
  const results = byName(splits, (split) =>
    byName(Object.keys(values[split] ?? {}), (metric) => statisticsOf(values[split]?.[metric] ?? [])),
  );
  const published = publishedOf(first, metrics, results);
  const isBelow = published.some(({ position }) => position === "below");
  return {
    model: first.model.name,
    task: first.task.name,
    ...(dataset === undefined ? {} : { dataset }),
    primaryMetric,
    isLowerBetter,
    metrics,
    point,
    points,
    seeds: best.map(({ seed }) => seed),
    bestRun: bestRunOf(best, isLowerBetter),
    results,
    values,
    published,
    checks: isBelow ? whatToCheck({ ...(best[0] as FinishedCell).result.circumstances, notes: notesOf(best) }) : [],
  };
}

function bestRunOf(cells: readonly FinishedCell[], isLowerBetter: boolean): ProtocolRow["bestRun"] {
  const sign = isLowerBetter ? -1 : 1;
  const { seed, folder, result } = cells.reduce((best, cell) =>
    sign * choosingValue(cell.result) > sign * choosingValue(best.result) ? cell : best,
  );
  return { seed, folder, evaluations: result.evaluations };
}

/** Exact match before F1, as the tables of reading comprehension have it. */
function shownMetrics(kind: string, { metrics, primaryMetric }: CellResult): readonly string[] {
  const all = Object.values(metrics)[0] ?? {};
  const wanted = kind === "qa" ? ["exactMatch", "f1"] : [primaryMetric];
  return wanted.filter((metric) => metric in all);
}

function rankedPoints(cells: readonly FinishedCell[], isLowerBetter: boolean): ProtocolRow["points"] {
  const unlike = cells.filter((cell, i) => cells.findIndex(({ point }) => samePoint(point, cell.point)) === i);
  const points = unlike.map(({ point }) => {
    const runs = cells.filter((cell) => samePoint(cell.point, point));
    const values = runs.map(({ result }) => choosingValue(result));
    return { point, runs: runs.length, mean: values.reduce((sum, value) => sum + value, 0) / values.length };
  });
  return points.sort((a, b) => (isLowerBetter ? a.mean - b.mean : b.mean - a.mean));
}

/** Places are chosen on dev; only where a task has none, on what there is. */
function choosingValue({ metrics, primaryMetric }: CellResult): number {
  const split = metrics["dev"] ?? Object.values(metrics)[0];
  return split?.[primaryMetric] ?? Number.NaN;
}

function samePoint(a: OptionValues, b: OptionValues): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function splitsOf(cells: readonly FinishedCell[]): string[] {
  const found = new Set(cells.flatMap(({ result }) => Object.keys(result.metrics)));
  const known = SPLIT_ORDER.filter((split) => found.has(split));
  return [...known, ...[...found].filter((split) => !SPLIT_ORDER.includes(split))];
}

function namesOf(cells: readonly FinishedCell[], split: string): string[] {
  return [...new Set(cells.flatMap(({ result }) => Object.keys(result.metrics[split] ?? {})))];
}

function publishedOf(
  { model, result }: FinishedCell,
  metrics: readonly string[],
  results: ProtocolRow["results"],
): ProtocolRow["published"] {
  const { dataset } = result;
  if (dataset === undefined) return [];
  return Object.entries(results).flatMap(([split, byMetric]) =>
    metrics.flatMap((metric) => {
      const ours = byMetric[metric];
      // The path says which model it is where the name in tables is the user's own.
      const found = [model.name, model.path].map((name) =>
        ours === undefined ? undefined : compareWithPublished({ model: name, dataset, split, metric }, ours),
      );
      const comparison = found.find((one) => one !== undefined);
      return comparison === undefined ? [] : [{ ...comparison, split, metric }];
    }),
  );
}

function notesOf(cells: readonly FinishedCell[]): string[] {
  return [...new Set(cells.flatMap(({ result }) => result.notes))];
}

/** Every pair of models on a task's test split, or dev where there is none. */
function comparisonsOf(
  finished: readonly FinishedCell[],
  rows: readonly ProtocolRow[],
  task: string,
): ProtocolComparison[] {
  const scored = rows.flatMap((row) => {
    const split = ["test", "dev"].find((one) => one in row.results);
    if (row.task !== task || split === undefined) return [];
    const cells = finished.filter(
      (cell) => cell.model.name === row.model && cell.task.name === task && samePoint(cell.point, row.point),
    );
    const scores = cells.flatMap(({ result }) => result.scores[split] ?? []);
    const key = keyOfRuns(scores);
    return key === undefined ? [] : [{ model: row.model, split, scores, key: `${split} ${key}` }];
  });
  const resampled = resampledOf(scored);
  const pairs = scored.flatMap((first, i) =>
    scored.slice(i + 1).flatMap((second) => {
      const [a, b] = [resampled.get(first), resampled.get(second)];
      if (a === undefined || b === undefined || first.key !== second.key) return [];
      const metric = first.scores[0]?.metric ?? "";
      return [
        { task, split: first.split, metric, first: first.model, second: second.model, ...compareResampled(a, b) },
      ];
    }),
  );
  const corrected = holm(pairs.map(({ pValue }) => pValue));
  return pairs.map((pair, i) => ({ ...pair, corrected: corrected[i] as number }));
}

/** What two models must have alike to be compared; undefined where a model's runs saw unlike examples. */
function keyOfRuns(runs: readonly ExampleScores[]): string | undefined {
  const [key, ...others] = new Set(runs.map(({ metric, parts, values }) => `${metric} ${parts} ${values.length}`));
  return others.length > 0 || runs[0]?.values.length === 0 ? undefined : key;
}

/** The scores of examples, each the mean over a model's runs, resampled together for all models that saw the same ones. */
function resampledOf<Scored extends { readonly key: string; readonly scores: readonly ExampleScores[] }>(
  models: readonly Scored[],
): Map<Scored, ResampledMetric> {
  const found = new Map<Scored, ResampledMetric>();
  for (const key of new Set(models.map((model) => model.key))) {
    const alike = models.filter((model) => model.key === key);
    if (alike.length < 2) continue;
    const parts = alike[0]?.scores[0]?.parts ?? 1;
    const measure = parts === 1 ? meanMeasure : f1Measure;
    const metrics = resampleMetrics(
      alike.map(({ scores }) => meanOf(scores)),
      { parts, measure },
    );
    for (const [i, metric] of metrics.entries()) found.set(alike[i] as Scored, metric);
  }
  return found;
}

function meanOf(runs: readonly ExampleScores[]): Float64Array {
  const mean = new Float64Array(runs[0]?.values.length ?? 0);
  for (const { values } of runs) {
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (values[i] as number) / runs.length;
  }
  return mean;
}

/** Of right, predicted and true entities; nothing predicted of nothing is 0, as seqeval has it. */
function f1Measure(sums: Float64Array): number {
  const [right = 0, predicted = 0, expected = 0] = sums;
  return predicted + expected === 0 ? 0 : (2 * right) / (predicted + expected);
}

/** The means of all models on all tasks in per cent of the baseline's, by task and shown metric. */
function relativeTo(
  { models, tasks, baseline }: Protocol,
  rows: readonly ProtocolRow[],
): { readonly columns: readonly RelativeColumn[]; readonly relative: ProtocolResults["relative"] } {
  const others = models.map(({ name }) => name).filter((name) => name !== baseline);
  if (others.length === 0) return { columns: [], relative: [] };
  const columns = tasks.flatMap(({ name }) => {
    const row = rows.find(({ task }) => task === name);
    return (row?.isLowerBetter ? [] : (row?.metrics ?? [])).map((metric) => ({ task: name, metric }));
  });
  if (columns.length === 0) return { columns: [], relative: [] };
  const scored = [baseline, ...others].map((model) => ({
    name: model,
    scores: columns.map(({ task, metric }) => {
      const results = rows.find((row) => row.model === model && row.task === task)?.results;
      return (results?.["test"] ?? results?.["dev"])?.[metric]?.max;
    }),
  }));
  const isClassification = columns.map(({ metric }) => metric === "accuracy");
  const relative = relativeScores(scored, isClassification).map(
    ({ name, relative: shares, average, classification }) => ({
      model: name,
      relative: shares,
      ...(average === undefined ? {} : { average }),
      ...(classification === undefined ? {} : { classification }),
    }),
  );
  return { columns, relative };
}

function byName<T>(names: readonly string[], value: (name: string) => T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, value(name)]));
}
