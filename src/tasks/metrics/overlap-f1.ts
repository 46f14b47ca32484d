/** F1 of what two lists have in common, whatever its order: characters of an answer, or words. */

/**
 * The harmonic mean of the shares of each list that the other one has, each item as often as both have it; where one is empty,
 * 1 if both are.
 */
export function overlapF1(reference: readonly string[], answer: readonly string[]): number {
  if (reference.length === 0 || answer.length === 0) return reference.length === answer.length ? 1 : 0;
  const common = sharedCount(reference, answer);
  if (common === 0) return 0;
  const precision = common / answer.length;
  const recall = common / reference.length;
  return (2 * precision * recall) / (precision + recall);
}

function sharedCount(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const item of a) left.set(item, (left.get(item) ?? 0) + 1);
  let count = 0;
  for (const item of b) {
    const times = left.get(item) ?? 0;
    if (times === 0) continue;
    left.set(item, times - 1);
    count += 1;
  }
  return count;
}
