/** Where bytes come from, of checkpoints and of training data: one file read by range, and the files of a model together. */
import { CheckpointError, FileError, nearest, verbatim } from "../errors.ts";

/**
 * One file, read by range as its parts are needed: a buffer, a memory map, or a file that is read in pieces.
 * Reading is synchronous: a format walks from offset to offset, and a page that is mapped is there at once.
 */
export interface ByteSource {
  /** Named in errors. */
  readonly name: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /**
   * The bytes from `begin` up to `end`, which is not included; a view where the source lies in memory, so not to be changed.
   * @throws {CheckpointError} when the range leaves the file. @throws {FileError} when the file cannot be read.
   */
  slice(begin: number, end: number): Uint8Array;
}

/** The files of a model, by path: a folder, a zip download, or buffers that a program has at hand. */
export interface ModelFiles {
  /** The folder's path, the download's name; for messages. */
  readonly name: string;
  /** Of every file, relative, with `/` between folders. */
  readonly paths: readonly string[];
  /** @throws {FileError} when there is no such file. */
  open(path: string): Promise<ByteSource>;
}

/** A source over memory; nothing is copied. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    slice(begin, end) {
      expectRange(name, bytes.length, begin, end);
      return bytes.subarray(begin, end);
    },
  };
}

/** A part of a source as a source of its own: an entry of an archive that is stored as it is. */
export function partOfSource(source: ByteSource, name: string, begin: number, end: number): ByteSource {
  expectRange(source.name, source.size, begin, end);
  return {
    name,
    size: end - begin,
    slice(from, to) {
      expectRange(name, end - begin, from, to);
      return source.slice(begin + from, begin + to);
    },
  };
}

/** @throws {CheckpointError} when a range is none of the file's. */
export function expectRange(name: string, size: number, begin: number, end: number): void {
  if (Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin <= end && end <= size) return;
  throw damaged(name, begin, `bytes ${begin} .. ${end} within the file`, `a file of ${size} bytes`);
}

/** Files that are already in memory. @param files - bytes by path. */
export function memoryFiles(name: string, files: ReadonlyMap<string, Uint8Array>): ModelFiles {
  return {
    name,
    paths: [...files.keys()],
    async open(path) {
      const bytes = files.get(path);
      if (bytes === undefined) throw noSuchFile(name, path, [...files.keys()]);
      return bytesSource(path, bytes);
    },
  };
}

/** The error for a file that a model does not have. */
export function noSuchFile(where: string, path: string, paths: readonly string[]): FileError {
  const near = nearest(path, paths);
  return new FileError({
    where,
    expected: `a file ${path}`,
    got: verbatim(`${paths.length} others`),
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/** The error for a file that is not what its format says. @param offset - the place in the file, in bytes. */
export function damaged(
  file: string,
  offset: number,
  expected: string,
  got: string | undefined,
  cause?: unknown,
): CheckpointError {
  return new CheckpointError({
    where: `${file}: byte ${offset}`,
    expected,
    got: verbatim((got ?? "nothing").slice(0, 200)),
    hint: "The file is damaged, incomplete or of another kind: fetch or save it again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
