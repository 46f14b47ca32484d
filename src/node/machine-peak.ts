/** How fast this machine multiplies matrices: what the rate of a training run is a share of. */
import { arch, cpus } from "node:os";
import { buildGraph, type Graph, input, parameter } from "../graph/graph.ts";
import { full } from "../graph/ops/constant.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { quantizedLinear, quantizeLinear } from "../graph/ops/quantize.ts";
import type { CompileOptions, Runtime } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor, zeros } from "../util/tensor.ts";
import { type Measured, recall, remember } from "./machine-cache.ts";

/** Large enough to be bound by arithmetic, small enough to run hundreds of times a second. */
const SIZE = 1024;
const MILLISECONDS = 500;

/** A product, and what is built into it. */
interface Product {
  readonly graph: Graph;
  readonly options: CompileOptions;
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

/** Both factors come anew at each run, as in training. */
function floatProduct(): Product {
  const graph = buildGraph({
    product: matmul(input("a", "float32", [SIZE, SIZE]), input("b", "float32", [SIZE, SIZE])),
  });
  return { graph, options: {}, inputs: { a: matrix(), b: matrix() } };
}

/** A layer of a quantised model: floats are rounded as they come, and meet integers that are built in. */
function integerProduct(): Product {
  const levels = quantizeLinear(
    input("a", "float32", [SIZE, SIZE]),
    full("float32", [], 1 / 256),
    full("uint8", [], 128),
  );
  const weight = { values: parameter("w", [SIZE, SIZE], "int8"), scale: parameter("w_scale", [SIZE]) };
  const graph = buildGraph({ product: quantizedLinear(levels, weight, parameter("b", [SIZE], "int32")) });
  const weights = new Map<string, HostTensor>([
    ["w", hostTensor("int8", [SIZE, SIZE], new Int8Array(SIZE * SIZE).fill(3))],
    ["w_scale", hostTensor("float32", [SIZE], new Float32Array(SIZE).fill(1 / 128))],
    ["b", zeros("int32", [SIZE])],
  ]);
  return { graph, options: { weights }, inputs: { a: matrix() } };
}

/** What products are measured in: the engine's own precision, or the integers of quantised models. */
type PeakPrecision = "own" | "int8";

/**
 * The best rate of square matrix products, over half a second.
 * @returns operations a second, a multiplication and its addition being two.
 */
export async function measureMachinePeak(runtime: Runtime, precision: PeakPrecision = "own"): Promise<number> {
  const { graph, options, inputs } = precision === "int8" ? integerProduct() : floatProduct();
  const executable = await runtime.compile(graph, options);
  try {
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
