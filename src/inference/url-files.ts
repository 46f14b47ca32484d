/** The files of a model on the web: a folder of a server (a hub's `resolve/main`), of which the usual names are looked for. */
import { type ByteSource, bytesSource, type ModelFiles, noSuchFile } from "../checkpoint/source.ts";
import { dataFiles, readBundle } from "../checkpoint/tensorflow/bundle.ts";
import { FileError, verbatim } from "../errors.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init?: { readonly method?: string }) => Promise<Response>;

/** What of a folder on a server is taken, and how. */
export interface UrlFilesOptions {
  /** Another way to fetch than the web's own. */
  readonly fetch?: Fetch | undefined;
  /** The checkpoint's file, where it has none of the usual names or several are there. */
  readonly checkpoint?: string | undefined;
}

/** What is looked for; a server need not list its files. Of the weights the first that is there is taken. */
const SMALL_FILES = [
  "config.json",
  "bert_config.json",
  "model_config.json",
  "tokenizer_config.json",
  "tokenizer.json",
  "vocab.txt",
  "modules.json",
  "task.json",
];
/** What sentence-transformers has beside its modules.json. */
const MODULE_FILES = ["1_Pooling/config.json", "config_sentence_transformers.json"];
const WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "model_state.pdparams",
  "bert_model.ckpt.index",
  "tf_model.h5",
];
/** How servers say that there is no such file: storage services say "forbidden", so as not to tell what there is. */
const NOT_THERE = [403, 404, 410];

/**
 * The files of a folder on a server; each is fetched whole when it is opened.
 * @param url - of the folder; a query is kept at the end of each file's address.
 * @throws {FileError} when the server does not answer, or with an error. @throws {CheckpointError} when an index is damaged.
 */
export async function urlFiles(
  url: string,
  { fetch = globalThis.fetch, checkpoint }: UrlFilesOptions = {},
): Promise<ModelFiles> {
  const [, folder = "", query = ""] = /^([^?#]*)(\?[^#]*)?/.exec(url) ?? [];
  const addressOf = (path: string) => `${folder}${folder.endsWith("/") ? "" : "/"}${path}${query}`;
  const smallFiles = await Promise.all(SMALL_FILES.map((name) => isThere(addressOf(name), fetch)));
  const paths = SMALL_FILES.filter((_, i) => smallFiles[i]);
  for (const path of paths.includes("modules.json") ? MODULE_FILES : []) {
    if (await isThere(addressOf(path), fetch)) paths.push(path);
  }
  const files: ModelFiles = {
    name: url,
    paths,
    async open(path) {
      if (!paths.includes(path)) throw noSuchFile(url, path, paths);
      return bytesSource(path, await fetchBytes(addressOf(path), fetch));
    },
  };
  for (const path of checkpoint === undefined ? WEIGHTS : [checkpoint]) {
    if (!(await isThere(addressOf(path), fetch))) continue;
    paths.push(path);
    paths.push(...(await furtherFiles(files, path)));
    break;
  }
  return files;
}

/** Whether a file is on a server; one that sends its start page for whatever it lacks does not have it. */
async function isThere(url: string, fetch: Fetch): Promise<boolean> {
  const { ok, status, headers } = await request(fetch, url, "HEAD");
  if (ok) return !headers.get("content-type")?.startsWith("text/html");
  if (NOT_THERE.includes(status)) return false;
  throw new FileError({ where: url, expected: "a file, or that there is none", got: verbatim(`status ${status}`) });
}

/** The files that an index names. @throws {CheckpointError} when the index of a TensorFlow checkpoint is damaged. */
async function furtherFiles(files: ModelFiles, path: string): Promise<string[]> {
  if (path.endsWith(".json")) return shardsOf(await files.open(path));
  if (!path.endsWith(".index")) return [];
  return [...dataFiles(readBundle(await files.open(path)), path.slice(0, -".index".length)).values()];
}

/** The shards that an index names; the index itself is checked when it is opened. */
function shardsOf(index: ByteSource): string[] {
  try {
    const { weight_map } = JSON.parse(new TextDecoder().decode(index.slice(0, index.size)));
    return [...new Set(Object.values(weight_map))].filter((name) => typeof name === "string");
  } catch {
    return [];
  }
}

/**
 * A file on a server.
 * @throws {FileError} when it is not there, or comes incomplete.
 */
export async function fetchBytes(url: string, fetch: Fetch = globalThis.fetch): Promise<Uint8Array> {
  const response = await request(fetch, url, "GET");
  if (!response.ok) {
    throw new FileError({ where: url, expected: "a file", got: verbatim(`status ${response.status}`) });
  }
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new FileError({
      where: url,
      expected: "the whole file",
      got: verbatim("a connection that broke"),
      hint: "try again",
      cause,
    });
  }
}

async function request(fetch: Fetch, url: string, method: string): Promise<Response> {
  try {
    return await fetch(url, { method });
  } catch (cause) {
    throw new FileError({
      where: url,
      expected: "a server that answers",
      got: verbatim(cause instanceof Error ? cause.message : String(cause)),
      hint: "check the address and the connection; in a browser the server must allow this page (CORS)",
      cause,
    });
  }
}
