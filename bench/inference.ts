/** A model's vectors of texts as benchmarks take them: ours, the peers of infer.py, and how far ours are from PyTorch's in float32. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BertModel } from "../src/node/bert-model.ts";
import type { Facts, PeerCommand, Settings, Side, Work } from "./bench.ts";
import { built } from "./built.ts";
import { checkpointFolder, prepareCheckpoint } from "./checkpoints.ts";
import { benchFolder, vocabularyPath } from "./corpus.ts";
import { type EngineSettings, type TimedRuntime, timedRuntime } from "./engine.ts";
import { fixedTexts } from "./fixed-texts.ts";
import { encoderFlop } from "./flop.ts";
import { expectPrecision, pythonPeer, pythonProgram, sharedPath } from "./peers.ts";

const MAX_LENGTH = 512;
/** Texts of which the vectors are held against PyTorch's. */
const COMPARED = 64;
/** The least likeness to float32 that a faster precision may have. */
const MIN_COSINE = 0.999;

/** What benchmarks of a model in use can set. */
export interface InferenceSizes extends EngineSettings {
  readonly layers: number;
}

/** A model with its clock. */
export interface TimedModel extends Omit<TimedRuntime, "runtime"> {
  readonly model: BertModel;
}

/** Writes a model of BERT-base's width with random weights and the vocabulary, unless it is there; gives its folder. */
export async function prepareModel(layers: number): Promise<string> {
  const folder = await prepareCheckpoint(layers, "safetensors");
  if (!existsSync(join(folder, "vocab.txt"))) copyFileSync(vocabularyPath(), join(folder, "vocab.txt"));
  return folder;
}

/** Loads a model on the engine that the settings name. */
export async function timedModel(folder: string, settings: EngineSettings): Promise<TimedModel> {
  const { BertModel, loadPretrained } = await built("node/index");
  const { config } = await loadPretrained(folder);
  const { runtime, takeSeconds, version } = await timedRuntime(settings, "inference", config);
  return { model: await BertModel.fromPretrained(folder, { runtime }), takeSeconds, version };
}

/** Vectors as all sides make them: the mean of the last layer's tokens, texts cut at 512. */
export function vectorsOf(model: BertModel, texts: readonly string[]): Promise<Float32Array[]> {
  return model.embed(texts, { truncate: true });
}

/** Tokens of texts, cut at 512 each. */
export function countTokens({ tokenizer }: BertModel, texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + tokenizer.encode(text, { maxLength: MAX_LENGTH }).ids.length, 0);
}

/** Texts of one length to vectors: `batch` of them at once, of `seq` tokens each, random weights. */
export async function encodingWork(settings: Settings): Promise<Work> {
  const { layers, batch, seq, ...engine } = settings as unknown as InferenceSizes & { batch: number; seq: number };
  const { model, takeSeconds, version } = await timedModel(await prepareModel(layers), engine);
  const texts = fixedTexts(batch, seq);
  const run = async (): Promise<Facts> => {
    await vectorsOf(model, texts);
    return { engineSeconds: takeSeconds() };
  };
  const amounts = { examples: batch, tokens: countTokens(model, texts), flop: encoderFlop(model.config, batch, seq) };
  return { version, amounts, run };
}

/**
 * The lowest cosine of ours to PyTorch's vectors, also with the mean vector taken off: random weights make all vectors alike.
 * Nothing where there is no PyTorch.
 * @param folder - of the float32 weights.
 */
export async function agreement(model: BertModel, folder: string, texts: readonly string[]): Promise<Facts> {
  const compared = texts.slice(0, COMPARED);
  const vectors = await vectorsOf(model, compared);
  const [input, output] = [`${benchFolder}embed-texts.json`, `${benchFolder}embed-vectors.f32`];
  writeFileSync(input, JSON.stringify(compared));
  const script = fileURLToPath(new URL("./python/embed.py", import.meta.url));
  const args = [script, "--peers", sharedPath("peers") ?? "", "--model", folder, "--texts", input, "--output", output];
  if (spawnSync(pythonProgram(), args, { stdio: "ignore" }).status !== 0) return {};
  const flat = new Float32Array(Uint8Array.from(readFileSync(output)).buffer);
  const width = flat.length / vectors.length;
  const expected = vectors.map((_, i) => flat.subarray(i * width, (i + 1) * width));
  const centre = Float32Array.from({ length: width }, (_, column) =>
    expected.reduce((sum, row) => sum + (row[column] as number) / expected.length, 0),
  );
  const centred = (row: Float32Array) => row.map((value, i) => value - (centre[i] as number));
  const lowest = (of: (row: Float32Array) => Float32Array) =>
    Math.min(...vectors.map((row, i) => cosine(of(row), of(expected[i] as Float32Array))));
  return {
    cosine_min: lowest((row) => row),
    ...(vectors.length > 1 ? { cosine_centred_min: lowest(centred) } : {}),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** A result that is too far from float32's to be called the same work. */
export function tooFar({ cosine_min: lowest = 1 }: Facts): string | undefined {
  return lowest < MIN_COSINE ? `cosine to float32 ${lowest.toFixed(6)}, below ${MIN_COSINE}` : undefined;
}

/** For the table: how far a side's vectors are from float32's. */
export function cosineRemark({ cosine_min: lowest, cosine_centred_min: centred }: Facts): string[] {
  if (lowest === undefined) return [];
  return [`cosine ${lowest.toFixed(6)}${centred === undefined ? "" : `, less the mean ${centred.toFixed(6)}`}`];
}

/** An engine of infer.py over the same weights. */
export function inferPeer(
  engine: string,
  folder: string,
  threads: number,
  options: Readonly<Record<string, string | number>>,
): PeerCommand {
  return pythonPeer("infer.py", { engine, model: folder, "max-length": MAX_LENGTH, threads, ...options });
}

const FLOAT_ENGINES = {
  "torch f32": "torch-fp32",
  "torch bf16": "torch-bf16",
  "ONNX Runtime f32": "ort-fp32",
  "OpenVINO f32": "openvino-fp32",
  "OpenVINO bf16": "openvino-bf16",
} as const;

/** The engines that users have, in the precisions that the settings allow. */
export function floatPeers(options: (settings: Settings) => Readonly<Record<string, string | number>>): Side[] {
  return Object.entries(FLOAT_ENGINES).map(([name, engine]) => ({
    name,
    peer: (settings) => {
      const { layers, threads, precision } = settings as unknown as InferenceSizes;
      expectPrecision(precision, engine.endsWith("bf16") ? "bf16" : "fp32");
      return inferPeer(engine, checkpointFolder(layers, "safetensors"), threads, options(settings));
    },
  }));
}
