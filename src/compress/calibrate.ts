/** Calibration: the values that enter each linear layer over some texts, and the scales that come of them. */

import type { Graph } from "../graph/graph.ts";
import { batchesByLength, type TokenBatch, tokenBatch } from "../inference/batches.ts";
import { type TokenRow, tokensOf } from "../inference/token-rows.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { ActivationHistogram, type ActivationScale, type RangeMethod } from "./activation-range.ts";
import { observedGraph, PLACES } from "./study-graph.ts";

/** What goes on while a model is studied. */
export interface StudyEnvironment {
  readonly runtime: Runtime;
  readonly signal?: AbortSignal;
  /** Told after each run of the model how much is done, in runs. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** So many tokens, what enters all layers of a large model takes 400 MB. */
const BATCH_TOKENS = 512;

/** Rows in batches of like length. */
export function studyBatches(rows: readonly TokenRow[], batchTokens = BATCH_TOKENS): TokenBatch[] {
  return batchesByLength(rows.map(tokensOf), batchTokens).map((places) =>
    tokenBatch(places.map((place) => rows[place] as TokenRow)),
  );
}

/** Activations over calibration texts, by module. */
export type Histograms = ReadonlyMap<string, ActivationHistogram>;

/**
 * Runs a model over texts twice: for the range of what enters each linear layer, and for how often each part of it occurs.
 * @param graph - of `studyGraph`. @param weights - float32, by name.
 */
export async function observeActivations(
  graph: Graph,
  weights: NamedTensors,
  rows: readonly TokenRow[],
  { runtime, signal, onProgress }: StudyEnvironment,
): Promise<Histograms> {
  const observed = observedGraph(graph);
  const histograms = new Map([...observed.tensors.keys()].map((output) => [output, new ActivationHistogram()]));
  const names = new Set(observed.graph.inputs.map(({ name }) => name));
  const executable = await runtime.compile(observed.graph, {
    weights: new Map([...weights].filter(([name]) => names.has(name))),
  });
  const batches = studyBatches(rows);
  try {
    let done = 0;
    for (const pass of ["widen", "count"] as const) {
      for (const batch of batches) {
        signal?.throwIfAborted();
        const values = await executable.run(studyInputs(batch, names));
        for (const [output, { isByToken }] of observed.tensors) {
          const data = values[output]?.data as Float32Array;
          const parts = isByToken ? withoutPadding(data, batch) : [data];
          for (const part of parts) histograms.get(output)?.[pass](part);
        }
        onProgress?.(++done, 2 * batches.length);
      }
    }
  } finally {
    await executable.dispose();
  }
  return new Map(
    [...observed.tensors].flatMap(([output, { modules }]) =>
      modules.map((module) => [module, histograms.get(output) as ActivationHistogram]),
    ),
  );
}

/** Places of a batch whose vocabulary scores are looked at: the scores of all tokens would be larger than all activations. */
const PLACES_OF_BATCH = 32;

/** The inputs of a studied graph for a batch, those that it has. */
export function studyInputs(
  { inputs, rows, seqLength }: TokenBatch,
  names: ReadonlySet<string>,
): Record<string, HostTensor> {
  const tokens = rows.flatMap(({ ids }, row) => Array.from(ids, (_, at) => row * seqLength + at));
  const step = Math.ceil(tokens.length / PLACES_OF_BATCH);
  const places = Int32Array.from(tokens.filter((_, i) => i % step === 0));
  const all = { ...inputs, [PLACES]: hostTensor("int32", [places.length], places) };
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)));
}

/** The values of each row's tokens. @param data - float32 [batch * seq, width]. */
function* withoutPadding(data: Float32Array, { rows, seqLength }: TokenBatch): Generator<Float32Array> {
  const width = data.length / (rows.length * seqLength);
  for (const [row, { ids }] of rows.entries()) {
    const start = row * seqLength * width;
    yield data.subarray(start, start + ids.length * width);
  }
}

/** The scales that a method chooses, by module. */
export function activationScales(histograms: Histograms, method: RangeMethod): Map<string, ActivationScale> {
  return new Map([...histograms].map(([module, histogram]) => [module, histogram.scale(method)]));
}
