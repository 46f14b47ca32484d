/** A model from a hub: its files listed, chosen, downloaded under a lock, and linked; or what the cache has of it. */
import { join } from "node:path";
import { FileError, verbatim } from "../errors.ts";
import { resolveHubName, resolveModelScopeName } from "../model/zoo.ts";
import type { DownloadedFile, DownloadedModel, DownloadOptions } from "./hub.ts";
import { isCommit, ModelCache, sizeOf } from "./hub-cache.ts";
import { ChangedError, downloadBlob } from "./hub-download.ts";
import { HubHttp, PassingError } from "./hub-http.ts";
import { expectSafePath, missingParts, selectFiles } from "./hub-selection.ts";
import { type HubSource, hubSource, type RemoteFile, type RemoteModel } from "./hub-sources.ts";

/** Listing anew after a change helps once or twice; a server that changes all the time is broken. */
const MAX_LISTINGS = 3;

/** See downloadModelFiles of hub.ts. */
export async function fetchModel(name: string, options: DownloadOptions): Promise<DownloadedModel> {
  const source = hubSource(options.source ?? "huggingface", options.mirror);
  const request: Request = {
    name: options.source === "modelscope" ? resolveModelScopeName(name) : resolveHubName(name),
    givenName: name,
    revision: options.revision ?? source.defaultRevision,
    source,
    cacheDir: options.cacheDir ?? source.cacheDir,
    options,
  };
  expectHubName(request.name);
  expectSafePath(request.revision, "--revision");
  if (options.offline ?? isOfflineByEnvironment()) return fromCache(request);
  const copy = await fromCache(request).catch(() => undefined);
  // A commit never changes; branches and tags do.
  if (copy !== undefined && isCommit(request.revision) && options.files === undefined) return copy;
  return online(request, copy);
}

interface Request {
  readonly name: string;
  readonly givenName: string;
  readonly revision: string;
  readonly source: HubSource;
  readonly cacheDir: string;
  readonly options: DownloadOptions;
}

/** @param copy - what the cache has, for want of a network. */
async function online(request: Request, copy: DownloadedModel | undefined): Promise<DownloadedModel> {
  const { name, source, options, revision } = request;
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
    isDispensable: copy !== undefined,
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
    // Without network a model that is in the cache is as good as it was yesterday.
    const isNetwork = error instanceof FileError && error.cause instanceof PassingError;
    if (!isNetwork || copy === undefined) throw error;
    options.onNote?.(`${error.message}; the cache's copy of ${copy.name} is used`);
    return copy;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    await http.close();
  }
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
    { where, cached: await cache.filesOf(commit) },
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
  const present = await Promise.all(files.map((file) => cache.presentBytes(file)));
  await cache.expectRoom(totalBytes - present.reduce((sum, bytes) => sum + bytes, 0));
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
  const chosen = selectFiles(paths, options.files ?? [], { where: folder, cached: [] });
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

/** As the Python libraries read it. */
function isOfflineByEnvironment(): boolean {
  const value = process.env["HF_HUB_OFFLINE"] || process.env["TRANSFORMERS_OFFLINE"];
  return ["1", "true", "yes", "on"].includes(value?.toLowerCase() ?? "");
}
