/** How much of the machine's rate of matrix products a model reaches, in the same engine and precision, both measured in turn. */
import type { Bench, Facts, Settings, Side, Work } from "./bench.ts";
import { built } from "./built.ts";
import { layerWork } from "./encoder-layer.ts";
import { type EngineSettings, engineSettings, timedRuntime } from "./engine.ts";
import { encodingWork } from "./inference.ts";
import { ourStep, stepSettings, trainedConfig } from "./pretraining.ts";

/** Of the product that the peak is measured by. */
const PRODUCT_FLOP = 2 * 1024 ** 3;

async function matrixProducts(settings: Settings): Promise<Work> {
  const { measureMachinePeak } = await built("node/machine-peak");
  const { runtime, version } = await timedRuntime(settings as unknown as EngineSettings, "inference");
  const run = async (): Promise<Facts> => ({ seconds: PRODUCT_FLOP / (await measureMachinePeak(runtime)) });
  return { version, amounts: { flop: PRODUCT_FLOP }, warmUps: 1, run };
}

const PEAK = "matrix products";
const works: Side[] = [
  { name: "a layer, forward", prepare: (settings) => layerWork(settings, false) },
  { name: "a layer, forward + backward", prepare: (settings) => layerWork(settings, true) },
  { name: "texts to vectors", prepare: encodingWork },
  {
    name: "training step",
    prepare: async (settings) => ourStep(await trainedConfig("base", Number(settings["layers"])), settings),
  },
];

const bench: Bench = {
  summary: "GFLOP/s of matrix products inside of a model, and their share of what 1024 x 1024 products alone reach",
  settings: {
    layers: [3, "Transformer layers of 768 columns"],
    ...stepSettings(32),
    ...engineSettings("f32"),
    runtime: ["onnxruntime", "our engine: onnxruntime or openvino; one for all sides"],
  },
  cases: [
    { runtime: "onnxruntime", precision: "f32" },
    { runtime: "openvino", precision: "f32" },
    { runtime: "openvino", precision: "bf16" },
  ],
  rounds: 7,
  rate: { amount: "flop", scale: 1e-9, unit: "GFLOP/s" },
  sides: [{ name: PEAK, prepare: matrixProducts }, ...works],
  comparisons: works.map(({ name }) => ({ ours: name, theirs: PEAK })),
  same: [],
};
export default bench;
