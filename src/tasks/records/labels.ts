/** Lists of labels: their order, how many examples each has, and what they are called in words. */
import type { Evaluation } from "../task.ts";

/**
 * The labels in a stable order: whole numbers by size (1 and 01 by their text), others by their UTF-16 units, whatever the order of the examples, so
 * that a shuffled or shortened copy of the data gives the same ids.
 */
export function inferLabels(labels: Iterable<string>): string[] {
  const distinct = [...new Set(labels)];
  if (distinct.every((label) => /^-?\d+$/.test(label))) return distinct.sort().sort((a, b) => Number(a) - Number(b));
  return distinct.sort();
}

/** How many times each label occurs, by label. */
export function countLabels(labels: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

/** An evaluation for people: labels that a data set has words for have these in brackets, `1 (positive)`. */
export function withLabelNames(evaluation: Evaluation, names: Readonly<Record<string, string>>): Evaluation {
  const named = (label: string) => (Object.hasOwn(names, label) ? `${label} (${names[label]})` : label);
  const { positiveLabel, tables, confusion, errors } = evaluation;
  return {
    ...evaluation,
    ...(positiveLabel !== undefined && { positiveLabel: named(positiveLabel) }),
    ...(tables && {
      tables: tables.map((table) => ({
        ...table,
        rows: table.rows.map((row) =>
          row.map((cell, at) => (table.columns[at] === "label" && typeof cell === "string" ? named(cell) : cell)),
        ),
      })),
    }),
    ...(confusion && { confusion: { ...confusion, labels: confusion.labels.map(named) } }),
    errors: errors.map((error) => ({
      ...error,
      expected: named(error.expected),
      predicted: named(error.predicted),
    })),
  };
}
