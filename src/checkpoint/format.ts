/** What a checkpoint format is: a file of checkpoint/formats/ default-exports one; formats.ts lists them. */
import type { DType, HostTensor, NamedTensors } from "../util/tensor.ts";
import type { ModelFiles } from "./source.ts";

/** A tensor that is read when it is asked for. */
export interface LazyTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /**
   * Reads the elements, row-major: a view of the file where its layout allows, else a copy that is made at each call.
   * @throws {CheckpointError} when the bytes are not as the file's own checksums and sizes say.
   */
  read(): HostTensor;
}

/** Tensors by the names that their file gives them. */
export type LazyTensors = ReadonlyMap<string, LazyTensor>;

/** A checkpoint whose table of contents has been read and checked, and none of its tensors yet. */
export interface Checkpoint {
  /** The name of its format. */
  readonly format: string;
  /** In the order of the file; names and layouts as the file has them. */
  readonly tensors: LazyTensors;
  /** Texts that the file stores beside the tensors. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was left out and why, for people. */
  readonly notes: readonly string[];
}

/** A file to be written; the files of one checkpoint are written in the order they come. */
export interface OutputFile {
  /** Its path relative to the folder of the checkpoint. */
  readonly path: string;
  /** Its bytes, made as they are taken. */
  readonly chunks: Iterable<Uint8Array>;
}

/** Reads, and where it can writes, weights in one file format; names and layouts are left as they are. */
export interface CheckpointFormat {
  /** As in `--to pytorch`. */
  readonly name: string;
  /** For people: `PyTorch`. */
  readonly title: string;
  /** File names (without folder) that a checkpoint of this format is opened by, the usual ones first. */
  readonly fileNames: readonly RegExp[];
  /** Whether a file with this beginning (up to 64 bytes) can be of this format; asked where the name tells nothing. */
  recognizes(head: Uint8Array): boolean;
  /**
   * Reads the table of contents; further files (shards, data files) are opened through `files`.
   * @param path - of the file among `files` that the checkpoint is opened by.
   * @throws {CheckpointError} with file, offset and what was expected, when it is not sound.
   */
  open(files: ModelFiles, path: string): Promise<Checkpoint>;
  /**
   * What in a file could harm a less careful reader (code in a pickle); nothing of it is executed.
   * @returns a line for each danger.
   */
  findDangers?(files: ModelFiles, path: string): Promise<readonly string[]>;
  /**
   * The files of a checkpoint with these tensors, under the usual names.
   * @throws {CheckpointError} when the format cannot hold a dtype or name.
   */
  write?(tensors: LazyTensors, metadata?: Readonly<Record<string, string>>): Iterable<OutputFile>;
}

/** Tensors in memory as lazy ones. */
export function lazyTensors(tensors: NamedTensors): LazyTensors {
  return new Map([...tensors].map(([name, tensor]) => [name, lazyTensor(tensor)]));
}

/** A tensor in memory as a lazy one. */
export function lazyTensor(tensor: HostTensor): LazyTensor {
  return { dtype: tensor.dtype, shape: tensor.shape, read: () => tensor };
}

/** Reads all of them. */
export function readTensors(tensors: LazyTensors): NamedTensors {
  return new Map([...tensors].map(([name, tensor]) => [name, tensor.read()]));
}
