/** One layer of BERT-base, forward and backward with all gradients: our graph, the prototype's on the same engine, torch. */
import * as ort from "onnxruntime-node";
import type { HostTensor } from "../src/util/tensor.ts";
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { engineVersion, timedRuntime } from "./engine.ts";
import { pythonPeer } from "./peers.ts";
import { prototypeModel } from "./prototype.ts";

const [HIDDEN, INNER] = [768, 3072];
/** Forward, and backward for the inputs and for the weights. */
const PASSES = 3;

/** Operations of the matrix products alone, as the peers count them. */
function amountsOf({ batch, seq }: { readonly batch: number; readonly seq: number }) {
  const tokens = batch * seq;
  const products = tokens * 2 * (4 * HIDDEN ** 2 + 2 * HIDDEN * INNER) + 4 * batch * seq ** 2 * HIDDEN;
  return { tokens, flop: PASSES * products };
}

function sizes(settings: Settings) {
  return settings as { readonly batch: number; readonly seq: number; readonly threads: number };
}

/** Small numbers, and a mask of zeros: nothing is hidden. */
function filled(name: string, shape: readonly number[]): HostTensor<"float32"> {
  const scale = name === "x" ? 2 : 0.05;
  const length = shape.reduce((count, size) => count * size, 1);
  const data = new Float32Array(length);
  if (name !== "mask") for (let i = 0; i < length; i++) data[i] = (Math.random() - 0.5) * scale;
  return { dtype: "float32", shape, data };
}

async function ourLayer(settings: Settings): Promise<Work> {
  const { batch, seq, threads } = sizes(settings);
  const { buildGraph, builtinConfig, input, modelContext, transformerLayer, vectorJacobianProduct } =
    await built("node/index");
  const config = builtinConfig("base", 1);
  const context = modelContext();
  const x = input("x", "float32", [batch * seq, HIDDEN]);
  const y = transformerLayer(context, config, x, input("mask", "float32", [batch, 1, 1, seq]), "layer");
  const parameters = buildGraph({ y }).inputs.filter(({ parameter }) => parameter);
  const wrt = [x, ...parameters.map(({ name, shape }) => context.parameter(name, shape as number[]))];
  const gradients = vectorJacobianProduct(y, input("dy", "float32", [batch * seq, HIDDEN]), wrt);
  const graph = buildGraph({ y, ...Object.fromEntries(gradients.map((gradient, i) => [`grad.${i}`, gradient])) });
  const { runtime, takeSeconds } = await timedRuntime(threads);
  const executable = await runtime.compile(graph);
  const inputs = Object.fromEntries(graph.inputs.map(({ name, shape }) => [name, filled(name, shape as number[])]));
  const outputs = Object.fromEntries([...graph.outputs].map(([name, { shape }]) => [name, zeros(shape as number[])]));
  const run = async (): Promise<Facts> => {
    await executable.run(inputs, outputs);
    return { engineSeconds: takeSeconds() };
  };
  return { version: engineVersion(), amounts: amountsOf({ batch, seq }), run };
}

function zeros(shape: readonly number[]): HostTensor<"float32"> {
  return { dtype: "float32", shape, data: new Float32Array(shape.reduce((count, size) => count * size, 1)) };
}

/** The prototype's graph with its own session options, over memory that is given once. */
async function prototypeLayer(settings: Settings): Promise<Work> {
  const { batch, seq, threads } = sizes(settings);
  const session = await ort.InferenceSession.create(prototypeModel(batch, seq), {
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
  });
  const tensors = (metadata: typeof session.inputMetadata, make: (name: string, shape: number[]) => HostTensor) =>
    Object.fromEntries(
      metadata.map((value) => {
        if (!value.isTensor) throw new TypeError(`prototype: expected tensors, got ${value.name}`);
        const shape = value.shape as number[];
        return [value.name, new ort.Tensor("float32", make(value.name, shape).data as Float32Array, shape)];
      }),
    );
  const feeds = tensors(session.inputMetadata, filled);
  const fetches = tensors(session.outputMetadata, (_, shape) => zeros(shape));
  const run = async () => {
    await session.run(feeds, fetches);
    return undefined;
  };
  return { version: engineVersion(), amounts: amountsOf({ batch, seq }), run };
}

const torch = (dtype: string) => (settings: Settings) => {
  const { batch, seq, threads } = sizes(settings);
  return pythonPeer("layer.py", { engine: "torch", dtype, batch, seq, threads });
};

const bench: Bench = {
  summary: "one layer of BERT-base, forward + backward, fp32 unless said",
  settings: {
    batch: [32, "sequences"],
    seq: [128, "tokens of a sequence"],
    threads: [2, "threads of each engine"],
  },
  rounds: 9,
  rate: { amount: "flop", scale: 1e-9, unit: "GFLOP/s" },
  sides: [
    { name: "zhbert", prepare: ourLayer },
    { name: "prototype graph", prepare: prototypeLayer },
    { name: "torch", peer: torch("fp32") },
    { name: "torch bf16", peer: torch("bf16") },
  ],
  comparisons: [
    { ours: "zhbert", theirs: "prototype graph", goal: 1 },
    { ours: "zhbert", theirs: "torch", goal: 1 },
    { ours: "zhbert", theirs: "torch bf16" },
  ],
  same: ["tokens", "flop"],
  remark: ({ engineSeconds, seconds }) =>
    engineSeconds === undefined
      ? ""
      : `${((1 - engineSeconds / (seconds as number)) * 100).toFixed(1)} % outside the engine`,
};
export default bench;
