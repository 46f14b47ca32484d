/** One layer of BERT-base over random inputs: forward alone, or forward and backward with all gradients. */
import type { HostTensor } from "../src/util/tensor.ts";
import type { Amounts, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { type EngineSettings, timedRuntime } from "./engine.ts";
import { encoderFlop, TRAINING_PASSES } from "./flop.ts";

const [HIDDEN, INNER] = [768, 3072];

/** What benchmarks of a layer can set. */
export interface LayerSizes extends EngineSettings {
  readonly batch: number;
  readonly seq: number;
}

/** The settings as numbers. */
export const layerSizes = (settings: Settings) => settings as unknown as LayerSizes;

/** What a run gets through. */
export function layerAmounts({ batch, seq }: LayerSizes, isTraining: boolean): Amounts {
  const layer = { numHiddenLayers: 1, hiddenSize: HIDDEN, intermediateSize: INNER };
  return { tokens: batch * seq, flop: (isTraining ? TRAINING_PASSES : 1) * encoderFlop(layer, batch, seq) };
}

/** Our layer. Forward alone has its weights built in, as models in use have. */
export async function layerWork(settings: Settings, isTraining: boolean): Promise<Work> {
  const sizes = layerSizes(settings);
  const { batch, seq } = sizes;
  const { buildGraph, builtinConfig, input, modelContext, transformerLayer, vectorJacobianProduct } =
    await built("node/index");
  const config = builtinConfig("base", 1);
  const context = modelContext();
  const x = input("x", "float32", [batch * seq, HIDDEN]);
  const y = transformerLayer(context, config, x, input("mask", "float32", [batch, 1, 1, seq]), "layer");
  const forward = buildGraph({ y });
  const parameters = forward.inputs.filter(({ parameter }) => parameter);
  const gradients = () => {
    const wrt = [x, ...parameters.map(({ name, shape }) => context.parameter(name, shape as number[]))];
    const results = vectorJacobianProduct(y, input("dy", "float32", [batch * seq, HIDDEN]), wrt);
    return buildGraph({ y, ...Object.fromEntries(results.map((gradient, i) => [`grad.${i}`, gradient])) });
  };
  const graph = isTraining ? gradients() : forward;
  const { runtime, takeSeconds, version } = await timedRuntime(sizes, isTraining ? "training" : "inference");
  const named = (wanted: typeof graph.inputs) =>
    wanted.map(({ name, shape }) => [name, filled(name, shape as number[])] as const);
  const weights = new Map(isTraining ? [] : named(parameters));
  const executable = await runtime.compile(graph, weights.size === 0 ? {} : { weights });
  const inputs = Object.fromEntries(named(graph.inputs.filter(({ name }) => !weights.has(name))));
  const outputs = Object.fromEntries([...graph.outputs].map(([name, { shape }]) => [name, empty(shape as number[])]));
  const run = async (): Promise<Facts> => {
    await executable.run(inputs, outputs);
    return { engineSeconds: takeSeconds() };
  };
  return { version, amounts: layerAmounts(sizes, isTraining), run };
}

/** Small numbers, and a mask of zeros: nothing is hidden. */
export function filled(name: string, shape: readonly number[]): HostTensor<"float32"> {
  const scale = name === "x" ? 2 : 0.05;
  const { data } = empty(shape);
  if (name !== "mask") for (let i = 0; i < data.length; i++) data[i] = (Math.random() - 0.5) * scale;
  return { dtype: "float32", shape, data };
}

/** Memory for a result. */
export function empty(shape: readonly number[]): HostTensor<"float32"> {
  return { dtype: "float32", shape, data: new Float32Array(shape.reduce((count, size) => count * size, 1)) };
}
