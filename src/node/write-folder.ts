/**
 * Several files that appear together: all are written and synced under temporary names, then renamed one after the other.
 *
 * What stops the work before the renames (an error, Ctrl-C, a full disk) leaves the folder as it was.
 */
import { rmdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { OutputFile } from "../checkpoint/format.ts";
import { FileError, InterruptedError, verbatim } from "../errors.ts";
import { type AtomicFile, createAtomicFile, fileError, makeFolder } from "./files.ts";
import { mapFile } from "./memory-map.ts";

/** How a folder is written. */
export interface WriteFolderOptions {
  /** Whether files of the same names are replaced; when left out, one whose content differs is an error. */
  readonly overwrite?: boolean;
  /** Files that must stay as they are, because they are being read: `identityOf` of each. */
  readonly inputs?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  /** Told after each piece: the bytes written so far, of all files. */
  readonly onBytes?: (bytes: number) => void;
}

/** A file that was written, or was there already with the same content. */
export interface WrittenFile {
  /** Relative to the folder. */
  readonly path: string;
  readonly bytes: number;
}

/** A piece between two looks at the signal, and between two steps of progress. */
const PIECE_BYTES = 1 << 23;

/** What tells a file from every other one, whatever name it is reached by; undefined where there is none. */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isFile() ? `${found.dev}:${found.ino}` : undefined;
}

/** `identityOf` of the files that are there. */
export async function identities(paths: readonly string[]): Promise<Set<string>> {
  const found = await Promise.all(paths.map(identityOf));
  return new Set(found.filter((identity) => identity !== undefined));
}

/**
 * Writes files into a folder, which is made where it is not there: all of them or none.
 * @param files - taken in order, each one's chunks before the next.
 * @throws {FileError} when a file is there already, is an input, or cannot be written.
 * @throws {InterruptedError} when aborted.
 */
export async function writeFolder(
  folder: string,
  files: Iterable<OutputFile>,
  options: WriteFolderOptions = {},
): Promise<WrittenFile[]> {
  const writing = new FolderWriting(folder, options);
  try {
    for (const file of files) await writing.add(file);
    return await writing.commit();
  } catch (error) {
    await writing.abort();
    throw error;
  }
}

class FolderWriting {
  readonly #folder: string;
  readonly #options: WriteFolderOptions;
  readonly #open: AtomicFile[] = [];
  readonly #written: WrittenFile[] = [];
  /** Made here, the outermost first of each chain. */
  readonly #made: { readonly outermost: string; readonly innermost: string }[] = [];
  #bytes = 0;

  constructor(folder: string, options: WriteFolderOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async add({ path, chunks }: OutputFile): Promise<void> {
    const target = join(this.#folder, path);
    const kept = await this.#alreadyThere(target, chunks);
    if (kept !== undefined) {
      this.#written.push({ path, bytes: kept });
      return;
    }
    await this.#makeFolder(dirname(target));
    const file = await createAtomicFile(target);
    this.#open.push(file);
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        this.#checkSignal(target);
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        await file.write(piece);
        this.#bytes += piece.length;
        this.#options.onBytes?.(this.#bytes);
      }
    }
    await file.sync();
    this.#written.push({ path, bytes: file.bytesWritten });
  }

  async commit(): Promise<WrittenFile[]> {
    this.#checkSignal(this.#folder);
    for (const file of this.#open) await file.commit();
    return this.#written;
  }

  async abort(): Promise<void> {
    for (const file of this.#open) await file.abort();
    for (const { outermost, innermost } of this.#made.reverse()) await removeEmpty(outermost, innermost);
  }

  /**
   * The size of a file that need not be written, because it is there with the same content or belongs to the input.
   * @throws {FileError} when another file is there.
   */
  async #alreadyThere(target: string, chunks: Iterable<Uint8Array>): Promise<number | undefined> {
    const identity = await identityOf(target);
    if (identity === undefined) return undefined;
    // Only contents that are at hand can be compared; weights would have to be made twice.
    if (Array.isArray(chunks) && hasContent(target, chunks))
      return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (this.#options.inputs?.has(identity)) throw ownInput(target);
    if (!this.#options.overwrite) throw inTheWay(target);
    return undefined;
  }

  async #makeFolder(folder: string): Promise<void> {
    try {
      const outermost = await makeFolder(folder);
      if (outermost !== undefined) this.#made.push({ outermost, innermost: folder });
    } catch (error) {
      throw fileError(folder, "a folder that can be written", error);
    }
  }

  #checkSignal(where: string): void {
    if (!this.#options.signal?.aborted) return;
    throw new InterruptedError({
      where,
      expected: "the files to be written to their end",
      got: verbatim("an interruption"),
      hint: "nothing was written; what was there before is unchanged",
    });
  }
}

function hasContent(path: string, chunks: readonly Uint8Array[]): boolean {
  const found = mapFile(path);
  if (found.size !== chunks.reduce((sum, chunk) => sum + chunk.length, 0)) return false;
  let at = 0;
  for (const chunk of chunks) {
    const there = found.slice(at, at + chunk.length);
    if (Buffer.compare(there, chunk) !== 0) return false;
    at += chunk.length;
  }
  return true;
}

/** Removes folders from the inside out, as far as they are empty. */
async function removeEmpty(outermost: string, innermost: string): Promise<void> {
  try {
    for (let folder = innermost; !relative(outermost, folder).startsWith(".."); folder = dirname(folder)) {
      await rmdir(folder);
    }
  } catch {
    // Somebody else has put something there.
  }
}

/** The error for a file that would be written while it is read. */
export function ownInput(target: string): FileError {
  return new FileError({
    where: target,
    expected: "another name than that of a file that is read",
    got: verbatim("a file of the input"),
    hint: "name another folder with -o",
  });
}

/** The error for a file that is there already. */
export function inTheWay(target: string): FileError {
  return new FileError({
    where: target,
    expected: "no file of this name",
    got: verbatim("one with another content"),
    hint: "name another folder with -o, or replace what is there with --overwrite",
  });
}
