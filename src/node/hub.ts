/**
 * Models from a hub by name: Hugging Face's (or a mirror) and ModelScope's, kept in the cache folder that the Python
 * libraries share. The client itself is loaded when it is needed: most programs read models from folders.
 */
import type { Patience } from "./hub-http.ts";
import type { HubSourceName } from "./hub-sources.ts";

/** How far a download is. */
export interface DownloadProgress {
  /** Bytes that are there, of all files together. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** The file that is being downloaded. */
  readonly path: string;
}

/** What to download, from where, to where. */
export interface DownloadOptions {
  /** A branch, tag or commit; `main` (ModelScope: `master`) when left out. */
  readonly revision?: string | undefined;
  /** The folder of all models; the Python library's when left out (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME). */
  readonly cacheDir?: string | undefined;
  /** Another address of the hub; HF_ENDPOINT when left out. */
  readonly mirror?: string | undefined;
  readonly source?: HubSourceName | undefined;
  /**
   * For private and gated models; HF_TOKEN or the stored login when left out. Sent to the hub or the chosen mirror alone, a
   * stored login to the hub alone.
   */
  readonly token?: string | undefined;
  /** Take what is in the cache, without network; HF_HUB_OFFLINE when left out. */
  readonly offline?: boolean | undefined;
  /** Further files besides config, vocabulary and weights: patterns with `*` and `?`; `*` for all. */
  readonly files?: readonly string[] | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Told of waits, of another process that downloads, of a fall back on the cache. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Aborting keeps what was downloaded. */
  readonly signal?: AbortSignal | undefined;
  /** Attempts and waits, for tests and impatient programs. */
  readonly patience?: Partial<Patience> | undefined;
}

/** A model in the cache. */
export interface DownloadedModel {
  /** Its name on the hub, aliases resolved. */
  readonly name: string;
  /** The folder that holds its files. */
  readonly folder: string;
  readonly files: readonly DownloadedFile[];
}

/** A file of a downloaded model. */
export interface DownloadedFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** As checked; small files have another checksum. */
  readonly sha256?: string;
}

/**
 * Makes sure that a model is in the cache.
 * @param name - a name on the hub (`hfl/rbt3`) or an alias of the zoo (`bert-base-chinese`).
 * @returns the folder that holds its config, vocabulary and weights.
 * @throws {FileError} when it cannot be had, with what to do. @throws {InterruptedError} when aborted.
 */
export async function downloadModel(name: string, options: DownloadOptions = {}): Promise<string> {
  return (await downloadModelFiles(name, options)).folder;
}

/** As downloadModel, with the list of files. */
export async function downloadModelFiles(name: string, options: DownloadOptions = {}): Promise<DownloadedModel> {
  const { fetchModel } = await import("./hub-model.ts");
  return fetchModel(name, options);
}
