/** Conversion of models on the disk: from whatever form they have to the files of another program. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { OutputFile } from "../checkpoint/format.ts";
import { findCheckpoints } from "../checkpoint/formats.ts";
import type { ModelFiles } from "../checkpoint/source.ts";
import {
  type Conversion,
  type ConversionOptions,
  type ConversionTarget,
  convertModel,
} from "../inference/convert-model.ts";
import { openModel } from "../inference/load-model.ts";
import type { Dialect } from "../model/weight-names.ts";
import type { DownloadOptions } from "./hub.ts";
import { SMALL_FILES } from "./model-files.ts";
import { openModelSource } from "./model-source.ts";
import { identities, identityOf, inTheWay, ownInput, type WrittenFile, writeFolder } from "./write-folder.ts";

/** How a model is converted and where its files go. */
export interface ConvertOptions extends ConversionOptions {
  /** Whether files of the same names in the folder are replaced. */
  readonly overwrite?: boolean;
  /** For a model that comes from the hub. */
  readonly download?: DownloadOptions;
  readonly signal?: AbortSignal;
  /** Told after each piece: bytes written so far, and about how many there will be. */
  readonly onBytes?: (done: number, total: number) => void;
}

/** What was converted, and what did not come along. */
export interface ConvertResult extends Omit<Conversion, "weightFiles" | "smallFiles"> {
  /** The checkpoint's file that was read, the name of its format, and who named its weights. */
  readonly source: string;
  readonly format: string;
  readonly dialect: Dialect;
  readonly files: readonly WrittenFile[];
  readonly seconds: number;
}

/**
 * Converts a model: every file is written whole or none is, and the input is never written to.
 * @param name - a folder, weights file, zip, TensorFlow prefix, or a model's name on the hub.
 * @param folder - for the new files; made where it is not there.
 * @throws {FileError} when a file is in the way or cannot be read or written. @throws {CheckpointError} when the weights
 *   are damaged. @throws {ConfigError}, {VocabularyError} or {ArgumentError} when they cannot become what is asked for.
 * @throws {InterruptedError} when aborted; nothing is left then.
 */
export async function convert(name: string, folder: string, options: ConvertOptions): Promise<ConvertResult> {
  const began = performance.now();
  const { files: all, checkpoint } = await openModelSource(name, options.download);
  const { files, opened } = recordOpened(all);
  const model = await openModel(files, checkpoint === undefined ? {} : { checkpoint });
  const { weightFiles, smallFiles, ...facts } = convertModel(model, options);
  const { overwrite = false, signal, onBytes } = options;
  const inputs = await identities([name, ...[...opened].map((path) => join(files.name, path))]);
  await expectFree(folder, options, inputs);
  const written = await writeFolder(folder, allFiles(weightFiles, await ownSmallFiles(folder, smallFiles, inputs)), {
    overwrite,
    inputs,
    ...(signal ? { signal } : {}),
    onBytes: (bytes) => onBytes?.(Math.min(bytes, facts.bytes), facts.bytes),
  });
  const removed = overwrite ? await removeStale(folder, options.to, written) : [];
  const notes = [
    ...facts.notes,
    ...removed.map((file) => `${file} of an earlier conversion was removed`),
    ...(await noteOtherWeights(folder, options.to, written, inputs)),
  ];
  const { format, checkpoint: read, named, where } = model;
  const seconds = (performance.now() - began) / 1000;
  return {
    ...facts,
    notes,
    source: where,
    format: read.format || format.name,
    dialect: named.dialect,
    files: written,
    seconds,
  };
}

/** The files of a model, and those of them that were read, with the small files beside them that belong to the same model. */
function recordOpened(files: ModelFiles): { readonly files: ModelFiles; readonly opened: ReadonlySet<string> } {
  const opened = new Set<string>();
  const open = (path: string) => {
    opened.add(path);
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    for (const name of SMALL_FILES) opened.add(folder + name);
    return files.open(path);
  };
  return { files: { name: files.name, paths: files.paths, open }, opened };
}

/** Without those that belong to the input: a second format in the same folder shares its config and vocabulary. */
async function ownSmallFiles(folder: string, files: ReadonlyMap<string, string>, inputs: ReadonlySet<string>) {
  const own: [string, string][] = [];
  for (const [path, text] of files) {
    const identity = await identityOf(join(folder, path));
    if (identity === undefined || !inputs.has(identity)) own.push([path, text]);
  }
  return own;
}

function* allFiles(weights: Iterable<OutputFile>, small: readonly [string, string][]): Generator<OutputFile> {
  yield* weights;
  for (const [path, text] of small) yield { path, chunks: [new TextEncoder().encode(text)] };
}

/** Weights in files that a program would take for a part of the model, or prefer to it, by target. */
const WEIGHT_FILES: Readonly<Partial<Record<ConversionTarget, RegExp>>> = {
  safetensors: /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/,
  pytorch: /^pytorch_model(-\d{5}-of-\d{5})?\.bin(\.index\.json)?$/,
};

/** Files of the target's kind that are in the folder already. */
async function weightsIn(folder: string, to: ConversionTarget): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => WEIGHT_FILES[to]?.test(name));
}

/** @throws {FileError} when new files would lie beside older weights that a program could read instead of them. */
async function expectFree(
  folder: string,
  { to, overwrite }: ConvertOptions,
  inputs: ReadonlySet<string>,
): Promise<void> {
  for (const name of await weightsIn(folder, to)) {
    const path = join(folder, name);
    if (inputs.has((await identityOf(path)) ?? "")) throw ownInput(path);
    if (!overwrite) throw inTheWay(path);
  }
}

/** What to tell of weights in the folder that programs read before the new ones: they may be of another model. */
async function noteOtherWeights(
  folder: string,
  to: ConversionTarget,
  written: readonly WrittenFile[],
  inputs: ReadonlySet<string>,
): Promise<string[]> {
  if (to === "onnx") return [];
  const first = findCheckpoints(await readdir(folder).catch(() => []))[0]?.path;
  if (first === undefined || written.some(({ path }) => path === first)) return [];
  const other = join(folder, first);
  if (inputs.has((await identityOf(other)) ?? "")) return [];
  return [`${other} was there before, and programs read it first: remove it if it is of another model`];
}

/** Removes what an earlier conversion to the same format left beside the new files. */
async function removeStale(folder: string, to: ConversionTarget, written: readonly WrittenFile[]): Promise<string[]> {
  const names = new Set(written.map(({ path }) => path));
  const stale = (await weightsIn(folder, to)).filter((name) => !names.has(name));
  for (const name of stale) await rm(join(folder, name), { force: true });
  return stale;
}
