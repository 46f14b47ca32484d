/**
 * How long engines take for one layer of a model, forward or forward and backward, measured in turn so that whatever else the
 * machine does meets them all alike. It is what engines are chosen by.
 */
import { availableParallelism, loadavg } from "node:os";
import { gradients } from "../graph/autodiff.ts";
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { type BertConfig, builtinConfig } from "../model/config.ts";
import { modelContext } from "../model/context.ts";
import { transformerLayer } from "../model/encoder.ts";
import type { Executable, Runtime } from "../runtime/runtime.ts";
import { Random } from "../util/random.ts";
import { type HostTensor, zeros } from "../util/tensor.ts";

/** The work by which engines are compared. */
export interface LayerWork {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  /** Forward and backward, with dropout; forward alone when false. */
  readonly training: boolean;
}

/** The work of a model's layers. */
export function workOf(
  { hiddenSize, intermediateSize, numAttentionHeads }: BertConfig,
  mode: "inference" | "training",
): LayerWork {
  return { hiddenSize, intermediateSize, numAttentionHeads, training: mode === "training" };
}

/** The work where a model is not known yet: the layers of BERT-base, and of every model that has its width. */
export function usualWork(mode: "inference" | "training"): LayerWork {
  return workOf(builtinConfig("base", 1), mode);
}

const SEQ_LENGTH = 128;
/** The batch of a stream of texts, and enough of one in training; slow machines measure on less. */
const MOST_SEQUENCES = 8;
/** When the last round begins at the latest; compiling takes the engines tenths of a second of it. */
const DEADLINE_MS = 1600;
/** What of it runs may take. */
const RUNS_SHARE = 0.5;
/** So many make a measurement: the best of one round may be the machine's bad luck. */
const STEADY_ROUNDS = 2;
const MAX_ROUNDS = 6;

/** What an engine took. */
export interface LayerTime {
  /** The shortest of all rounds, in milliseconds; undefined where the engine refuses the work. */
  readonly milliseconds?: number;
  /** Why it refuses. */
  readonly error?: unknown;
}

/** Times by engine, and what was computed. */
export interface LayerTimes {
  /** In the order of the engines. */
  readonly times: readonly LayerTime[];
  /** Of one run. */
  readonly tokens: number;
  /** Whether there was time for more than one round: on a busy machine there is not. */
  readonly isSteady: boolean;
  /** Whether other programs took half of the machine or more. */
  readonly isBusy: boolean;
}

/**
 * Measures one layer of the sizes that are asked for, of random weights.
 * @param milliseconds - after so long no run begins; engines that have not had their turn by then are not measured.
 */
export async function measureLayer(
  runtimes: readonly Runtime[],
  work: LayerWork,
  milliseconds = DEADLINE_MS,
): Promise<LayerTimes> {
  const deadline = performance.now() + milliseconds;
  // Before the measurement itself counts.
  const isBusy = (loadavg()[0] as number) >= availableParallelism() / 2;
  const sequences = await affordableSequences(runtimes, work, RUNS_SHARE * milliseconds);
  const graph = layerGraph(work, sequences);
  const tensors = tensorsOf(graph);
  const layers: (MeasuredLayer | { readonly error: unknown })[] = [];
  try {
    for (const runtime of runtimes) {
      const isLate = layers.length > 0 && performance.now() > deadline;
      layers.push(
        isLate ? { error: "not measured, for lack of time" } : await openLayer(runtime, work, graph, tensors),
      );
    }
    const running = layers.filter((layer) => layer instanceof MeasuredLayer);
    let rounds = 0;
    for (; rounds < MAX_ROUNDS && performance.now() < deadline; rounds++)
      for (const layer of running) await layer.run();
    const times = layers.map((layer) =>
      layer instanceof MeasuredLayer ? { milliseconds: layer.best } : { error: layer.error },
    );
    return { times, tokens: sequences * SEQ_LENGTH, isSteady: rounds >= STEADY_ROUNDS, isBusy };
  } finally {
    for (const layer of layers) if (layer instanceof MeasuredLayer) await layer.dispose();
  }
}

/** As many sequences as the first engine shows that there is time for. */
async function affordableSequences(
  runtimes: readonly Runtime[],
  work: LayerWork,
  milliseconds: number,
): Promise<number> {
  const graph = layerGraph(work, 1);
  for (const runtime of runtimes) {
    const probe = await openLayer(runtime, work, graph, tensorsOf(graph));
    if (!(probe instanceof MeasuredLayer)) continue;
    await probe.run();
    await probe.dispose();
    // The first run of each engine takes its time besides.
    const affordable = milliseconds / (probe.best * runtimes.length * (STEADY_ROUNDS + 1));
    return Math.max(1, Math.min(MOST_SEQUENCES, Math.floor(affordable)));
  }
  return 1;
}

/** Compiles, and runs once so that memory is filled; gives the error of an engine that refuses. */
async function openLayer(
  runtime: Runtime,
  work: LayerWork,
  graph: Graph,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<MeasuredLayer | { readonly error: unknown }> {
  // In use the weights are built in; in training they change from run to run.
  const isBuiltIn = ({ parameter }: Graph["inputs"][number]) => parameter && !work.training;
  const named = (wanted: Graph["inputs"]) => wanted.map(({ name }) => [name, tensors.get(name) as HostTensor] as const);
  const weights = new Map(named(graph.inputs.filter(isBuiltIn)));
  let executable: Executable | undefined;
  try {
    executable = await runtime.compile(graph, weights.size === 0 ? {} : { weights });
    const outputs = () =>
      Object.fromEntries([...graph.outputs].map(([name, { shape }]) => [name, zeros("float32", shape as number[])]));
    const fed = named(graph.inputs.filter((one) => !isBuiltIn(one)));
    const layer = new MeasuredLayer(
      executable,
      Object.fromEntries(fed),
      Array.from({ length: runtime.streams ?? 1 }, outputs),
    );
    await layer.run();
    return layer;
  } catch (error) {
    await executable?.dispose();
    return { error };
  }
}

/** A compiled layer with its memory. */
class MeasuredLayer {
  /**
   * Milliseconds of the shortest run, its share where several are computed at a time; of the first one, which may fill
   * memory, where there was time for no other.
   */
  best = Number.POSITIVE_INFINITY;
  readonly #executable: Executable;
  readonly #inputs: Readonly<Record<string, HostTensor>>;
  /** Of each stream. */
  readonly #outputs: readonly Readonly<Record<string, HostTensor>>[];

  constructor(
    executable: Executable,
    inputs: Readonly<Record<string, HostTensor>>,
    outputs: readonly Readonly<Record<string, HostTensor>>[],
  ) {
    this.#executable = executable;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  async run(): Promise<void> {
    const began = performance.now();
    await Promise.all(this.#outputs.map((outputs) => this.#executable.run(this.#inputs, outputs)));
    this.best = Math.min(this.best, (performance.now() - began) / this.#outputs.length);
  }

  dispose(): Promise<void> {
    return this.#executable.dispose();
  }
}

/**
 * One layer as models have it.
 * @returns a graph from `x` (float32 [tokens, hiddenSize]) to `y`; in training to the gradients of all that enters it.
 */
export function layerGraph(work: LayerWork, sequences: number): Graph {
  const config: BertConfig = { ...builtinConfig("base", 1), ...work };
  const tokens = sequences * SEQ_LENGTH;
  const x = input("x", "float32", [tokens, work.hiddenSize]);
  const maskAdder = input("mask_adder", "float32", [sequences, 1, 1, SEQ_LENGTH]);
  const context = modelContext({ training: work.training });
  const parameters = new Map<string, Tensor>();
  const parameter: typeof context.parameter = (name, shape) => {
    const tensor = context.parameter(name, shape);
    parameters.set(name, tensor);
    return tensor;
  };
  const y = transformerLayer({ ...context, parameter }, config, x, maskAdder, "layer");
  if (!work.training) return buildGraph({ y });
  const gradient = input("gradient", "float32", [tokens, work.hiddenSize]);
  const by = [x, ...parameters.values()];
  const results = gradients(reduceSum(mul(y, gradient)), by);
  return buildGraph(
    Object.fromEntries(["x", ...parameters.keys()].map((name, i) => [`grad.${name}`, results[i] as Tensor])),
  );
}

/** Something for every input: small numbers, ones for what is kept of dropout, nothing masked. */
function tensorsOf(graph: Graph): Map<string, HostTensor> {
  const random = new Random(0);
  return new Map(
    graph.inputs.map(({ name, dtype, shape }) => {
      const tensor = zeros(dtype, shape as number[]);
      if (dtype === "uint8") (tensor.data as Uint8Array).fill(1);
      else if (name !== "mask_adder") fillSmall(tensor.data as Float32Array, random);
      return [name, tensor];
    }),
  );
}

/** Uniform in -0.05 .. 0.05, from a block that repeats: drawing millions would take longer than the layer. */
function fillSmall(data: Float32Array, random: Random): void {
  const block = Float32Array.from({ length: Math.min(4099, data.length) }, () => 0.1 * (random.uniform() - 0.5));
  for (let at = 0; at < data.length; at += block.length) data.set(block.subarray(0, data.length - at), at);
}
