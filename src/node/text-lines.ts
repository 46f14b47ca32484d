/** The lines of a file (also .gz, .xz, .zst) as texts, one each, blank ones too; and how many, for progress. */
import type { TextEncoding } from "../data/read-block.ts";
import { type Corpus, keepCorpus, openCorpus } from "./corpus.ts";

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
  /** UTF-8 when left out. */
  readonly encoding?: TextEncoding;
}

/**
 * The lines of a file.
 * @throws {ArgumentError} when an output would replace it.
 * @throws {FileError} when there is no such file; later when it cannot be read.
 */
export async function openTextLines(
  path: string,
  { signal, outputs = [], encoding = "utf-8" }: TextLineOptions = {},
): Promise<TextLines> {
  const corpus = await openCorpus([path]);
  keepCorpus(corpus, outputs);
  async function* lines(): AsyncGenerator<string> {
    for await (const group of corpus.read({ encoding, ...(signal === undefined ? {} : { signal }) })) yield* group;
  }
  if (!corpus.isRepeatable) return { count: undefined, lines: lines() };
  return { count: await countLines(corpus, signal), lines: lines() };
}

const NEWLINE = 0x0a;

/** Of the unpacked text; in the encodings that are read no character has a byte like a newline. */
async function countLines(corpus: Corpus, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  let last = NEWLINE;
  for await (const { bytes } of corpus.chunks(signal === undefined ? {} : { signal })) {
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
    last = bytes.at(-1) ?? last;
  }
  return last === NEWLINE ? count : count + 1;
}
