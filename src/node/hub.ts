/**
 * Models from a hub by name: Hugging Face's (or a mirror) and ModelScope's, kept in the cache folder that the Python
 * libraries share.
 */
import { join } from "node:path";
import { FileError, verbatim } from "../errors.ts";
import { resolveHubName } from "../model/zoo.ts";
import { ModelCache, sizeOf } from "./hub-cache.ts";
import { ChangedError, downloadBlob } from "./hub-download.ts";
import { HubHttp, PassingError, type Patience } from "./hub-http.ts";
import { expectSafePath, missingParts, selectFiles } from "./hub-selection.ts";
import { type HubSource, type HubSourceName, hubSource, type RemoteFile, type RemoteModel } from "./hub-sources.ts";

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
  /** For private and gated models; HF_TOKEN or the stored login when left out. Only the hub's own address sees it. */
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

/** Listing anew after a change helps once or twice; a server that changes all the time is broken. */
const MAX_LISTINGS = 3;

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
  const source = hubSource(options.source ?? "huggingface", options.mirror);
  const request: Request = {
    name: options.source === "modelscope" ? name : resolveHubName(name),
    givenName: name,
    revision: options.revision ?? source.defaultRevision,
    source,
    cacheDir: options.cacheDir ?? source.cacheDir,
    options,
  };
  expectHubName(request.name);
  expectSafePath(request.revision, "--revision");
  if (options.offline ?? isTrue(process.env["HF_HUB_OFFLINE"])) return fromCache(request);
  return online(request);
}

interface Request {
  readonly name: string;
  readonly givenName: string;
  readonly revision: string;
  readonly source: HubSource;
  readonly cacheDir: string;
  readonly options: DownloadOptions;
}

async function online(request: Request): Promise<DownloadedModel> {
  const { name, source, options, cacheDir, revision } = request;
  // Aborted by the user's signal, or when the cache's lock is lost.
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  options.signal?.addEventListener("abort", onAbort);
  if (options.signal?.aborted) stop.abort();
  const credentials = await source.credentials(options.token);
  const hasToken = Object.keys(credentials).length > 0;
  const http = new HubHttp({
    endpoint: source.endpoint,
    credentials,
    signal: stop.signal,
    onNote: options.onNote,
    patience: options.patience,
    explain: (status, errorCode) => source.explain(status, errorCode, { name, hasToken }),
  });
  try {
    for (let listing = 1; ; listing++) {
      const remote = await source.list(http, name, revision);
      try {
        return await download(request, remote, http, stop);
      } catch (error) {
        if (!(error instanceof ChangedError)) throw error;
        if (listing === MAX_LISTINGS) throw keepsChanging(`${source.endpoint}/${name}`, error);
        options.onNote?.(`${name}: the model changed on the hub meanwhile; asking for its files again`);
      }
    }
  } catch (error) {
    return await orFromCache(error, { ...request, cacheDir });
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    await http.close();
  }
}

/** Without network a model that is in the cache is as good as it was yesterday. */
async function orFromCache(error: unknown, request: Request): Promise<DownloadedModel> {
  const isNetwork = error instanceof FileError && error.cause instanceof PassingError;
  if (!isNetwork) throw error;
  const cached = await fromCache(request).catch(() => undefined);
  if (cached === undefined) throw error;
  request.options.onNote?.(`${error.message}; the cache's copy of ${cached.name} is used`);
  return cached;
}

async function download(
  { name, source, options, cacheDir, revision }: Request,
  { commit, files }: RemoteModel,
  http: HubHttp,
  stop: AbortController,
): Promise<DownloadedModel> {
  const cache = new ModelCache(cacheDir, name);
  const where = `${source.endpoint}/${name}`;
  const paths = selectFiles(
    files.map(({ path }) => path),
    options.files ?? [],
    where,
  );
  const wanted = files.filter(({ path }) => paths.includes(path));
  const isThere = async (file: RemoteFile) => await cache.has(commit, file.path, file.sizeBytes);
  const missing = await without(wanted, isThere);
  if (missing.length > 0) {
    const onWait = () => options.onNote?.(`${name}: another process is downloading it; waiting for that to end`);
    await cache.locked(stop, onWait, async () => {
      // Another process may have fetched them while we waited.
      await downloadAll(http, cache, commit, await without(missing, isThere), options);
    });
  }
  if (revision !== commit) await cache.setCommit(revision, commit);
  return { name, folder: cache.snapshot(commit), files: wanted.map(described) };
}

async function downloadAll(
  http: HubHttp,
  cache: ModelCache,
  commit: string,
  files: readonly RemoteFile[],
  { onProgress }: DownloadOptions,
): Promise<void> {
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let before = 0;
  for (const file of files) {
    http.expectRunning();
    const { path, etag, sizeBytes } = file;
    const blob = cache.blob(etag);
    if ((await sizeOf(blob)) !== sizeBytes) {
      await downloadBlob(http, file, blob, (bytes) => onProgress?.({ doneBytes: before + bytes, totalBytes, path }));
    }
    await cache.link(commit, path, etag);
    before += sizeBytes;
    onProgress?.({ doneBytes: before, totalBytes, path });
  }
}

async function without<Item>(items: readonly Item[], isThere: (item: Item) => Promise<boolean>): Promise<Item[]> {
  const found = await Promise.all(items.map(isThere));
  return items.filter((_, i) => !found[i]);
}

function described({ path, sizeBytes, etag }: RemoteFile): DownloadedFile {
  return { path, sizeBytes, ...(etag.length === 64 ? { sha256: etag } : {}) };
}

/** @throws {FileError} that names what the cache lacks. */
async function fromCache({ name, givenName, revision, cacheDir, options }: Request): Promise<DownloadedModel> {
  let lacks = `nothing of it in ${cacheDir}`;
  // Python programs may have downloaded it under the older name.
  for (const candidate of new Set([name, givenName])) {
    const cache = new ModelCache(cacheDir, candidate);
    const commit = await cache.commitOf(revision);
    const paths = commit === undefined ? [] : await cache.filesOf(commit);
    if (commit === undefined || paths.length === 0) continue;
    const missing = missingParts(paths);
    if (missing.length === 0) return await cachedModel(cache, candidate, commit, paths, options);
    lacks = `a copy without ${missing.join(", ")} in ${cache.snapshot(commit)}`;
  }
  throw new FileError({
    where: name,
    expected: `revision ${revision} of the model in the cache, since the network is not to be used`,
    got: verbatim(lacks),
    hint: "run zhbert download once without --offline, or name a folder that holds the model",
  });
}

async function cachedModel(
  cache: ModelCache,
  name: string,
  commit: string,
  paths: readonly string[],
  options: DownloadOptions,
): Promise<DownloadedModel> {
  const folder = cache.snapshot(commit);
  const chosen = selectFiles(paths, options.files ?? [], folder);
  const files = chosen.map(async (path) => ({ path, sizeBytes: (await sizeOf(join(folder, path))) ?? 0 }));
  return { name, folder, files: await Promise.all(files) };
}

/** @throws {FileError} when it cannot be the name of a model. Source: the Hub's rules for names of repositories. */
function expectHubName(name: string): void {
  const parts = name.split("/");
  const isName = parts.every((part) => /^[A-Za-z0-9][\w.-]*$/.test(part) && !/--|\.\./.test(part));
  if (isName && parts.length <= 2 && name.length <= MAX_NAME_LENGTH) return;
  throw new FileError({
    where: "the model's name",
    expected: "OWNER/NAME as on the hub, an alias, or the path of a folder that exists",
    got: name,
    hint: "zhbert models lists the names",
  });
}

const MAX_NAME_LENGTH = 96;

function keepsChanging(where: string, cause: ChangedError): FileError {
  return new FileError({
    where,
    expected: "the same model for the time of a download",
    got: verbatim(`another one each time (${cause.message})`),
    hint: "the server may be no proper mirror: try another one with --mirror URL",
    cause,
  });
}

function isTrue(value: string | undefined): boolean {
  return ["1", "true", "yes", "on"].includes(value?.toLowerCase() ?? "");
}
