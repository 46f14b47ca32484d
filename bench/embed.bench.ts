/** Texts of mixed lengths to mean-pooled vectors, tokenising included: RBT3 with random weights, against torch and ONNX Runtime. */
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { prepareCheckpoint } from "./checkpoints.ts";
import { benchFolder, vocabularyPath } from "./corpus.ts";
import { engineVersion, timedRuntime } from "./engine.ts";
import { pythonPeer, sharedPath } from "./peers.ts";
import { mixedTexts } from "./text-stream.ts";

const MAX_LENGTH = 512;
/** Texts of which the vectors are held against PyTorch's. */
const COMPARED = 64;

interface Sizes {
  readonly texts: number;
  readonly layers: number;
  readonly threads: number;
}

const sizes = (settings: Settings) => settings as unknown as Sizes;
const modelFolder = (layers: number) => `${benchFolder}checkpoint-${layers}/safetensors`;

async function ours(settings: Settings): Promise<Work> {
  const { texts: count, layers, threads } = sizes(settings);
  const texts = mixedTexts(count);
  const folder = await prepareCheckpoint(layers, "safetensors");
  copyFileSync(vocabularyPath(), `${folder}/vocab.txt`);
  const { BertModel } = await built("node/index");
  const { runtime, takeSeconds } = await timedRuntime(threads);
  const model = await BertModel.fromPretrained(folder, { runtime });
  const encoded = texts.map((text) => model.tokenizer.encode(text, { maxLength: MAX_LENGTH }).ids.length);
  const agreement = agreementOf(await model.embed(texts.slice(0, COMPARED), { truncate: true }), folder, texts);
  const run = async (): Promise<Facts> => {
    takeSeconds();
    const vectors = await model.embed(texts, { truncate: true });
    return { vectors: vectors.length, engineSeconds: takeSeconds(), ...agreement };
  };
  const tokens = encoded.reduce((sum, length) => sum + length, 0);
  return { version: engineVersion(), amounts: { examples: count, tokens }, run };
}

/** The lowest cosine to PyTorch's vectors, also with the mean vector taken off: random weights make all vectors alike. */
function agreementOf(vectors: readonly Float32Array[], folder: string, texts: readonly string[]): Facts {
  const peers = sharedPath("peers");
  const [input, output] = [`${benchFolder}embed-texts.json`, `${benchFolder}embed-vectors.f32`];
  writeFileSync(input, JSON.stringify(texts.slice(0, COMPARED)));
  const script = fileURLToPath(new URL("./python/embed.py", import.meta.url));
  const args = [script, "--peers", peers ?? "", "--model", folder, "--texts", input, "--output", output];
  const python = process.env["ZHBERT_BENCH_PYTHON"] ?? "python3";
  if (spawnSync(python, args, { stdio: "ignore" }).status !== 0) return {};
  const flat = new Float32Array(Uint8Array.from(readFileSync(output)).buffer);
  const width = flat.length / vectors.length;
  const expected = vectors.map((_, i) => flat.subarray(i * width, (i + 1) * width));
  const centre = Float32Array.from({ length: width }, (_, column) =>
    expected.reduce((sum, row) => sum + (row[column] as number) / expected.length, 0),
  );
  const centred = (row: Float32Array) => row.map((value, i) => value - (centre[i] as number));
  return {
    cosine: Math.min(...vectors.map((row, i) => cosine(row, expected[i] as Float32Array))),
    centredCosine: Math.min(...vectors.map((row, i) => cosine(centred(row), centred(expected[i] as Float32Array)))),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const engine = (name: string) => (settings: Settings) => {
  const { texts, layers, threads } = sizes(settings);
  const model = modelFolder(layers);
  return pythonPeer("infer.py", { engine: name, mode: "throughput", texts, "max-length": MAX_LENGTH, model, threads });
};

const bench: Bench = {
  summary: "texts of mixed lengths to vectors, tokenising included; layers of BERT-base's size; fp32",
  settings: {
    texts: [1000, "texts of 6 to 512 tokens"],
    layers: [3, "Transformer layers of 768 columns: 3 is RBT3, 12 BERT-base"],
    threads: [2, "threads of each engine"],
  },
  rounds: 5,
  rate: { amount: "examples", scale: 1, unit: "texts/s" },
  sides: [
    { name: "zhbert", prepare: ours },
    { name: "torch", peer: engine("torch-fp32") },
    { name: "ONNX Runtime, its optimiser's graph", peer: engine("ort-fp32") },
  ],
  comparisons: [
    { ours: "zhbert", theirs: "torch", goal: 1.5 },
    { ours: "zhbert", theirs: "ONNX Runtime, its optimiser's graph" },
  ],
  same: ["examples", "tokens"],
  remark: ({ engineSeconds, seconds = 0, cosine: lowest, centredCosine, cosine_min: theirs }) => {
    const outside =
      engineSeconds === undefined ? [] : [`${((1 - engineSeconds / seconds) * 100).toFixed(1)} % outside the engine`];
    const cosines =
      lowest === undefined ? [] : [`cosine to torch ${lowest.toFixed(6)}, less the mean ${centredCosine?.toFixed(6)}`];
    return [...outside, ...cosines, ...(theirs === undefined ? [] : [`cosine to torch ${theirs}`])].join("; ");
  },
};
export default bench;
