/**
 * Files that are whole or absent: written under a temporary name in the same folder, synced, then renamed.
 *
 * A failure, an abort or the end of the process removes the temporary; what stood there before stays as it was. What a
 * killed process left is removed by the next one that writes into the folder.
 */
import { createHash } from "node:crypto";
import { unlinkSync } from "node:fs";
import { type FileHandle, mkdir, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { FileError, InterruptedError, verbatim } from "../errors.ts";
import { removeAbandoned, temporaryName } from "./temporary-files.ts";

/** A file that appears under its name only when it is committed. */
export interface AtomicFile {
  /** The name that the file will have. */
  readonly path: string;
  /** Bytes written so far. */
  readonly bytesWritten: number;
  /** Appends bytes; they may be used again at once. @throws {FileError} when they cannot be written (the temporary is removed). */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Writes over bytes that are there already, such as a header that counts what came after it.
   * @throws {FileError} when they cannot be written, also into a pipe (the temporary is removed).
   */
  patch(offset: number, bytes: Uint8Array): Promise<void>;
  /** Puts all bytes on the disk, so that only the rename of commit is left. @throws {FileError} when that fails. */
  sync(): Promise<void>;
  /** Syncs and renames. @throws {FileError} when that fails (the temporary is removed). */
  commit(): Promise<void>;
  /** Removes the temporary; does nothing after commit. */
  abort(): Promise<void>;
}

/** Bytes, text, chunks of bytes, or a stream of chunks. */
export type FileContent = Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const BUFFER_BYTES = 1 << 18;

const temporaries = new Set<string>();
let isCleaning = false;

/** A process that ends between opening and committing leaves no temporary behind. */
function cleanAtExit(): void {
  if (isCleaning) return;
  isCleaning = true;
  process.once("exit", () => {
    for (const path of temporaries) {
      try {
        unlinkSync(path);
      } catch {
        // The process is ending; a temporary that cannot be removed has no one left to be told.
      }
    }
  });
}

/**
 * Opens a file for writing that replaces `path` only on commit; folders above it are made. A link stays a link, and
 * what is no file (`/dev/stdout`, a pipe) is written directly, since it can be neither replaced nor kept.
 * @throws {FileError} when it cannot be written, or is a folder.
 */
export async function createAtomicFile(path: string): Promise<AtomicFile> {
  try {
    const existing = await stat(path).catch(absentAsUndefined);
    if (existing?.isDirectory()) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
    if (existing !== undefined && !existing.isFile()) return new TemporaryFile(path, path, path, await open(path, "w"));
    const target = existing === undefined ? resolve(path) : await realpath(path);
    const temporary = join(dirname(target), temporaryName());
    await makeFolder(dirname(temporary));
    await removeAbandoned(dirname(temporary));
    const handle = await open(temporary, "wx", existing?.mode);
    cleanAtExit();
    temporaries.add(temporary);
    return new TemporaryFile(path, target, temporary, handle);
  } catch (error) {
    throw fileError(path, "a file that can be written", error);
  }
}

/**
 * Writes texts into a folder that is there, each by its own name or in a sub-folder (`1_Pooling/config.json`).
 * @param files - by path.
 */
export async function writeTexts(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    if (path.includes("/")) await makeFolder(dirname(join(folder, path)));
    await writeFileAtomic(join(folder, path), text);
  }
}

/**
 * Makes a folder, and those above it that are not there. Node.js's own recursive form never returns in file systems that
 * take no folders (`/proc`).
 * @returns the outermost folder that was made; undefined when the folder was there.
 * @throws the system's error when it cannot be made.
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const existing = await stat(path).catch(() => undefined);
    if (code === "EEXIST" && existing?.isDirectory()) return undefined;
    const parent = dirname(path);
    if (code !== "ENOENT" || (await stat(parent).catch(() => undefined)) !== undefined) throw error;
    const outermost = await makeFolder(parent);
    const made = await makeFolder(path);
    return outermost ?? made;
  }
}

function absentAsUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

class TemporaryFile implements AtomicFile {
  readonly path: string;
  /** Where the bytes go; the path itself, links resolved, unless there is a temporary. */
  readonly #target: string;
  readonly #temporary: string;
  #handle: FileHandle | undefined;
  #bytesWritten = 0;
  /** Collects small writes: each one to the system costs as much as many bytes. */
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #buffered = 0;

  constructor(path: string, target: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#target = target;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#buffered + bytes.length > BUFFER_BYTES) await this.#try(() => this.#flush());
    if (bytes.length > BUFFER_BYTES) await this.#try(() => this.#writeAll(bytes));
    else {
      this.#buffer.set(bytes, this.#buffered);
      this.#buffered += bytes.length;
    }
    this.#bytesWritten += bytes.length;
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#try(async () => {
      await this.#flush();
      await this.#writeAll(bytes, offset);
    });
  }

  async sync(): Promise<void> {
    await this.#try(async () => {
      await this.#flush();
      if (this.#isTemporary) await this.#open().sync();
    });
  }

  async commit(): Promise<void> {
    await this.sync();
    await this.#try(async () => {
      await this.#close();
      if (!this.#isTemporary) return;
      await rename(this.#temporary, this.#target);
      temporaries.delete(this.#temporary);
      await syncFolder(dirname(this.#target));
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.abort();
      throw fileError(this.path, "a file that can be written", error);
    }
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#writeAll(bytes);
  }

  /** A FileHandle may write fewer bytes than asked (a nearly full disk), so go on until all are written. */
  async #writeAll(bytes: Uint8Array, offset?: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const position = offset === undefined ? null : offset + done;
      const { bytesWritten } = await this.#open().write(bytes, done, bytes.length - done, position);
      done += bytesWritten;
    }
  }

  async abort(): Promise<void> {
    await this.#close().catch(() => undefined);
    if (!temporaries.delete(this.#temporary)) return;
    await unlink(this.#temporary).catch(() => undefined);
  }

  get #isTemporary(): boolean {
    return this.#temporary !== this.#target;
  }

  #open(): FileHandle {
    if (this.#handle === undefined) throw new Error("the file is already closed");
    return this.#handle;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** Makes a rename last through a power cut; file systems that cannot sync a folder are left as they are. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows and some network file systems refuse; the rename itself has succeeded.
  }
}

/**
 * Writes a file whole or not at all; an existing one is replaced only at the end.
 * @param signal - when aborted, nothing is written.
 * @throws {FileError} when it cannot be written. @throws {InterruptedError} when aborted.
 */
export async function writeFileAtomic(path: string, content: FileContent, signal?: AbortSignal): Promise<void> {
  const file = await createAtomicFile(path);
  try {
    for await (const chunk of chunksOf(content)) {
      if (signal?.aborted) {
        throw new InterruptedError({
          where: path,
          expected: "the file to be written to its end",
          got: verbatim("an interruption"),
          hint: "nothing was written; an earlier file of this name is unchanged",
        });
      }
      await file.write(chunk);
    }
    await file.commit();
  } finally {
    await file.abort();
  }
}

function chunksOf(content: FileContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

/**
 * The bytes of a file.
 * @throws {FileError} when it cannot be read.
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      // What is no ordinary file (a pipe, a device) does not know its size.
      return size > 0 ? await readParts(handle, size) : await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(path, "a file that can be read", error);
  }
}

/** SHA-256 of a file's content, in hex. @throws {FileError} when it cannot be read. */
export async function digestOfFile(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readBytes(path))
    .digest("hex");
}

/** The most bytes of one call: Node reads no 2 GiB at once, and the optimiser's state of a large model has more. */
const PART_BYTES = 1 << 30;

async function readParts(handle: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PART_BYTES, size - done), done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/**
 * The text of a file, which must be UTF-8; a byte order mark is skipped.
 * @throws {FileError} when it cannot be read or is not UTF-8.
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FileError({
      where: path,
      expected: "text in UTF-8",
      got: verbatim("other bytes"),
      hint: "convert it, for example with: iconv -f GB18030 -t UTF-8",
      cause: error,
    });
  }
}

/** What the system's codes mean; where the hint says all, the code alone would tell people nothing. */
const meanings: Readonly<Record<string, string>> = {
  ENOSPC: "a full disk",
  EDQUOT: "a full disk quota",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "a read-only file system",
  ENOENT: "no such file or folder",
  ENOTDIR: "a file where a folder should be",
  EISDIR: "a folder",
  ENOTEMPTY: "a folder that is not empty",
  EEXIST: "a file of this name",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  EBUSY: "a file in use",
  EFBIG: "a file too large for the file system",
  ELOOP: "links that lead in a circle",
  ENAMETOOLONG: "a name too long for the file system",
  EXDEV: "a place on another disk",
  EIO: "a fault of the disk",
};

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space, or write to another disk",
  EDQUOT: "your disk quota is used up: free some space, or write to another disk",
  EACCES: "you lack the permission: check the owner and mode of the file and its folder",
  EPERM: "you lack the permission: check the owner and mode of the file and its folder",
  EROFS: "the file system is read-only: choose another folder",
  ENOENT: "check the path",
  ENOTDIR: "a part of the path is a file, not a folder: check the path",
  EISDIR: "name a file",
  EEXIST: "remove it or choose another name",
  EMFILE: "too many files are open: raise the limit with ulimit -n",
  EFBIG: "the file system, or a limit of the system (ulimit -f), allows no larger file: write to another place",
  EBUSY: "another program uses the file: close it and try again",
};

/** A FileError for what the operating system reported, with a hint by its code. */
export function fileError(path: string, expected: string, error: unknown): FileError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const hint = code === undefined ? undefined : hints[code];
  return new FileError({
    where: path,
    expected,
    got: verbatim(meaningOf(error, code)),
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function meaningOf(error: unknown, code: string | undefined): string {
  if (code === undefined) return String(error);
  return meanings[code] ?? `an error of the system (${code})`;
}
