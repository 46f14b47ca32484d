/** A hub on this machine, made of a few files, that can be told to misbehave: what the tests of the client talk to. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What came in. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** Answers a request instead of the hub; false lets the hub answer. */
export type Misbehaviour = (
  request: SeenRequest,
  response: ServerResponse,
  count: number,
) => boolean | Promise<boolean>;

/** A hub that runs. */
export interface TestHub {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** The files of the model, which tests change. */
  files: Map<string, Buffer>;
  /** Asked first, for each request; `count` is how often this path was asked for. */
  misbehave: Misbehaviour;
  /** How often files were asked for. */
  fileRequests(): SeenRequest[];
  close(): Promise<void>;
}

/** Files of at least this size are in LFS: named by their SHA-256. */
const LFS_BYTES = 5000;

/** The hash by which the hub names a content. */
export function etagOf(bytes: Buffer): string {
  if (bytes.length >= LFS_BYTES) return createHash("sha256").update(bytes).digest("hex");
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** The commit of a set of files. */
export function commitOf(files: ReadonlyMap<string, Buffer>): string {
  const lines = [...files].map(([path, bytes]) => `${path} ${etagOf(bytes)}`);
  return createHash("sha1").update(lines.join("\n")).digest("hex");
}

/** Starts a hub that has one model under any name, as Hugging Face's and as ModelScope's. */
export async function startHub(files: Readonly<Record<string, Buffer>>): Promise<TestHub> {
  const counts = new Map<string, number>();
  const server: Server = createServer(async (request, response) => {
    const path = decodeURI(request.url ?? "");
    const seen = { path, headers: request.headers };
    hub.seen.push(seen);
    counts.set(path, (counts.get(path) ?? 0) + 1);
    if (await hub.misbehave(seen, response, counts.get(path) ?? 0)) return;
    answer(hub, seen, request.method ?? "GET", response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const hub: TestHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    files: new Map(Object.entries(files)),
    misbehave: () => false,
    fileRequests: () => hub.seen.filter(({ path }) => path.includes("/resolve/") || path.includes("FilePath=")),
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return hub;
}

function answer(hub: TestHub, { path, headers }: SeenRequest, method: string, response: ServerResponse): void {
  const [route = "", query = ""] = path.split("?");
  const listing = listingFor(hub, route);
  if (listing !== undefined) {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(listing));
    return;
  }
  const wanted = route.endsWith("/repo")
    ? new URLSearchParams(query).get("FilePath")
    : route.split(/\/resolve\/[^/]+\//)[1];
  const bytes = hub.files.get(wanted ?? "");
  if (bytes === undefined) {
    response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
    return;
  }
  sendFile(hub, bytes, headers, method, response);
}

function listingFor(hub: TestHub, route: string): object | undefined {
  const isApi = route.startsWith("/api/models/");
  if (isApi && route.includes("/revision/")) return { _id: "1", id: "x", sha: commitOf(hub.files) };
  if (isApi && route.includes("/tree/")) return [...hub.files].map(treeEntry);
  if (route.endsWith("/repo/files")) return { Code: 200, Data: { Files: [...hub.files].map(scopeEntry) } };
  return undefined;
}

function treeEntry([path, bytes]: [string, Buffer]): object {
  const common = { type: "file", path, size: bytes.length };
  if (bytes.length < LFS_BYTES) return { ...common, oid: etagOf(bytes) };
  return { ...common, oid: "0".repeat(40), lfs: { oid: etagOf(bytes), size: bytes.length, pointerSize: 130 } };
}

function scopeEntry([path, bytes]: [string, Buffer]): object {
  const Sha256 = createHash("sha256").update(bytes).digest("hex");
  return { Type: "blob", Path: path, Name: path, Size: bytes.length, Sha256 };
}

/** A file with ranges, If-Range and the hub's headers. */
function sendFile(
  hub: TestHub,
  bytes: Buffer,
  headers: IncomingMessage["headers"],
  method: string,
  response: ServerResponse,
): void {
  const etag = `"${etagOf(bytes)}"`;
  const common = { etag, "x-repo-commit": commitOf(hub.files), "accept-ranges": "bytes" };
  const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? -1);
  const isFresh = headers["if-range"] === undefined || headers["if-range"] === etag;
  if (from < 0 || !isFresh) response.writeHead(200, { ...common, "content-length": bytes.length });
  else {
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { ...common, "content-length": bytes.length - from, "content-range": range });
  }
  response.end(method === "HEAD" ? undefined : bytes.subarray(Math.max(0, from)));
}
