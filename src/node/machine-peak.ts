/** How fast this machine multiplies matrices: what the rate of a training run is a share of. */
import { buildGraph, input } from "../graph/graph.ts";
import { matmul } from "../graph/ops/matmul.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";

/** Large enough to be bound by arithmetic, small enough to run hundreds of times a second. */
const SIZE = 1024;
const MILLISECONDS = 500;

/**
 * The best rate of square matrix products in an engine's own precision, over half a second.
 * @returns floating-point operations a second.
 */
export async function measureMachinePeak(runtime: Runtime): Promise<number> {
  const graph = buildGraph({
    product: matmul(input("a", "float32", [SIZE, SIZE]), input("b", "float32", [SIZE, SIZE])),
  });
  const executable = await runtime.compile(graph);
  try {
    const inputs = { a: matrix(), b: matrix() };
    const outputs = { product: matrix() };
    let best = Number.POSITIVE_INFINITY;
    const end = performance.now() + MILLISECONDS;
    do {
      const began = performance.now();
      await executable.run(inputs, outputs);
      best = Math.min(best, performance.now() - began);
    } while (performance.now() < end);
    return (1000 * 2 * SIZE ** 3) / best;
  } finally {
    await executable.dispose();
  }
}

function matrix(): HostTensor {
  return hostTensor("float32", [SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5));
}
