/** The files of a model on the web: a folder of a server (a hub's `resolve/main`), of which the usual names are looked for. */
import { bytesSource, type ModelFiles, noSuchFile } from "../checkpoint/source.ts";
import { FileError, verbatim } from "../errors.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init?: { readonly method?: string }) => Promise<Response>;

/** What is looked for; a server need not list its files. Of the weights the first that is there is taken. */
const SMALL_FILES = ["config.json", "bert_config.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt"];
const WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/**
 * The files of a folder on a server; each is fetched whole when it is opened.
 * @param url - of the folder. @param fetch - the web's own, or another.
 * @throws {FileError} when the server does not answer.
 */
export async function urlFiles(url: string, fetch: Fetch = globalThis.fetch): Promise<ModelFiles> {
  const base = url.endsWith("/") ? url : `${url}/`;
  const isThere = async (name: string) => (await request(fetch, base + name, "HEAD")).ok;
  const smallFiles = await Promise.all(SMALL_FILES.map(isThere));
  const paths = SMALL_FILES.filter((_, i) => smallFiles[i]);
  for (const name of WEIGHTS) {
    if (!(await isThere(name))) continue;
    paths.push(name);
    if (name.endsWith(".json")) paths.push(...(await shardsOf(fetch, base + name)));
    break;
  }
  return {
    name: url,
    paths,
    async open(path) {
      if (!paths.includes(path)) throw noSuchFile(url, path, paths);
      return bytesSource(path, await fetchBytes(base + path, fetch));
    },
  };
}

/** The shards that an index on a server names; the index itself is checked when it is opened. */
async function shardsOf(fetch: Fetch, url: string): Promise<string[]> {
  const text = new TextDecoder().decode(await fetchBytes(url, fetch));
  try {
    return [...new Set(Object.values(JSON.parse(text).weight_map as Record<string, string>))];
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
