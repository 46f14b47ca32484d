/** How metrics are written: shares as per cent, other numbers with the digits that tell something. */

import { inPercent } from "../util/percent.ts";
import { grouped } from "./run-facts.ts";

/** Metrics that lie in 0 to 1 by chance only, and correlations: they are no parts of a whole. */
const NO_SHARE =
  /pearson|spearman|matthews|correlation|loss|mse|mae|error|perplexity|count|support|examples|questions|entities|total|seconds|threshold/i;
/** Names in tables of shares, which hold for columns of 0 and 1 alone too. */
const SHARE = /accuracy|precision|recall|f1|share|rate|exact|^em$|average|auc|score/i;

/** Whether the values of a metric, or of a column, are shares: in [-1, 1], as differences of shares are, and not counts. */
export function areShares(name: string, values: readonly (string | number)[]): boolean {
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === 0 || numbers.length < values.length || NO_SHARE.test(name)) return false;
  if (numbers.some((value) => Math.abs(value) > 1)) return false;
  return SHARE.test(name) || numbers.some((value) => !Number.isInteger(value));
}

/** A metric for people: 91.27 %, 0.3412, 1,200; a dash where it could not be had. */
export function writtenMetric(name: string, value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (areShares(name, [value])) return `${inPercent(value, 2)}\u00a0%`;
  if (Number.isInteger(value)) return grouped(value);
  return Math.abs(value) < 1e4 ? Number(value.toPrecision(5)).toString() : grouped(Math.round(value));
}

/** The cells of a table with its shares as per cent. */
export function writtenRows(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): (string | number)[][] {
  const isShare = columns.map((name, column) =>
    areShares(
      name,
      rows.map((row) => row[column] ?? ""),
    ),
  );
  return rows.map((row) =>
    row.map((value, column) =>
      typeof value === "number" ? writtenMetric(isShare[column] ? "share" : "count", value) : value,
    ),
  );
}
