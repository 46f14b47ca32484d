/** Checkpoints of a BERT's size with random weights, in every format; written once and kept in .bench. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type PeerCommand, Skip } from "./bench.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { pythonProgram } from "./peers.ts";

/** The file of each format that Python's libraries are given. */
const FILES = {
  safetensors: "model.safetensors",
  pytorch: "pytorch_model.bin",
  tensorflow: "bert_model.ckpt",
  paddle: "model_state.pdparams",
} as const;

/** A format that is measured. */
export type MeasuredFormat = keyof typeof FILES;

const VOCABULARY_SIZE = 21_128;

/** Where a format's checkpoint is kept. */
export function checkpointFolder(layers: number, format: MeasuredFormat): string {
  return `${benchFolder}checkpoint-${layers}/${format}`;
}

/** The file by which a format's checkpoint is opened. */
export function checkpointPath(layers: number, format: MeasuredFormat): string {
  return `${checkpointFolder(layers, format)}/${FILES[format]}`;
}

/** Writes what is not there yet; gives the folder of a format's checkpoint. */
export async function prepareCheckpoint(layers: number, format: MeasuredFormat): Promise<string> {
  const folder = checkpointFolder(layers, format);
  if (existsSync(`${folder}/done`)) return folder;
  mkdirSync(folder, { recursive: true });
  if (format === "safetensors") await writeRandom(layers, folder);
  else {
    const { convert } = await built("node/index");
    await convert(await prepareCheckpoint(layers, "safetensors"), folder, { to: format, overwrite: true });
  }
  writeFileSync(`${folder}/done`, "");
  return folder;
}

async function writeRandom(layers: number, folder: string): Promise<void> {
  const { builtinConfig, configToJson, initializeWeights, Random, writeFileAtomic, writeSafetensors } =
    await built("node/index");
  const config = { ...builtinConfig("base", VOCABULARY_SIZE), numHiddenLayers: layers };
  writeFileSync(`${folder}/config.json`, JSON.stringify(configToJson(config)));
  const weights = initializeWeights(config, new Random(1), { nextSentence: true });
  await writeFileAtomic(`${folder}/model.safetensors`, writeSafetensors(weights));
}

/**
 * The library of a format, from bench/python.
 * @param kind - as the script calls it. @param output - the file to write, for conversions.
 * @throws {Skip} when the checkpoint is not there, since none of our sides has made it.
 */
export function libraryPeer(kind: string, path: string, output?: string): PeerCommand {
  if (!existsSync(path) && !existsSync(`${path}.index`)) throw new Skip(`${path} is not there`);
  const script = fileURLToPath(new URL("./python/checkpoints.py", import.meta.url));
  const python = pythonProgram();
  const command = kind === "tensorflow" ? (process.env["ZHBERT_BENCH_TENSORFLOW_PYTHON"] ?? python) : python;
  const args = [
    script,
    "--kind",
    kind,
    "--path",
    path,
    ...(output === undefined ? [] : ["--output", output]),
    "--serve",
  ];
  return { command, args };
}
