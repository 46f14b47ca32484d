/** The checkpoint formats; of several in one folder the first of this list is taken. */
import { CheckpointError, verbatim } from "../errors.ts";
import type { CheckpointFormat } from "./format.ts";
import kerasH5 from "./formats/keras-h5.ts";
import numpy from "./formats/numpy.ts";
import paddle from "./formats/paddle.ts";
import pytorch from "./formats/pytorch.ts";
import safetensors from "./formats/safetensors.ts";
import tensorflow from "./formats/tensorflow.ts";
import type { ModelFiles } from "./source.ts";

/** Every format, those that load fastest first. */
export const checkpointFormats: readonly CheckpointFormat[] = [
  safetensors,
  pytorch,
  paddle,
  tensorflow,
  kerasH5,
  numpy,
];

/** A checkpoint among the files of a model. */
export interface FoundCheckpoint {
  readonly format: CheckpointFormat;
  /** Of the file that it is opened by. */
  readonly path: string;
}

/**
 * The checkpoints among files by their names: the least deep first, of these those with a usual name, of these the format
 * that loads fastest; of several steps (`model.ckpt-2000.index`) the last.
 */
export function findCheckpoints(paths: readonly string[]): FoundCheckpoint[] {
  const found = checkpointFormats.flatMap((format, preference) =>
    paths.flatMap((path) => {
      const name = path.slice(path.lastIndexOf("/") + 1);
      const rank = format.fileNames.findIndex((pattern) => pattern.test(name));
      const step = Number(/\d+(?=\D*$)/.exec(name)?.[0] ?? 0);
      const order = [path.split("/").length, hasUsualName({ format, path }) ? 0 : 1, preference, rank, -step];
      return rank === -1 ? [] : [{ format, path, order }];
    }),
  );
  return found.sort((a, b) => firstDifference(a.order, b.order)).map(({ format, path }) => ({ format, path }));
}

/** Whether a checkpoint has the one name that its format has in a model's folder, so that no other file can be meant. */
export function hasUsualName({ format, path }: FoundCheckpoint): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return format.fileNames.some((pattern) => WHOLE_NAME.test(pattern.source) && pattern.test(name));
}

/** A pattern that is one name: `^model\.safetensors$`. */
const WHOLE_NAME = /^\^[^(]*\$$/;

function firstDifference(a: readonly number[], b: readonly number[]): number {
  return a.map((value, i) => value - (b[i] as number)).find((difference) => difference !== 0) ?? 0;
}

/**
 * The format of one file, by its name, else by its beginning.
 * @throws {CheckpointError} when it is none that is known.
 */
export async function formatOfFile(files: ModelFiles, path: string): Promise<CheckpointFormat> {
  const named = findCheckpoints([path])[0];
  if (named !== undefined) return named.format;
  const source = await files.open(path);
  const head = source.slice(0, Math.min(64, source.size));
  const recognized = checkpointFormats.find((format) => format.recognizes(head));
  if (recognized !== undefined) return recognized;
  throw new CheckpointError({
    where: source.name,
    expected: `weights as ${checkpointFormats.map(({ title }) => title).join(", ")}`,
    got: verbatim("a file of another kind"),
    hint: "name the file of the weights, or the folder or zip that holds it",
  });
}
