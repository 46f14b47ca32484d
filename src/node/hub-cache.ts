/**
 * The cache folder of Hugging Face's Python library, so that files are shared with it:
 * `models--OWNER--NAME/{blobs/ETAG, refs/REVISION, snapshots/COMMIT/PATH -> blob}` and `.locks`.
 * Source: the Hub's documentation of its local cache.
 */
import { copyFile, readdir, readFile, rename, stat, statfs, symlink, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getHFHubCachePath } from "@huggingface/hub";
import { lock } from "proper-lockfile";
import { FileError, verbatim } from "../errors.ts";
import { fileError, makeFolder, writeFileAtomic } from "./files.ts";
import { interrupted } from "./hub-http.ts";
import { temporaryName } from "./temporary-files.ts";

const COMMIT = /^[0-9a-f]{40}$/;
/** A lock whose holder has not renewed it for so long belongs to a process that is gone. */
const STALE_MS = 10_000;
const LOCK_POLL_MS = 250;

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** The folder of all models: HF_HUB_CACHE, HF_HOME or XDG_CACHE_HOME say where; else ~/.cache/huggingface/hub. */
export function defaultCacheDir(): string {
  return getHFHubCachePath().replace(/^~(?=$|[/\\])/, homedir());
}

/** The cached files of one model. */
export class ModelCache {
  readonly folder: string;
  readonly #lockPath: string;

  /** @param name - `owner/name` or `name`, checked before. */
  constructor(cacheDir: string, name: string) {
    const folderName = ["models", ...name.split("/")].join("--");
    this.folder = join(cacheDir, folderName);
    this.#lockPath = join(cacheDir, ".locks", folderName, "zhbert.lock");
  }

  /** Where a file's bytes lie. @param etag - hexadecimal. */
  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  /** The folder of a commit. */
  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** The commit that a revision was when it was last downloaded. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return revision;
    const text = await readFile(join(this.folder, "refs", ...revision.split("/")), "utf8").catch(() => "");
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  }

  /** Remembers which commit a revision is. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) === commit) return;
    await writeFileAtomic(join(this.folder, "refs", ...revision.split("/")), commit);
  }

  /** The paths of all files of a commit, with `/`. */
  async filesOf(commit: string): Promise<string[]> {
    const root = this.snapshot(commit);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const paths = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
    // A link whose blob was deleted is no file.
    const sizes = await Promise.all(paths.map((path) => sizeOf(path)));
    return paths.filter((_, i) => sizes[i] !== undefined).map((path) => relative(root, path).replaceAll("\\", "/"));
  }

  /** Whether a commit's file is there, of the right size. */
  async has(commit: string, path: string, size: number): Promise<boolean> {
    return (await sizeOf(join(this.snapshot(commit), path))) === size;
  }

  /** Bytes of a file that an earlier download left, whole or in part. */
  async presentBytes({ etag, sizeBytes }: { readonly etag: string; readonly sizeBytes: number }): Promise<number> {
    if ((await sizeOf(this.blob(etag))) === sizeBytes) return sizeBytes;
    return (await sizeOf(incompletePath(this.blob(etag)))) ?? 0;
  }

  /**
   * Checks that the disk has room, before hours are spent on what will not fit.
   * @throws {FileError} when it has not.
   */
  async expectRoom(sizeBytes: number): Promise<void> {
    // Not every file system says how much is free; what does not fit fails when it is written.
    const disk = await statfs(dirname(this.#lockPath)).catch(() => undefined);
    if (disk === undefined || disk.bavail * disk.bsize >= sizeBytes) return;
    const inMB = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
    throw new FileError({
      where: this.folder,
      expected: `${inMB(sizeBytes)} of free space`,
      got: verbatim(inMB(disk.bavail * disk.bsize)),
      hint: "free some space, or choose another disk with --cache-dir or HF_HUB_CACHE",
    });
  }

  /**
   * Puts a blob into a commit's folder: a link, or a copy where the file system has no links.
   * @throws {FileError} when it cannot be written.
   */
  async link(commit: string, path: string, etag: string): Promise<void> {
    const target = join(this.snapshot(commit), path);
    const blob = this.blob(etag);
    const temporary = join(dirname(target), temporaryName());
    try {
      await makeFolder(dirname(target));
      await symlink(relative(dirname(target), blob), temporary).catch(() => copyFile(blob, temporary));
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw fileError(target, "a file that can be written", error);
    }
  }

  /**
   * Does work while no other process downloads this model.
   * @param stop - ends the wait; aborted when the lock is lost, as after a sleep of the machine.
   * @param onWait - told once when there is another process.
   */
  async locked<Result>(stop: AbortController, onWait: () => void, work: () => Promise<Result>): Promise<Result> {
    let isLost = false;
    const release = await this.#acquire(stop.signal, onWait, () => {
      isLost = true;
      stop.abort();
    });
    try {
      return await work();
    } catch (error) {
      throw isLost ? lockLost(this.#lockPath) : error;
    } finally {
      await release().catch(() => undefined);
    }
  }

  async #acquire(signal: AbortSignal, onWait: () => void, onCompromised: () => void): Promise<() => Promise<void>> {
    await makeFolder(dirname(this.#lockPath)).catch((error) => {
      throw fileError(this.#lockPath, "a cache folder that can be written", error);
    });
    for (let attempt = 0; ; attempt++) {
      try {
        return await lock(this.folder, {
          realpath: false,
          lockfilePath: this.#lockPath,
          stale: STALE_MS,
          onCompromised,
        });
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== "ELOCKED") throw fileError(this.#lockPath, "a lock of the cache folder", error);
      }
      if (attempt === 0) onWait();
      await sleep(LOCK_POLL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw interrupted();
    }
  }
}

/** Where a blob lies until it is whole. */
export function incompletePath(blob: string): string {
  return `${blob}.incomplete`;
}

function lockLost(path: string): FileError {
  return new FileError({
    where: path,
    expected: "to keep the lock of the model's cache folder",
    got: verbatim("another process that took it over"),
    hint: "what was downloaded is kept: run it again to go on",
  });
}

/** The size of a file, links followed; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}
