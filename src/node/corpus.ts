/** A corpus on disk: files (also .gz, .xz and .zst), simple patterns, and lines that come from elsewhere. */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { readLineGroups } from "../data/corpus.ts";
import type { TextEncoding } from "../data/read-block.ts";
import type { CorpusChunk } from "../data/text-blocks.ts";
import { toUtf8 } from "../data/transcode.ts";
import { ArgumentError, FileError, verbatim } from "../errors.ts";
import { unpack } from "./data-unpack.ts";
import { fileError } from "./files.ts";

/** How a corpus is read. */
export interface ReadCorpusOptions {
  /** Of the files, UTF-8 unless said; lines that come from elsewhere are text already. */
  readonly encoding?: TextEncoding;
  /** A longer line is an error; 16 MiB by default. */
  readonly maxLineBytes?: number;
  /** A file's end also ends a document, as if a blank line stood there; Google's program goes on in the next file. */
  readonly partsFiles?: boolean;
  /** Aborts between chunks, with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each chunk with the bytes read so far. */
  readonly onBytes?: (bytes: number) => void;
}

/** Text to make training data from. */
export interface Corpus {
  /** Named in messages. */
  readonly name: string;
  /** The files that it is read from; none when the lines come from elsewhere. */
  readonly files: readonly string[];
  /** The size of the files, packed as they are, where it is known. */
  readonly bytes: number | undefined;
  /** Whether it can be read more than once. */
  readonly isRepeatable: boolean;
  /** Groups of lines. @throws {CorpusError} at text that cannot be used. @throws {FileError} at a file that cannot be read. */
  read(options?: ReadCorpusOptions): AsyncIterable<readonly string[]>;
  /** The bytes of the files, unpacked, as they come; for those who read lines themselves. @throws {FileError} as `read`. */
  chunks(options?: Pick<ReadCorpusOptions, "signal" | "onBytes">): AsyncIterable<CorpusChunk>;
}

const CHUNK_BYTES = 1 << 20;

/**
 * A corpus of files, in the order given; `*` and `?` in a file name stand for what they do in a shell (sorted).
 * @throws {FileError} when a file is missing, is a folder or cannot be read; nothing is read yet.
 */
export async function openCorpus(paths: readonly string[]): Promise<Corpus> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await expand(path)));
  if (files.length === 0) throw new ArgumentError({ where: "corpus", expected: "at least one file", got: 0 });
  let bytes = 0;
  let areRegular = true;
  for (const file of files) {
    const found = await statFile(file);
    bytes += found.bytes;
    areRegular &&= found.isRegular;
  }
  return {
    name: files.length === 1 ? (files[0] as string) : `${files.length} files`,
    files,
    bytes: areRegular ? bytes : undefined,
    isRepeatable: areRegular,
    read: (options = {}) => readFiles(files, options),
    chunks: (options = {}) => readChunks(files, options),
  };
}

/** @throws {ArgumentError} when an output would replace a file of the corpus. */
export function keepCorpus({ files }: Corpus, outputs: readonly string[]): void {
  const sources = new Set(files.map((file) => resolve(file)));
  const got = outputs.find((output) => sources.has(resolve(output)));
  if (got === undefined) return;
  const hint = "the corpus would be replaced by what is made from it";
  throw new ArgumentError({ where: "output", expected: "another file than those of the corpus", got, hint });
}

async function statFile(path: string): Promise<{ bytes: number; isRegular: boolean }> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    throw fileError(path, "a text file", error);
  }
  if (!found.isDirectory()) return { bytes: found.size, isRegular: found.isFile() };
  throw new FileError({
    where: path,
    expected: "a text file",
    got: verbatim("a folder"),
    hint: `name the files in it: ${join(path, "*.txt")}`,
  });
}

/** The files that a pattern names; a path without `*` or `?`, or that is there as it stands, is itself. */
async function expand(path: string): Promise<string[]> {
  const pattern = basename(path);
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  if (exists || !/[*?]/.test(pattern)) return [path];
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const names = await readdir(dirname(path)).catch((error: unknown) => {
    throw fileError(dirname(path), "a folder of text files", error);
  });
  const matching = names.filter((name) => new RegExp(`^${source}$`, "su").test(name) && !name.startsWith("."));
  if (matching.length === 0) {
    const hint = "check the folder and the pattern: * and ? stand for parts of a file's name only";
    throw new FileError({ where: path, expected: "files of this pattern", got: verbatim("none"), hint });
  }
  return matching.sort().map((name) => join(dirname(path), name));
}

async function* readFiles(files: readonly string[], options: ReadCorpusOptions): AsyncGenerator<readonly string[]> {
  const { maxLineBytes, partsFiles = false, encoding = "utf-8" } = options;
  const read = byteReader(options);
  for (const file of files) {
    yield* readLineGroups(toUtf8(unpack(file, read(file)), encoding, file), {
      where: file,
      ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
    });
    if (partsFiles) yield [""];
  }
}

async function* readChunks(files: readonly string[], options: ReadCorpusOptions): AsyncGenerator<CorpusChunk> {
  const read = byteReader(options);
  for (const where of files) {
    for await (const bytes of unpack(where, read(where))) yield { where, bytes, isEnd: false };
    yield { where, bytes: new Uint8Array(0), isEnd: true };
  }
}

/** Reads one file after the other, and tells how many bytes it has read of all of them. */
function byteReader({ signal, onBytes }: ReadCorpusOptions): (file: string) => AsyncGenerator<Uint8Array> {
  let bytes = 0;
  return async function* (file) {
    try {
      for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
        signal?.throwIfAborted();
        yield chunk as Uint8Array;
        bytes += (chunk as Uint8Array).length;
        onBytes?.(bytes);
      }
    } catch (error) {
      if (error instanceof Error && "syscall" in error) throw fileError(file, "a file that can be read", error);
      throw error;
    }
  };
}

const LINES_IN_GROUP = 256;

/** A corpus of lines that come from elsewhere, such as standard input; it can be read once. */
export function corpusOfLines(lines: AsyncIterable<string>, name: string): Corpus {
  async function* read({ signal, onBytes }: ReadCorpusOptions = {}): AsyncGenerator<readonly string[]> {
    let group: string[] = [];
    let bytes = 0;
    for await (const line of lines) {
      group.push(line);
      bytes += Buffer.byteLength(line) + 1;
      if (group.length < LINES_IN_GROUP) continue;
      signal?.throwIfAborted();
      yield group;
      onBytes?.(bytes);
      group = [];
    }
    if (group.length > 0) yield group;
    onBytes?.(bytes);
  }
  async function* chunks(options: ReadCorpusOptions = {}): AsyncGenerator<CorpusChunk> {
    const encoder = new TextEncoder();
    for await (const group of read(options)) {
      yield { where: name, bytes: encoder.encode(`${group.join("\n")}\n`), isEnd: false };
    }
  }
  return { name, files: [], bytes: undefined, isRepeatable: false, read, chunks };
}
