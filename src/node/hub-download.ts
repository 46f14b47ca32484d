/**
 * One file from a hub into the cache: resumed where it was cut, checked by size and hash before it gets its name.
 *
 * The unfinished file is named after the hash of the whole, so that another content never continues it.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError, verbatim } from "../errors.ts";
import { fileError, makeFolder } from "./files.ts";
import { incompletePath, sizeOf } from "./hub-cache.ts";
import { type HubAnswer, type HubHttp, PassingError } from "./hub-http.ts";
import type { RemoteFile } from "./hub-sources.ts";

/** The hub has another content under this name than it listed. */
export class ChangedError extends Error {}

/**
 * Downloads a file, unless it is there.
 * @param blob - where it goes, named by its hash.
 * @param onBytes - told how many bytes there are, at each chunk; it may go back to 0.
 * @throws {ChangedError} when the hub meanwhile has another content.
 * @throws {FileError} when it cannot be had, fails its checksum (the partial file is removed) or cannot be written.
 * @throws {InterruptedError} after Ctrl-C; the partial file stays.
 */
export async function downloadBlob(
  http: HubHttp,
  file: RemoteFile,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const partial = await PartialFile.open(incompletePath(blob), file);
  try {
    await http.retry(
      file.path,
      () => fill(http, file, partial, onBytes),
      () => partial.size,
    );
    await partial.finish(blob);
  } finally {
    await partial.close();
  }
}

async function fill(
  http: HubHttp,
  file: RemoteFile,
  partial: PartialFile,
  onBytes: (b: number) => void,
): Promise<void> {
  onBytes(partial.size);
  while (partial.size < file.sizeBytes) {
    const answer = await http.get(file.url, rangeHeaders(file, partial.size));
    await expectSameContent(answer, file, partial);
    await beginAt(answer, file, partial);
    await take(http, answer, file, partial, onBytes);
  }
  if (partial.matches()) return;
  const { hasOldPart } = partial;
  await partial.restart();
  // What an earlier process left may be damaged; the whole file gets one more try.
  if (hasOldPart) throw new PassingError("the part that was there does not fit: starting anew", { waitMs: 0 });
  throw new FileError({
    where: file.path,
    expected: `the checksum ${file.etag}`,
    got: verbatim("other bytes"),
    hint: "the download was damaged on its way and has been deleted: run it again, or try another server with --mirror URL",
  });
}

function rangeHeaders({ etag }: RemoteFile, from: number): Record<string, string> {
  return from === 0 ? {} : { range: `bytes=${from}-`, "if-range": `"${etag}"` };
}

async function expectSameContent({ response, etag }: HubAnswer, file: RemoteFile, partial: PartialFile): Promise<void> {
  // Servers name ETags as they like; only one of the same kind says something about the content.
  const isHash = etag !== undefined && /^[0-9a-f]+$/.test(etag) && etag.length === file.etag.length;
  if (!isHash || etag === file.etag) return;
  await response.body?.cancel();
  await partial.restart();
  throw new ChangedError(`${file.path}: the hub has ${etag} now, not ${file.etag}`);
}

/** Makes the partial file as long as the place where the answer begins. */
async function beginAt({ response }: HubAnswer, file: RemoteFile, partial: PartialFile): Promise<void> {
  if (response.status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "") ?? [];
    const isRight = Number(first) === partial.size && (total === "*" || Number(total) === file.sizeBytes);
    if (isRight) return;
    await response.body?.cancel();
    await partial.restart();
    throw new PassingError("the server sent another part than asked for");
  }
  // 200: the whole file, either as asked or because the server knows no ranges. 416: it has less than we have.
  await partial.restart();
  if (response.status === 416) throw new PassingError("the server has less of the file than is here");
  const length = response.headers.get("content-length");
  if (length === null || Number(length) === file.sizeBytes) return;
  await response.body?.cancel();
  throw new PassingError(`the server announces ${length} bytes instead of ${file.sizeBytes}`);
}

async function take(
  http: HubHttp,
  { response }: HubAnswer,
  file: RemoteFile,
  partial: PartialFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const chunks = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  try {
    while (true) {
      const { done, value } = await chunks.read().catch((error) => {
        throw http.passing(error);
      });
      if (done) break;
      if (partial.size + value.length > file.sizeBytes) {
        await partial.restart();
        throw new PassingError(`the server sent more than ${file.sizeBytes} bytes`);
      }
      await partial.append(value);
      onBytes(partial.size);
    }
  } finally {
    await chunks.cancel().catch(() => undefined);
  }
  if (partial.size < file.sizeBytes) throw new PassingError("the connection was cut");
}

/** A file that grows, and the hash of what it holds. */
class PartialFile {
  readonly #path: string;
  readonly #file: RemoteFile;
  readonly #handle: FileHandle;
  #hash: Hash;
  #size = 0;
  #isFinished = false;
  /** Whether it begins with what an earlier run left. */
  hasOldPart = false;

  private constructor(path: string, file: RemoteFile, handle: FileHandle) {
    this.#path = path;
    this.#file = file;
    this.#handle = handle;
    this.#hash = newHash(file);
  }

  /** Opens what there is, or an empty file. */
  static async open(path: string, file: RemoteFile): Promise<PartialFile> {
    const handle = await openOrCreate(path);
    const partial = new PartialFile(path, file, handle);
    partial.#size = (await sizeOf(path)) ?? 0;
    if (partial.#size > file.sizeBytes) await partial.restart();
    else if (partial.#size > 0) await partial.#readOldPart();
    return partial;
  }

  get size(): number {
    return this.#size;
  }

  async #readOldPart(): Promise<void> {
    this.#size = 0;
    for await (const chunk of createReadStream(this.#path, { highWaterMark: 1 << 20 })) {
      this.#hash.update(chunk as Uint8Array);
      this.#size += (chunk as Uint8Array).length;
    }
    this.hasOldPart = true;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#try(async () => {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#handle.write(bytes, done, bytes.length - done)).bytesWritten;
      }
    });
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  /** Begins at the beginning. */
  async restart(): Promise<void> {
    if (this.#size === 0) return;
    await this.#try(() => this.#handle.truncate(0));
    this.#hash = newHash(this.#file);
    this.#size = 0;
    this.hasOldPart = false;
  }

  /** Whether the whole file has the hash that names it. */
  matches(): boolean {
    return this.#hash.copy().digest("hex") === this.#file.etag;
  }

  /** Gives the file its name, once its bytes are on the disk. */
  async finish(blob: string): Promise<void> {
    await this.#try(async () => {
      await this.#handle.sync();
      await rename(this.#path, blob);
      this.#isFinished = true;
    });
  }

  /** Keeps what there is for the next time; nothing is not kept. */
  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#size === 0 && !this.#isFinished) await unlink(this.#path).catch(() => undefined);
  }

  async #try<Result>(work: () => Promise<Result>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw fileError(this.#path, "a file that can be written", error);
    }
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    await makeFolder(dirname(path));
    return await open(path, "a");
  } catch (error) {
    throw fileError(path, "a file that can be written", error);
  }
}

/** SHA-256 for large files, git's blob hash for small ones. */
function newHash({ etag, sizeBytes }: RemoteFile): Hash {
  return etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${sizeBytes}\0`);
}
