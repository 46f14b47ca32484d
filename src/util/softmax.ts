/** Softmax of plain numbers; of tensors within a graph see graph/ops/softmax.ts. */

/** Exponentials normalised to the sum 1, in double precision and without overflow. */
export function softmaxOf(scores: ArrayLike<number>): number[] {
  const values = Array.from(scores);
  const top = values.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const powers = values.map((score) => Math.exp(score - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
