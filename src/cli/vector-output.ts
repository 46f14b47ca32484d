/** Where embed and features write: JSON lines on stdout or in a file, or an array of vectors in a file. */
import { UsageError } from "../errors.ts";
import { createAtomicFile } from "../node/files.ts";
import { createVectorsFile, VECTOR_FILE_ENDINGS } from "../node/vectors-file.ts";
import type { Output } from "./command.ts";

/** A place for results; a file appears under its name only when it is committed. */
export interface VectorOutput {
  /** One vector; in JSON as `vector` beside the fields. */
  writeVector(fields: object, vector: Float32Array): Promise<void>;
  /** A JSON line; not for arrays of vectors. */
  writeJson(value: object): Promise<void>;
  commit(): Promise<void>;
  /** Removes what was written; does nothing after commit. */
  abort(): Promise<void>;
}

/**
 * @param path - a file, whose ending says the format; stdout when left out.
 * @param dim - columns of each vector.
 * @throws {FileError} when it cannot be written.
 */
export async function openVectorOutput(path: string | undefined, dim: number, output: Output): Promise<VectorOutput> {
  if (path === undefined) {
    const nothing = async () => undefined;
    return linesOutput(async (value) => printLine(value, output), nothing, nothing);
  }
  if (VECTOR_FILE_ENDINGS.some((ending) => path.endsWith(ending))) return arrayOutput(path, dim);
  const file = await createAtomicFile(path);
  const encoder = new TextEncoder();
  const write = (value: object) => file.write(encoder.encode(`${JSON.stringify(value)}\n`));
  return linesOutput(
    write,
    () => file.commit(),
    () => file.abort(),
  );
}

/** @throws {UsageError} for a file's name that does not end as one of the formats. */
export function expectVectorFile(path: string | undefined, endings: readonly string[] = ALL_ENDINGS): void {
  if (path === undefined || endings.some((ending) => path.endsWith(ending))) return;
  throw new UsageError({ where: "--output", expected: `a name that ends in ${endings.join(", ")}`, got: path });
}

const ALL_ENDINGS = [...VECTOR_FILE_ENDINGS, ".jsonl"];

/** What a file holds: the result of a command whose vectors went into one; nothing where they went to stdout. */
export function printWritten(
  path: string | undefined,
  { texts, columns }: { readonly texts: number; readonly columns: number },
  output: Output,
): void {
  if (path === undefined) return;
  output.json({ output: path, texts, columns });
  output.table(["output", "texts", "columns"], [[path, texts, columns]]);
}

/** JSON lines are the result for people and programs alike. */
function printLine(value: object, output: Output): void {
  if (output.isJson) output.json(value);
  else output.print(JSON.stringify(value));
}

function linesOutput(
  write: (value: object) => Promise<void>,
  commit: () => Promise<void>,
  abort: () => Promise<void>,
): VectorOutput {
  const writeVector = (fields: object, vector: Float32Array) => write({ ...fields, vector: shortNumbers(vector) });
  return { writeVector, writeJson: write, commit, abort };
}

async function arrayOutput(path: string, dim: number): Promise<VectorOutput> {
  const file = await createVectorsFile(path, dim);
  return {
    writeVector: (_, vector) => file.write(vector),
    writeJson: async () => {
      throw new UsageError({ where: "--output", expected: "a .jsonl file for results that are no vectors", got: path });
    },
    commit: () => file.commit(),
    abort: () => file.abort(),
  };
}

/** float32 values in as few digits as tell them apart; 9 are always enough. */
export function shortNumbers(values: Float32Array): number[] {
  return Array.from(values, (x) => {
    for (const digits of [7, 8]) {
      const short = Number(x.toPrecision(digits));
      if (Math.fround(short) === x) return short;
    }
    return Number(x.toPrecision(9));
  });
}
