/** The lines of a file as texts, one each, blank ones too; and how many there are, for progress. */
import { createReadStream } from "node:fs";
import { keepCorpus, openCorpus } from "./corpus.ts";
import { fileError } from "./files.ts";

/** Texts to be worked through in order. */
export interface TextLines {
  /** Undefined where it cannot be known before the end. */
  readonly count: number | undefined;
  /** One text for each line; reads as it is taken. */
  readonly lines: AsyncIterable<string>;
}

/** How lines are read. */
export interface TextLineOptions {
  readonly signal?: AbortSignal;
  /** Files that will be written; none may be the one that is read. */
  readonly outputs?: readonly string[];
}

/**
 * The lines of a file.
 * @throws {ArgumentError} when an output would replace it.
 * @throws {FileError} when there is no such file; later when it cannot be read.
 */
export async function openTextLines(path: string, { signal, outputs = [] }: TextLineOptions = {}): Promise<TextLines> {
  const corpus = await openCorpus([path]);
  keepCorpus(corpus, outputs);
  async function* lines(): AsyncGenerator<string> {
    for await (const group of corpus.read(signal === undefined ? {} : { signal })) yield* group;
  }
  if (!corpus.isRepeatable) return { count: undefined, lines: lines() };
  let count = 0;
  for (const file of corpus.files) count += await countLines(file);
  return { count, lines: lines() };
}

const NEWLINE = 0x0a;

async function countLines(path: string): Promise<number> {
  let count = 0;
  let last = NEWLINE;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const bytes = chunk as Uint8Array;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
      last = bytes.at(-1) as number;
    }
  } catch (error) {
    throw fileError(path, "a text file", error);
  }
  return last === NEWLINE ? count : count + 1;
}
