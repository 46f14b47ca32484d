/** Where models come from: Hugging Face's hub (or a mirror of it) and ModelScope, behind one interface. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { listFiles, modelInfo } from "@huggingface/hub";
import { FileError, verbatim } from "../errors.ts";
import { defaultCacheDir } from "./hub-cache.ts";
import type { Explanation, HubHttp } from "./hub-http.ts";
import { expectSafePath } from "./hub-selection.ts";

/** The hubs that we know. */
export type HubSourceName = "huggingface" | "modelscope";

/** A file of a repository. */
export interface RemoteFile {
  /** Relative to the repository, with `/`; checked to stay inside of a folder. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The hash of its bytes, which names it in the cache: SHA-256 of 64 digits, or git's SHA-1 of 40. */
  readonly etag: string;
  readonly url: string;
}

/** A repository at one revision. */
export interface RemoteModel {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/** A hub. */
export interface HubSource {
  readonly title: string;
  readonly endpoint: string;
  readonly defaultRevision: string;
  /** The cache folder when none is given. */
  readonly cacheDir: string;
  /** Headers that show a token to the endpoint. */
  credentials(token: string | undefined): Promise<Readonly<Record<string, string>>>;
  list(http: HubHttp, name: string, revision: string): Promise<RemoteModel>;
  /** What a refusal means. */
  explain(
    status: number,
    errorCode: string,
    context: { readonly name: string; readonly hasToken: boolean },
  ): Explanation;
}

/** No repository of a BERT comes near this. */
const MAX_FILES = 10_000;
const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const HUGGING_FACE = "https://huggingface.co";

/** A hub by name. @param mirror - another address of it. */
export function hubSource(source: HubSourceName, mirror: string | undefined): HubSource {
  return source === "modelscope" ? modelScope(mirror) : huggingFace(mirror);
}

function huggingFace(mirror: string | undefined): HubSource {
  const endpoint = withoutSlash(mirror ?? (process.env["HF_ENDPOINT"] || HUGGING_FACE));
  return {
    title: "Hugging Face",
    endpoint,
    defaultRevision: "main",
    cacheDir: defaultCacheDir(),
    credentials: async (given) => {
      const token = given ?? (await environmentToken(endpoint));
      return token === undefined ? {} : { authorization: `Bearer ${token}` };
    },
    list: (http, name, revision) => listHuggingFace(http, endpoint, name, revision),
    explain: explainHuggingFace,
  };
}

/** The token of the environment; the one that a login stored is for the hub itself and no mirror's business. */
async function environmentToken(endpoint: string): Promise<string | undefined> {
  const token = process.env["HF_TOKEN"] || process.env["HUGGING_FACE_HUB_TOKEN"];
  if (token) return token.trim();
  if (endpoint !== HUGGING_FACE) return undefined;
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const home = process.env["HF_HOME"] || join(cache, "huggingface");
  const stored = await readFile(process.env["HF_TOKEN_PATH"] || join(home, "token"), "utf8").catch(() => "");
  return stored.trim() || undefined;
}

async function listHuggingFace(http: HubHttp, endpoint: string, name: string, revision: string): Promise<RemoteModel> {
  const where = `${endpoint}/${name}`;
  const common = { hubUrl: endpoint, fetch: http.asFetch() };
  const { sha: commit } = await modelInfo({ ...common, name, revision, additionalFields: ["sha"] });
  if (typeof commit !== "string" || !/^[0-9a-f]{40}$/.test(commit)) {
    throw new FileError({ where, expected: "a commit of 40 hexadecimal digits", got: commit, hint: mirrorHint });
  }
  const files: RemoteFile[] = [];
  const listing = listFiles({ ...common, repo: { type: "model", name }, revision: commit, recursive: true });
  let listed = 0;
  for await (const { type, path, size, oid, lfs } of listing) {
    expectCount(++listed, where);
    if (type !== "file") continue;
    const url = `${endpoint}/${name}/resolve/${commit}/${encodePath(path)}`;
    files.push(checkedFile({ path, sizeBytes: lfs?.size ?? size, etag: lfs?.oid ?? oid ?? "", url }, where));
  }
  return { commit, files };
}

function explainHuggingFace(
  status: number,
  errorCode: string,
  { name, hasToken }: { readonly name: string; readonly hasToken: boolean },
): Explanation {
  const howToken = "give a token by HF_TOKEN or --token (huggingface.co/settings/tokens makes one)";
  if (errorCode === "GatedRepo") {
    const accept = `accept the model's conditions at ${HUGGING_FACE}/${name}`;
    return {
      got: `status ${status}: the model is gated`,
      hint: hasToken ? `${accept} with the account of your token` : `${accept}, then ${howToken}`,
    };
  }
  if (errorCode === "RevisionNotFound") {
    return { got: `status ${status}: there is no such revision`, hint: "check --revision: a branch, tag or commit" };
  }
  if (errorCode === "EntryNotFound") return { got: `status ${status}: there is no such file`, hint: mirrorHint };
  // Without a token the hub answers 401 for what does not exist, so that private names do not leak.
  if (status === 401 && !hasToken) {
    return {
      got: "status 401: no such model, or a private one",
      hint: `check the name ${name}; if it is private, ${howToken}`,
    };
  }
  if (status === 401) return { got: "status 401: the token is not valid", hint: `check the token: ${howToken}` };
  if (status === 403)
    return { got: "status 403: your account may not read it", hint: `ask the owner of ${name} for access` };
  if (status === 404)
    return {
      got: "status 404: there is no such model",
      hint: `check the name ${name}; zhbert models lists those that we know`,
    };
  return { got: `status ${status}`, hint: mirrorHint };
}

function modelScope(mirror: string | undefined): HubSource {
  const domain = process.env["MODELSCOPE_DOMAIN"] || "www.modelscope.cn";
  const endpoint = withoutSlash(mirror ?? `https://${domain}`);
  return {
    title: "ModelScope",
    endpoint,
    defaultRevision: "master",
    // Beside what ModelScope's own library keeps there, which has another layout.
    cacheDir: process.env["MODELSCOPE_CACHE"] || join(homedir(), ".cache", "modelscope", "hub"),
    credentials: async (given) => {
      const token = given ?? process.env["MODELSCOPE_API_TOKEN"];
      return token ? { cookie: `m_session_id=${token}` } : {};
    },
    list: (http, name, revision) => listModelScope(http, endpoint, name, revision),
    explain: (status, _, { name }) => ({
      got: status === 404 ? "status 404: there is no such model or revision" : `status ${status}`,
      hint: `check the name ${name} and --revision at ${endpoint}; private models need MODELSCOPE_API_TOKEN or --token`,
    }),
  };
}

/** Source: the HTTP API that ModelScope's Python library uses (hub/api.py, hub/file_download.py). */
async function listModelScope(http: HubHttp, endpoint: string, name: string, revision: string): Promise<RemoteModel> {
  const where = `${endpoint}/models/${name}`;
  const api = `${endpoint}/api/v1/models/${name}/repo`;
  const query = new URLSearchParams({ Revision: revision, Recursive: "true" });
  const answer = (await http.json(`${api}/files?${query}`)) as { Data?: { Files?: unknown } | null; Message?: unknown };
  const listed = answer?.Data?.Files;
  if (!Array.isArray(listed)) {
    throw new FileError({
      where,
      expected: "a list of files",
      got: verbatim(typeof answer?.Message === "string" ? answer.Message.slice(0, 200) : "another answer"),
      hint: `check the name ${name} and --revision`,
    });
  }
  const files: RemoteFile[] = [];
  expectCount(listed.length, where);
  for (const { Type, Path, Size, Sha256 } of listed as Record<string, unknown>[]) {
    if (Type === "tree") continue;
    const path = String(Path);
    const url = `${api}?${new URLSearchParams({ Revision: revision, FilePath: path })}`;
    files.push(checkedFile({ path, sizeBytes: Number(Size), etag: String(Sha256), url }, where));
  }
  return { commit: contentId(files), files };
}

/** ModelScope names no commit of the whole repository, so its content does. */
function contentId(files: readonly RemoteFile[]): string {
  const lines = files.map(({ path, etag }) => `${etag} ${path}\n`).sort();
  return createHash("sha1").update(lines.join("")).digest("hex");
}

/** Folders count too: a hostile server lists them without end. @throws {FileError} */
function expectCount(count: number, where: string): void {
  if (count <= MAX_FILES) return;
  throw new FileError({
    where,
    expected: `at most ${MAX_FILES} files and folders`,
    got: verbatim("more"),
    hint: mirrorHint,
  });
}

function checkedFile(file: RemoteFile, where: string): RemoteFile {
  const fail = (expected: string, got: unknown) => new FileError({ where, expected, got, hint: mirrorHint });
  expectSafePath(file.path, where);
  if (!Number.isSafeInteger(file.sizeBytes) || file.sizeBytes < 0)
    throw fail(`the size of ${file.path}`, file.sizeBytes);
  if (!HASH.test(file.etag)) throw fail(`a SHA-1 or SHA-256 of ${file.path}`, file.etag);
  return file;
}

const mirrorHint = "the server may be no complete mirror of the hub: try another one with --mirror URL";

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
