/** Segmenters by name, for the command line and for programs in Node.js. */
import { closeSync, openSync, readSync } from "node:fs";
import { ArgumentError, nearest } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import intlSegmenter from "../text/segmenters/intl.ts";
import noSegmenter from "../text/segmenters/none.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import referenceFileSegmenter, { type TokenStarts } from "../text/segmenters/reference-file.ts";
import { fileError } from "./files.ts";
import { createJieba } from "./jieba.ts";

/** The names of the segmenters, as --segmenter takes them. */
export const SEGMENTERS = ["jieba", "intl", "spaces", "none", "reference"] as const;

/** Options of {@link createSegmenter}. */
export interface CreateSegmenterOptions {
  /** jieba: path of a dictionary of one's own. */
  readonly userDictionary?: string;
  /** reference: path of the reference file. */
  readonly referenceFile?: string;
  /** reference: the tokenizer that the file was made with. */
  readonly tokenizer?: TokenStarts;
}

/**
 * A segmenter by its name.
 * @throws {ArgumentError} when there is none of that name, or an option does not go with it.
 * @throws {FileError} when a file cannot be read. @throws {CorpusError} when a user dictionary is malformed.
 */
export async function createSegmenter(name: string, options: CreateSegmenterOptions = {}): Promise<Segmenter> {
  if (options.userDictionary !== undefined && name !== "jieba") {
    throw new ArgumentError({ where: "user dictionary", expected: "segmenter jieba", got: name });
  }
  switch (name) {
    case "jieba":
      return createJieba(options);
    case "intl":
      return intlSegmenter();
    case "spaces":
      return preSegmented();
    case "none":
      return noSegmenter();
    case "reference":
      return createReference(options);
    default:
      throw unknownSegmenter(name);
  }
}

function createReference({ referenceFile, tokenizer }: CreateSegmenterOptions): Segmenter {
  if (referenceFile === undefined || tokenizer === undefined) {
    throw new ArgumentError({
      where: "segmenter reference",
      expected: "a reference file and the tokenizer that it was made with",
      got: referenceFile,
      hint: "name the file with --reference-file",
    });
  }
  return referenceFileSegmenter(readLinesInOrder(referenceFile), tokenizer);
}

const CHUNK_BYTES = 1 << 16;

/** The lines of a file, a chunk at a time, without waiting: segmenters are asked for words in the middle of work. */
function* readLinesInOrder(path: string): Generator<string> {
  const file = orFileError(path, () => openSync(path, "r"));
  try {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(CHUNK_BYTES);
    let rest = "";
    const readChunk = () => orFileError(path, () => readSync(file, chunk));
    for (let read = readChunk(); read > 0; read = readChunk()) {
      const lines = (rest + decoder.decode(chunk.subarray(0, read), { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    if (rest !== "") yield rest;
  } finally {
    closeSync(file);
  }
}

function orFileError(path: string, call: () => number): number {
  try {
    return call();
  } catch (error) {
    throw fileError(path, "a reference file that can be read", error);
  }
}

function unknownSegmenter(name: string): ArgumentError {
  const near = nearest(name, SEGMENTERS);
  return new ArgumentError({
    where: "segmenter",
    expected: `one of ${SEGMENTERS.join(", ")}`,
    got: name,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}
