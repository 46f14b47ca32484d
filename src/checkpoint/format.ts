/** What a checkpoint format is: a file of checkpoint/formats/ default-exports one. */
import type { NamedTensors } from "../util/tensor.ts";

/** Reads, and where it can writes, weights in one file format; names and layouts are left as the file has them. */
export interface CheckpointFormat {
  readonly name: string;
  /** Endings of file names, with the dot. */
  readonly extensions: readonly string[];
  /**
   * All tensors of a file; their data are views of `bytes` where alignment allows.
   * @param where - the file's name for error messages.
   * @throws {CheckpointError} when the bytes are not a sound file of this format.
   */
  read(bytes: Uint8Array, where: string): NamedTensors;
  /** The file in chunks, to be written one after the other. */
  write(tensors: NamedTensors, metadata?: Readonly<Record<string, string>>): Uint8Array[];
}
