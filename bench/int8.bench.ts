/**
 * Models of 8-bit integers over a stream of texts, against ONNX Runtime's dynamic quantisation. With `--model` and `--data` it
 * is a fine-tuned model and examples of its task, and what int8 costs in its metric is told; random weights have no such cost.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { QuantizedForm } from "../src/node/quantize.ts";
import type { Bench, Facts, Settings, Side, Work } from "./bench.ts";
import { built } from "./built.ts";
import { checkpointFolder } from "./checkpoints.ts";
import { benchFolder } from "./corpus.ts";
import { type EngineSettings, engineSettings, outsideEngine } from "./engine.ts";
import { agreement, cosineRemark, countTokens, inferPeer, prepareModel, timedModel, vectorsOf } from "./inference.ts";
import { mixedTexts } from "./text-stream.ts";

/** Texts that scales are chosen by begin here: none of them is in the stream's first thousand. */
const CALIBRATION_FIRST = 1000;
/** Points of the task's metric that int8 may cost. */
const MAX_LOSS = 0.5;

interface Sizes extends EngineSettings {
  readonly texts: number;
  readonly layers: number;
  readonly calibration: number;
  readonly mode: "static" | "dynamic";
  readonly model: string;
  readonly data: string;
}

const sizesOf = (settings: Settings) => settings as unknown as Sizes;
const floatFolder = ({ model, layers }: Sizes) => model || checkpointFolder(layers, "safetensors");

async function ours(settings: Settings): Promise<Work> {
  const sizes = sizesOf(settings);
  const float = sizes.model || (await prepareModel(sizes.layers));
  const { folder, cost } = await quantized(float, sizes);
  const { model, takeSeconds, version } = await timedModel(folder, sizes);
  const texts = mixedTexts(sizes.texts);
  const facts = { ...cost, ...(await agreement(model, float, texts)) };
  const run = async (): Promise<Facts> => {
    takeSeconds();
    const { length } = await vectorsOf(model, texts);
    return { vectors: length, engineSeconds: takeSeconds() };
  };
  const named = `${version}, linear layers in int8`;
  return { version: named, amounts: { examples: texts.length, tokens: countTokens(model, texts) }, facts, run };
}

/** The model as `zhbert quantize` writes it, made once, and what it costs. */
async function quantized(float: string, { mode, data, model, layers, calibration, threads }: Sizes) {
  const names = [model ? basename(model) : layers, mode, calibration, ...(data === "" ? [] : [basename(data)])];
  const folder = `${benchFolder}int8-${names.join("-")}`;
  const told = `${folder}/cost.json`;
  if (!existsSync(told)) {
    const { quantize } = await built("node/quantize");
    const texts = mixedTexts(CALIBRATION_FIRST + calibration).slice(CALIBRATION_FIRST);
    const labelled = data === "" ? {} : { examples: (task: string) => examplesOf(task, data) };
    const choice = { runtime: "onnxruntime", threads } as const;
    const { forms } = await quantize(float, folder, { ...choice, texts, mode, ...labelled, overwrite: true });
    writeFileSync(told, JSON.stringify(costOf(forms, mode)));
  }
  return { folder, cost: JSON.parse(readFileSync(told, "utf8")) as Facts };
}

async function examplesOf(task: string, data: string): Promise<readonly object[]> {
  const { loadTaskData } = await built("node/index");
  const { splits } = await loadTaskData({ name: task, test: data, splits: ["test"] });
  return splits.test ?? [];
}

function costOf(forms: readonly QuantizedForm[], mode: string): Facts {
  const [float, form] = ["float32", mode].map((name) => forms.find(({ form }) => form === name) as QuantizedForm);
  const loss = form?.metric === undefined ? {} : { loss: 100 * ((float?.metric ?? 0) - form.metric) };
  return { kept: form?.kept.length ?? 0, ...loss };
}

const peer = (name: string, engine: string): Side => ({
  name,
  peer: (settings) => {
    const { texts, threads } = sizesOf(settings);
    return inferPeer(engine, floatFolder(sizesOf(settings)), threads, { mode: "throughput", texts });
  },
});

const bench: Bench = {
  summary: "texts of mixed lengths to vectors by a quantised model, tokenising included",
  settings: {
    texts: [1000, "texts of 6 to 512 tokens"],
    layers: [3, "Transformer layers of 768 columns, of random weights"],
    calibration: [256, "texts that scales are chosen by and that layers are tried on"],
    mode: ["static", "of our quantisation: static or dynamic"],
    model: ["", "folder of a fine-tuned model in place of random weights"],
    data: ["", "a file of labelled examples, by which the loss is measured"],
    ...engineSettings("int8"),
  },
  cases: ["static", "dynamic"].map((mode) => ({ mode })),
  rounds: 5,
  rate: { amount: "examples", scale: 1, unit: "texts/s" },
  sides: [
    { name: "zhbert int8", prepare: ours },
    peer("ONNX Runtime dynamic int8", "ort-int8"),
    peer("OpenVINO int8 (nncf)", "openvino-int8"),
  ],
  comparisons: [
    { ours: "zhbert int8", theirs: "ONNX Runtime dynamic int8", goal: 1.3 },
    { ours: "zhbert int8", theirs: "OpenVINO int8 (nncf)" },
  ],
  same: ["examples", "tokens"],
  problem: ({ loss = 0 }) =>
    loss > MAX_LOSS ? `${loss.toFixed(2)} points are lost, more than ${MAX_LOSS}` : undefined,
  remark: (facts) => {
    const { loss, kept } = facts;
    const costs = [
      ...(kept === undefined ? [] : [`${kept} layers in float`]),
      ...(loss === undefined ? [] : [`${loss.toFixed(2)} points lost`]),
    ];
    return [...outsideEngine(facts), ...cosineRemark(facts), ...costs].join("; ");
  },
};
export default bench;
