/** One layer of BERT-base, forward and backward with all gradients: our graph, the prototype's on the same engine, torch. */
import * as ort from "onnxruntime-node";
import type { HostTensor } from "../src/util/tensor.ts";
import type { Bench, Settings, Work } from "./bench.ts";
import { empty, filled, layerAmounts, layerSizes, layerWork } from "./encoder-layer.ts";
import { engineSettings, onnxRuntimeVersion, outsideEngine } from "./engine.ts";
import { expectPrecision, pythonPeer } from "./peers.ts";
import { prototypeModel } from "./prototype.ts";

/** The prototype's graph with its own session options, over memory that is given once. */
async function prototypeLayer(settings: Settings): Promise<Work> {
  const sizes = layerSizes(settings);
  const { batch, seq, threads } = sizes;
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
  const fetches = tensors(session.outputMetadata, (_, shape) => empty(shape));
  const run = async () => {
    await session.run(feeds, fetches);
    return undefined;
  };
  return { version: onnxRuntimeVersion(), amounts: layerAmounts(sizes, true), run };
}

const torch =
  (dtype: "fp32" | "bf16", options: { readonly compile?: true } = {}) =>
  (settings: Settings) => {
    const { batch, seq, threads, precision } = layerSizes(settings);
    expectPrecision(precision, dtype);
    return pythonPeer("layer.py", { engine: "torch", dtype, batch, seq, threads, ...options });
  };

const PEERS = ["torch", "torch bf16", "torch bf16 compile"];

const bench: Bench = {
  summary: "one layer of BERT-base, forward + backward",
  settings: {
    batch: [32, "sequences"],
    seq: [128, "tokens of a sequence"],
    ...engineSettings("auto"),
  },
  rounds: 9,
  rate: { amount: "flop", scale: 1e-9, unit: "GFLOP/s" },
  sides: [
    { name: "zhbert", prepare: (settings) => layerWork(settings, true) },
    {
      name: "zhbert, ONNX Runtime f32",
      prepare: (settings) => layerWork({ ...settings, runtime: "onnxruntime", precision: "f32" }, true),
    },
    { name: "prototype graph", prepare: prototypeLayer },
    { name: "torch", peer: torch("fp32") },
    { name: "torch bf16", peer: torch("bf16") },
    { name: "torch bf16 compile", peer: torch("bf16", { compile: true }) },
  ],
  comparisons: [
    { ours: "zhbert", theirs: PEERS, goal: 1.2 },
    { ours: "zhbert, ONNX Runtime f32", theirs: "prototype graph", goal: 1 },
    { ours: "zhbert, ONNX Runtime f32", theirs: "torch", goal: 1.2 },
  ],
  same: ["tokens", "flop"],
  remark: (facts) => outsideEngine(facts).join(""),
};
export default bench;
