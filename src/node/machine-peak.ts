/** How fast this machine multiplies matrices: what the rate of a training run is a share of. */
import { arch, cpus } from "node:os";
import { buildGraph, input } from "../graph/graph.ts";
import { matmul } from "../graph/ops/matmul.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { type Measured, recall, remember } from "./machine-cache.ts";

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

/**
 * The peak as `measureMachinePeak` finds it, or has found it within days with this processor and this engine.
 * @returns undefined where the engine cannot be measured.
 */
export async function knownMachinePeak(runtime: Runtime): Promise<number | undefined> {
  const known = await recall(measurement(runtime));
  if (known !== undefined) return known;
  return rememberedMachinePeak(runtime).catch(() => undefined);
}

/** The peak, measured now and kept. */
export async function rememberedMachinePeak(runtime: Runtime): Promise<number> {
  const peak = await measureMachinePeak(runtime);
  await remember(measurement(runtime), peak);
  return peak;
}

function measurement({ name, version, precision, threads }: Runtime): Measured<number> {
  return {
    kind: "peak",
    key: { processor: cpus()[0]?.model, architecture: arch(), name, version, precision, threads },
    isValid: (value): value is number => typeof value === "number" && value > 0 && value < Number.POSITIVE_INFINITY,
  };
}

function matrix(): HostTensor {
  return hostTensor("float32", [SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5));
}
