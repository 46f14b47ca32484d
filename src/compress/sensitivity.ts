/** Sensitivity: how far a model's outputs move when one linear layer alone is quantised, and which layers stay in float. */

import type { Graph } from "../graph/graph.ts";
import type { TokenBatch } from "../inference/batches.ts";
import type { InputRounding } from "../model/quantized-weights.ts";
import type { Executable } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { type StudyEnvironment, studyInputs } from "./calibrate.ts";
import { linearSites, switchedGraph, switchOf } from "./study-graph.ts";

/** A layer and what quantising it alone does. */
export interface LayerSensitivity {
  readonly module: string;
  /** 1 - cosine to the outputs in float, of the output that moves most. */
  readonly error: number;
  /** Bytes of its weights in float32, the share of memory that keeping it costs. */
  readonly bytes: number;
}

/** What is studied. */
export interface SensitivityInputs {
  /** Of `studyGraph`. */
  readonly graph: Graph;
  /** float32 by name; and the same, rounded to integers and back, of each linear layer's weight. */
  readonly weights: NamedTensors;
  readonly rounded: NamedTensors;
  readonly rounding: (module: string) => InputRounding;
  readonly batches: readonly TokenBatch[];
}

/**
 * The error of each layer by itself, in the order of the graph. One graph serves all: weights are fed, inputs have switches.
 *
 * Embeddings are taken as they are in `weights`; so is the last layer of the MLM head, whose matrix they are.
 */
export async function layerSensitivities(
  { graph, weights, rounded, rounding, batches }: SensitivityInputs,
  { runtime, signal, onProgress }: StudyEnvironment,
): Promise<LayerSensitivity[]> {
  const sites = linearSites(graph);
  const switched = switchedGraph(graph, rounding);
  const names = new Set(switched.inputs.map(({ name }) => name));
  const off = Object.fromEntries(sites.map(({ module }) => [switchOf(module), scalar(0)]));
  const fixed = Object.fromEntries([...weights].filter(([name]) => names.has(name)));
  const executable = await runtime.compile(switched);
  try {
    const run = (changes: Readonly<Record<string, HostTensor>>) =>
      runAll(executable, batches, { ...fixed, ...off, ...changes }, names);
    const exact = await run({});
    const found: LayerSensitivity[] = [];
    for (const { module, weight } of sites) {
      signal?.throwIfAborted();
      const matrix = weights.get(weight) as HostTensor;
      const changed = await run({ [switchOf(module)]: scalar(1), [weight]: rounded.get(weight) ?? matrix });
      found.push({ module, error: largestError(exact, changed), bytes: matrix.data.byteLength });
      onProgress?.(found.length, sites.length);
    }
    return found;
  } finally {
    await executable.dispose();
  }
}

function scalar(value: number): HostTensor {
  return hostTensor("float32", [], Float32Array.of(value));
}

type Outputs = Readonly<Record<string, readonly Float32Array[]>>;

async function runAll(
  executable: Executable,
  batches: readonly TokenBatch[],
  fed: Readonly<Record<string, HostTensor>>,
  names: ReadonlySet<string>,
): Promise<Outputs> {
  const outputs: Record<string, Float32Array[]> = {};
  for (const batch of batches) {
    const results = await executable.run({ ...fed, ...studyInputs(batch, names) });
    for (const [name, { data }] of Object.entries(results)) {
      outputs[name] = [...(outputs[name] ?? []), data as Float32Array];
    }
  }
  return outputs;
}

function largestError(exact: Outputs, changed: Outputs): number {
  const errors = Object.entries(exact).map(([name, parts]) => 1 - cosineOf(parts, changed[name] ?? []));
  return errors.reduce((a, b) => Math.max(a, b), 0);
}

/** Of all values as one vector. */
function cosineOf(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let [products, squaresA, squaresB] = [0, 0, 0];
  for (const [i, part] of a.entries()) {
    const other = b[i] as Float32Array;
    for (let at = 0; at < part.length; at++) {
      const [x, y] = [part[at] as number, other[at] as number];
      products += x * y;
      squaresA += x * x;
      squaresB += y * y;
    }
  }
  return products / Math.sqrt(squaresA * squaresB);
}

/** When layers stay in float. */
export interface KeepRule {
  /** The cosine of the outputs that is aimed at; layers' errors are taken to add up. */
  readonly targetCosine: number;
  /** The most of the linear layers' weights that may stay in float, in 0 .. 1. */
  readonly maxShare: number;
}

/** The layers that stay in float: the most sensitive first, until the target is met or no more may. */
export function layersToKeep(layers: readonly LayerSensitivity[], { targetCosine, maxShare }: KeepRule): string[] {
  const total = layers.reduce((sum, { bytes }) => sum + bytes, 0);
  let error = layers.reduce((sum, layer) => sum + layer.error, 0);
  let bytes = 0;
  const kept: string[] = [];
  for (const layer of [...layers].sort((a, b) => b.error - a.error)) {
    if (error <= 1 - targetCosine) break;
    if (bytes + layer.bytes > maxShare * total) continue;
    kept.push(layer.module);
    bytes += layer.bytes;
    error -= layer.error;
  }
  return kept;
}
