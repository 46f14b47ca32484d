/** How fast this machine multiplies matrices: what the rate of a training run is a share of. */
import { createHash } from "node:crypto";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { buildGraph, input } from "../graph/graph.ts";
import { matmul } from "../graph/ops/matmul.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { readText, writeFileAtomic } from "./files.ts";

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

/** A file of the machine's, for which the system's folder is enough: after a restart it may be another machine. */
const CACHE_MILLISECONDS = 24 * 3600 * 1000;

/**
 * The peak as `measureMachinePeak` finds it, or has found it within a day with this processor and this engine.
 * @returns undefined where the engine cannot be measured.
 */
export async function knownMachinePeak(runtime: Runtime): Promise<number | undefined> {
  const { name, version, precision, threads } = runtime;
  const key = JSON.stringify([name, version, precision, threads, cpus()[0]?.model, arch()]);
  const path = join(tmpdir(), `zhbert-peak-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.json`);
  try {
    const { measured, peak } = JSON.parse(await readText(path));
    if (peak > 0 && peak < Number.POSITIVE_INFINITY && Date.now() - measured < CACHE_MILLISECONDS) return peak;
  } catch {
    // Not measured yet, or no such file as ours.
  }
  const peak = await measureMachinePeak(runtime).catch(() => undefined);
  // What cannot be kept is measured anew another time.
  if (peak) await writeFileAtomic(path, JSON.stringify({ measured: Date.now(), peak })).catch(() => undefined);
  return peak;
}

function matrix(): HostTensor {
  return hostTensor("float32", [SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5));
}
