/** Sums over all gradients: accumulation over micro-batches, the global norm, and how far it is clipped. */
import { type PassRunner, serialPasses } from "./pass-runner.ts";

/** Gradients by parameter name; each has the size of its parameter. */
export type Gradients = ReadonlyMap<string, Float32Array>;

/** How the scale follows from the norm: TensorFlow's clip_by_global_norm or PyTorch's clip_grad_norm_. */
export type ClipRule = "google" | "pytorch";

/**
 * The Euclidean norm of all gradients together, summed in float64 in a fixed order; NaN or Infinity where one is.
 * @param gradients - float32, any shapes. @param passes - who adds up.
 */
export async function globalNorm(gradients: Gradients, passes: PassRunner = serialPasses): Promise<number> {
  const tasks = [...gradients.values()].map((gradient) => ({ arrays: [gradient] as const, factors: {} }));
  const sums = await passes.run("sumOfSquares", tasks);
  return Math.sqrt(sums.reduce((sum, [squares]) => sum + squares, 0));
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

/** Adds gradients to running sums of the same names and sizes, in float32. @param passes - who adds. */
export async function accumulate(
  sums: Gradients,
  gradients: Gradients,
  passes: PassRunner = serialPasses,
): Promise<void> {
  const tasks = [...sums].map(([name, sum]) => ({
    arrays: [sum, gradients.get(name) as Float32Array] as const,
    factors: {},
  }));
  await passes.run("add", tasks);
}
