/** Several poolings of the same tokens, their vectors side by side; made of the tokens' vectors outside of the graph. */
import type { PoolingStrategy } from "./pooling.ts";
import type { RowPlan } from "./window-merge.ts";

/**
 * One row's vector.
 * @param strategy - `max`, else a weighted sum. @param tokens - float32 [seq, width], flat; padding may follow.
 * @returns float32 [width]; zeros where no token counts.
 */
export function poolTokens(
  strategy: PoolingStrategy,
  tokens: Float32Array,
  { weights, mask }: RowPlan,
  width: number,
): Float32Array {
  const vector = new Float32Array(width);
  let isStarted = false;
  for (let token = 0; token < mask.length; token++) {
    const row = tokens.subarray(token * width, (token + 1) * width);
    if (strategy !== "max") addScaled(vector, row, weights[token] as number);
    else if (mask[token] === 1) {
      if (isStarted) for (let i = 0; i < width; i++) vector[i] = Math.max(vector[i] as number, row[i] as number);
      else vector.set(row);
      isStarted = true;
    }
  }
  return vector;
}

function addScaled(vector: Float32Array, row: Float32Array, weight: number): void {
  if (weight === 0) return;
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) + weight * (row[i] as number);
}
