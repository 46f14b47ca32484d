/** Lists of labels: their order, and how many examples each has. */

/**
 * The labels in a stable order: whole numbers by size, others by their UTF-16 units, whatever the order of the examples, so
 * that a shuffled or shortened copy of the data gives the same ids.
 */
export function inferLabels(labels: Iterable<string>): string[] {
  const distinct = [...new Set(labels)];
  if (distinct.every((label) => /^-?\d+$/.test(label))) return distinct.sort((a, b) => Number(a) - Number(b));
  return distinct.sort();
}

/** How many times each label occurs, by label. */
export function countLabels(labels: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
