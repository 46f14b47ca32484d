/** Sums over all gradients: accumulation over micro-batches, the global norm, and how far it is clipped. */

/** Gradients by parameter name; each has the size of its parameter. */
export type Gradients = ReadonlyMap<string, Float32Array>;

/** How the scale follows from the norm: TensorFlow's clip_by_global_norm or PyTorch's clip_grad_norm_. */
export type ClipRule = "google" | "pytorch";

/**
 * The Euclidean norm of all gradients together, summed in float64 in a fixed order; NaN or Infinity where one is.
 * @param gradients - float32, any shapes.
 */
export function globalNorm(gradients: Gradients): number {
  let sum = 0;
  for (const gradient of gradients.values()) sum += sumOfSquares(gradient);
  return Math.sqrt(sum);
}

/** Four running sums, since one alone would wait for the latency of every addition. */
function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const [w, x, y, z] = [
      values[i] as number,
      values[i + 1] as number,
      values[i + 2] as number,
      values[i + 3] as number,
    ];
    a += w * w;
    b += x * x;
    c += y * y;
    d += z * z;
  }
  for (let i = whole; i < values.length; i++) a += (values[i] as number) ** 2;
  return a + b + (c + d);
}

/**
 * The factor for every gradient so that the global norm stays within `limit`.
 * @param norm - the global norm before clipping. @param limit - > 0; 0 and Infinity clip nothing.
 * Source: tf.clip_by_global_norm (limit / max(norm, limit)); torch.nn.utils.clip_grad_norm_ (limit / (norm + 1e-6), at most 1).
 */
export function clipScale(norm: number, limit: number, rule: ClipRule): number {
  if (limit === 0 || limit === Number.POSITIVE_INFINITY) return 1;
  return rule === "google" ? limit / Math.max(norm, limit) : Math.min(1, limit / (norm + 1e-6));
}

/** Adds gradients to running sums of the same names and sizes, in float32. */
export function accumulate(sums: Gradients, gradients: Gradients): void {
  for (const [name, sum] of sums) {
    const gradient = gradients.get(name) as Float32Array;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (gradient[i] as number);
  }
}
