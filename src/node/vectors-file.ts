/** Vectors written to a file as they come, whose number is known only after the last: .npy and .safetensors. */
import { npyHeader } from "../checkpoint/formats/numpy.ts";
import { ArgumentError } from "../errors.ts";
import { createAtomicFile } from "./files.ts";

/** A file of vectors that appears under its name only when it is committed. */
export interface VectorsFile {
  /** @param vector - float32 [dim]. @throws {FileError} when it cannot be written. */
  write(vector: Float32Array): Promise<void>;
  /** Puts the number of vectors into the header, and the file under its name. @throws {FileError} when that fails. */
  commit(): Promise<void>;
  /** Removes what was written; does nothing after commit. */
  abort(): Promise<void>;
}

/** The name of the only tensor of a .safetensors file. */
const TENSOR_NAME = "embeddings";
/** Room for the header of one tensor with any number of rows. */
const SAFETENSORS_HEADER_BYTES = 256;

const headers: Readonly<Record<string, (rows: number, dim: number) => Uint8Array>> = {
  ".npy": (rows, dim) => npyHeader("float32", [rows, dim]),
  ".safetensors": safetensorsHeader,
};

/** Endings of files that hold one array of vectors. */
export const VECTOR_FILE_ENDINGS: readonly string[] = Object.keys(headers);

/**
 * Opens a file for vectors; its ending says the format: .npy (float32 [texts, dim]) or .safetensors (the same, named
 * `embeddings`).
 * @throws {ArgumentError} for another ending. @throws {FileError} when it cannot be written.
 */
export async function createVectorsFile(path: string, dim: number): Promise<VectorsFile> {
  const header = headers[VECTOR_FILE_ENDINGS.find((ending) => path.endsWith(ending)) ?? ""];
  if (header === undefined) {
    throw new ArgumentError({ where: "vectors file", expected: VECTOR_FILE_ENDINGS.join(" or "), got: path });
  }
  const file = await createAtomicFile(path);
  let rows = 0;
  await file.write(header(0, dim));
  return {
    write: (vector) => {
      rows += 1;
      return file.write(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
    },
    commit: async () => {
      await file.patch(0, header(rows, dim));
      await file.commit();
    },
    abort: () => file.abort(),
  };
}

/** The header of a file with one tensor, padded with spaces as the format allows. */
function safetensorsHeader(rows: number, dim: number): Uint8Array {
  const tensor = { dtype: "F32", shape: [rows, dim], data_offsets: [0, rows * dim * Float32Array.BYTES_PER_ELEMENT] };
  const json = JSON.stringify({ __metadata__: { format: "pt" }, [TENSOR_NAME]: tensor });
  const header = new Uint8Array(SAFETENSORS_HEADER_BYTES).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(SAFETENSORS_HEADER_BYTES - 8), true);
  header.set(new TextEncoder().encode(json), 8);
  return header;
}
