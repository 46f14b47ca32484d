import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { commitOf, etagOf, startHub, type TestHub } from "../../test/hub-server.ts";
import { FileError, InterruptedError } from "../errors.ts";
import { type DownloadOptions, downloadModel, downloadModelFiles } from "./hub.ts";

const config = Buffer.from('{"model_type":"bert"}');
const vocab = Buffer.from("[PAD]\n[UNK]\n");
/** Large enough for several chunks of a stream. */
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const quick = { attempts: 4, firstWaitMs: 1, silenceMs: 400 };

let hub: TestHub;
let cacheDir: string;
let notes: string[];

beforeEach(async () => {
  for (const name of ["HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "HF_HUB_CACHE"]) {
    vi.stubEnv(name, "");
  }
  hub = await startHub({
    "config.json": config,
    "vocab.txt": vocab,
    "model.safetensors": weights,
    "pytorch_model.bin": Buffer.alloc(9000, 1),
    "README.md": Buffer.from("a card"),
  });
  cacheDir = mkdtempSync(join(tmpdir(), "zhbert-hub-"));
  notes = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(cacheDir, { recursive: true, force: true });
});

const options = (more: DownloadOptions = {}): DownloadOptions => ({
  mirror: hub.url,
  cacheDir,
  patience: quick,
  onNote: (text) => notes.push(text),
  ...more,
});
const download = (more?: DownloadOptions, name = "hfl/rbt3") => downloadModel(name, options(more));
const failure = async (promise: Promise<unknown>): Promise<FileError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
};
const blobs = () => join(cacheDir, "models--hfl--rbt3", "blobs");
const partial = () => join(blobs(), `${etagOf(weights)}.incomplete`);
const isWeights = (path: string) => path.endsWith("/model.safetensors");
const weightsRequests = () => hub.fileRequests().filter(({ path }) => isWeights(path));
/** Begins to send the weights as a hub does, and stops after some bytes. */
const cutAfter = (bytes: number) => (response: import("node:http").ServerResponse) => {
  response.writeHead(200, { etag: `"${etagOf(weights)}"`, "content-length": weights.length });
  response.write(weights.subarray(0, bytes), () => setTimeout(() => response.destroy(), 30));
};

describe("downloading", () => {
  test("takes config, vocabulary and the best form of the weights, in the Python library's layout", async () => {
    const { folder, name, files } = await downloadModelFiles("hfl/rbt3", options());
    const commit = commitOf(hub.files);
    expect(name).toBe("hfl/rbt3");
    expect(folder).toBe(join(cacheDir, "models--hfl--rbt3", "snapshots", commit));
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(readFileSync(join(cacheDir, "models--hfl--rbt3", "refs", "main"), "utf8")).toBe(commit);
    expect(readdirSync(blobs()).sort()).toEqual([config, vocab, weights].map(etagOf).sort());
    expect(files.find(({ path }) => path === "model.safetensors")).toEqual({
      path: "model.safetensors",
      sizeBytes: weights.length,
      sha256: createHash("sha256").update(weights).digest("hex"),
    });
  });

  test("downloads nothing twice, and only what changed", async () => {
    await download();
    const before = hub.fileRequests().length;
    await download();
    expect(hub.fileRequests().length).toBe(before);
    hub.files.set("config.json", Buffer.from('{"model_type":"bert","changed":1}'));
    const folder = await download();
    expect(hub.fileRequests().length).toBe(before + 1);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toContain("changed");
    expect(readFileSync(join(folder, "vocab.txt")).equals(vocab)).toBe(true);
  });

  test("takes further files by pattern, and any revision", async () => {
    const folder = await download({ files: ["*.md", "pytorch_*"], revision: "refs/pr/1" });
    expect(readdirSync(folder)).toContain("README.md");
    expect(readdirSync(folder)).toContain("pytorch_model.bin");
    expect(hub.seen[0]?.path).toContain("/api/models/hfl/rbt3/revision/refs%2Fpr%2F1");
    expect(existsSync(join(cacheDir, "models--hfl--rbt3", "refs", "refs", "pr", "1"))).toBe(true);
  });

  test("resolves the zoo's aliases", async () => {
    await download({}, "bert-base-chinese");
    expect(hub.fileRequests()[0]?.path).toMatch(/^\/google-bert\/bert-base-chinese\/resolve\//);
  });

  test("reports progress in bytes up to the sum of all files", async () => {
    const seen: number[] = [];
    let total = 0;
    await download({
      onProgress: ({ doneBytes, totalBytes }) => {
        seen.push(doneBytes);
        total = totalBytes;
      },
    });
    expect(total).toBe(config.length + vocab.length + weights.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(total);
    expect(seen.length).toBeGreaterThan(4);
  });

  test("takes shards with their index, and a TensorFlow checkpoint where there is nothing better", async () => {
    const shard = (n: number) => `pytorch_model-0000${n}-of-00002.bin`;
    const small = Buffer.from("{}");
    hub.files = new Map([
      ["config.json", config],
      ["vocab.txt", vocab],
      ["pytorch_model.bin.index.json", small],
      [shard(1), small],
      [shard(2), weights],
      ["tf_model.h5", small],
    ]);
    expect(readdirSync(await download()).sort()).toEqual(
      ["config.json", "pytorch_model.bin.index.json", shard(1), shard(2), "vocab.txt"].sort(),
    );
    const checkpoint = ["bert_model.ckpt.index", "bert_model.ckpt.meta", "bert_model.ckpt.data-00000-of-00001"];
    hub.files = new Map(["bert_config.json", "vocab.txt", ...checkpoint, "x.zip"].map((path) => [path, small]));
    expect(readdirSync(await download()).sort()).toEqual(["bert_config.json", "vocab.txt", ...checkpoint].sort());
  });

  test("takes no other form of weights than the one that is there", async () => {
    const better = hub.files.get("model.safetensors") as Buffer;
    hub.files.delete("model.safetensors");
    const folder = await download();
    const commit = commitOf(hub.files);
    hub.misbehave = ({ path }, response) => {
      if (!path.includes("/revision/")) return false;
      response.end(JSON.stringify({ sha: commit }));
      return true;
    };
    hub.files.set("model.safetensors", better);
    expect(await download()).toBe(folder);
    expect(weightsRequests()).toEqual([]);
  });

  test("says what a repository without weights has", async () => {
    hub.files = new Map([["config.json", config]]);
    const error = await failure(download());
    expect(error.message).toContain("config.json");
    expect(error.hint).toContain("--include");
  });
});

describe("a hub that misbehaves", () => {
  test("cuts in the middle: the rest is asked for by a range", async () => {
    hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 2) return false;
      if (count === 1) cutAfter(100_000)(response);
      else {
        const from = Number(/\d+/.exec(hub.seen.at(-1)?.headers.range ?? "")?.[0]);
        const range = `bytes ${from}-${weights.length - 1}/${weights.length}`;
        response.writeHead(206, { "content-length": weights.length - from, "content-range": range });
        response.write(weights.subarray(from, from + 50_000), () => setTimeout(() => response.destroy(), 30));
      }
      return true;
    };
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(weightsRequests().map(({ headers }) => headers.range)).toEqual([
      undefined,
      "bytes=100000-",
      "bytes=150000-",
    ]);
    expect(weightsRequests()[1]?.headers["if-range"]).toBe(`"${etagOf(weights)}"`);
    expect(notes.join()).toContain("the connection was cut");
  });

  test("cuts again and again: what was gained counts, not the cuts", async () => {
    hub.misbehave = ({ path, headers }, response, count) => {
      if (!isWeights(path) || count > 8) return false;
      const from = Number(/\d+/.exec(headers.range ?? "0")?.[0]);
      const range = `bytes ${from}-${weights.length - 1}/${weights.length}`;
      response.writeHead(count === 1 ? 200 : 206, { "content-length": weights.length - from, "content-range": range });
      response.write(weights.subarray(from, from + 10_000), () => setTimeout(() => response.destroy(), 10));
      return true;
    };
    const folder = await download();
    expect(weightsRequests().length).toBe(9);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("is cut for good: the part is kept, and the next run goes on from it", async () => {
    hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path)) return false;
      if (count === 1) cutAfter(120_000)(response);
      else response.destroy();
      return true;
    };
    const error = await failure(download());
    expect(error.hint).toContain("kept");
    expect(readFileSync(partial()).length).toBe(120_000);
    hub.misbehave = () => false;
    const folder = await download();
    expect(weightsRequests().at(-1)?.headers.range).toBe("bytes=120000-");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(existsSync(partial())).toBe(false);
  });

  test("ignores ranges: the file starts anew and is right", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights.subarray(0, 1000));
    hub.misbehave = ({ path, headers }) => {
      if (isWeights(path)) delete headers.range;
      return false;
    };
    const folder = await download();
    expect(weightsRequests().length).toBe(1);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("has a damaged part from before: it is thrown away and asked for again", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), Buffer.alloc(1000, 255));
    const folder = await download();
    expect(weightsRequests().map(({ headers }) => headers.range)).toEqual(["bytes=1000-", undefined]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(notes.join()).toContain("starting anew");
  });

  test.each([
    ["of the whole length, but other bytes", weights.length],
    ["longer than the file", weights.length + 5],
  ])("has a part from before %s", async (_, length) => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), Buffer.alloc(length, 255));
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("has a whole part from before: nothing of it is asked for", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights);
    await download();
    expect(weightsRequests()).toEqual([]);
  });

  test("says 429 with Retry-After, and 500 twice", async () => {
    hub.misbehave = ({ path }, response, count) => {
      if (path.includes("/tree/") && count === 1) response.writeHead(429, { "retry-after": "0" }).end();
      else if (isWeights(path) && count <= 2) response.writeHead(500).end();
      else return false;
      return true;
    };
    await download();
    expect(notes[0]).toMatch(/status 429; trying again in 0 s/);
    expect(notes.filter((note) => note.includes("model.safetensors: status 500")).length).toBe(2);
  });

  test("asks to be left alone for too long", async () => {
    hub.misbehave = (_, response) => {
      response.writeHead(429, { "retry-after": "9999" }).end();
      return true;
    };
    expect((await failure(download())).message).toContain("it asks to wait 9999 s");
    expect(hub.seen.length).toBe(1);
  });

  test("waits until the date of a Retry-After", async () => {
    hub.misbehave = (_, response, count) => {
      if (count > 1) return false;
      response.writeHead(503, { "retry-after": new Date(Date.now() - 5000).toUTCString() }).end();
      return true;
    };
    await download();
    expect(notes[0]).toContain("trying again in 0 s");
  });

  test("announces a wrong length, too many or too few bytes: an error after some attempts, nothing in the cache", async () => {
    const answers: Record<string, (response: import("node:http").ServerResponse) => void> = {
      "announces 299999 bytes": (response) => {
        response.writeHead(200, { "content-length": weights.length - 1 }).end(weights.subarray(1));
      },
      "sent more than": (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" });
        response.end(Buffer.concat([weights, weights]));
      },
      "the connection was cut": (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" }).end(weights.subarray(0, 1000));
      },
    };
    for (const [message, respond] of Object.entries(answers)) {
      hub.misbehave = ({ path, headers }, response) => {
        if (!isWeights(path)) return false;
        delete headers.range;
        respond(response);
        return true;
      };
      expect((await failure(download())).message).toContain(message);
      expect(existsSync(join(blobs(), etagOf(weights)))).toBe(false);
    }
  });

  test("sends another part than asked for", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights.subarray(0, 1000));
    hub.misbehave = ({ path, headers }, response) => {
      if (!isWeights(path) || headers.range === undefined) return false;
      response.writeHead(206, { "content-range": `bytes 5-${weights.length - 1}/${weights.length}` });
      response.end(weights.subarray(5));
      return true;
    };
    const folder = await download();
    expect(notes.join()).toContain("another part");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("falls silent: the connection is given up and resumed", async () => {
    hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 1) return false;
      response.writeHead(200, { "content-length": weights.length });
      response.write(weights.subarray(0, 200_000));
      return true;
    };
    const folder = await download();
    expect(notes.join()).toContain("the server is silent");
    expect(weightsRequests()[1]?.headers.range).toBe("bytes=200000-");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("sends other bytes: the checksum says so and the partial file is deleted", async () => {
    for (const path of ["/model.safetensors", "/vocab.txt"]) {
      const bytes = Buffer.from(hub.files.get(path.slice(1)) ?? "");
      bytes[1] = (bytes[1] ?? 0) ^ 1;
      hub.misbehave = (request, response) => {
        if (!request.path.endsWith(path)) return false;
        response.writeHead(200, { "content-length": bytes.length }).end(bytes);
        return true;
      };
      rmSync(blobs(), { recursive: true, force: true });
      const error = await failure(download());
      expect(error.message).toContain("the checksum");
      expect(error.hint).toContain("deleted");
      expect(readdirSync(blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
    }
  });

  test("has another content from one try to the next: the model is listed anew", async () => {
    const changed = Buffer.from(weights).reverse();
    hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 1) return false;
      cutAfter(50_000)(response);
      hub.files.set("model.safetensors", changed);
      return true;
    };
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(changed)).toBe(true);
    expect(folder).toContain(commitOf(hub.files));
    expect(notes.join()).toContain("changed on the hub");
    expect(existsSync(partial())).toBe(false);
  });

  test("always has another content", async () => {
    hub.misbehave = ({ path }, response) => {
      if (!isWeights(path)) return false;
      response.writeHead(200, { etag: `"${"a".repeat(64)}"`, "content-length": weights.length }).end(weights);
      return true;
    };
    expect((await failure(download())).hint).toContain("--mirror");
  });

  test.each([
    ["a name above the folder", "../../evil.json"],
    ["an absolute name", "/etc/evil.json"],
    ["a Windows name", "..\\evil.json"],
    ["a drive", "C:evil.json"],
    ["an empty part", "a//b.json"],
    ["a line break", "a\nb.json"],
  ])("lists %s: nothing is written", async (_, path) => {
    hub.files.set(path, config);
    const error = await failure(download({ files: ["*"] }));
    expect(error.message).toContain("files inside of the repository");
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  test("lists no sizes or hashes", async () => {
    const listed = (entry: object) => {
      hub.misbehave = ({ path }, response) => {
        if (!path.includes("/tree/")) return false;
        response.end(JSON.stringify([{ type: "file", path: "config.json", ...entry }]));
        return true;
      };
    };
    listed({ size: -1, oid: "0".repeat(40) });
    expect((await failure(download())).message).toContain("the size of config.json");
    listed({ size: 1, oid: "../../x" });
    expect((await failure(download())).message).toContain("a SHA-1 or SHA-256");
  });

  test("redirects in circles, or to a file of this machine", async () => {
    for (const location of ["/api/models/again", "file:///etc/passwd"]) {
      hub.misbehave = (_, response) => {
        response.writeHead(302, { location }).end();
        return true;
      };
      expect((await failure(download())).message).toMatch(/redirect/);
    }
  });
});

describe("tokens", () => {
  test("are shown to the hub, and not to where it redirects", async () => {
    const seen: (string | undefined)[] = [];
    const storage = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200, { etag: '"of-the-storage"', "content-length": weights.length }).end(weights);
    });
    await new Promise<void>((done) => storage.listen(0, "127.0.0.1", done));
    const { port } = storage.address() as { port: number };
    hub.misbehave = ({ path }, response) => {
      if (!isWeights(path)) return false;
      const location = `http://127.0.0.1:${port}/bucket/object?signature=1`;
      response.writeHead(302, { location, "x-linked-etag": `"${etagOf(weights)}"` }).end();
      return true;
    };
    await download({ token: "hf_secret" });
    await new Promise((done) => storage.close(done));
    expect(seen).toEqual([undefined]);
    expect(new Set(hub.seen.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer hf_secret"]));
  });

  test("come from HF_TOKEN; a stored one is not for mirrors", async () => {
    vi.stubEnv("HF_TOKEN_PATH", join(cacheDir, "token"));
    writeFileSync(join(cacheDir, "token"), "hf_stored\n");
    await download();
    expect(hub.seen[0]?.headers.authorization).toBeUndefined();
    vi.stubEnv("HF_TOKEN", "hf_given");
    await download();
    expect(hub.seen.at(-1)?.headers.authorization).toBe("Bearer hf_given");
  });

  test.each([
    [401, "RepoNotFound", undefined, "no such model, or a private one", "HF_TOKEN"],
    [401, "", "hf_x", "the token is not valid", "check the token"],
    [403, "GatedRepo", "hf_x", "the model is gated", "conditions at https://huggingface.co/hfl/rbt3"],
    [401, "GatedRepo", undefined, "the model is gated", "HF_TOKEN"],
    [403, "", "hf_x", "your account may not read it", "ask the owner"],
    [404, "RevisionNotFound", undefined, "no such revision", "--revision"],
    [404, "RepoNotFound", "hf_x", "no such model", "zhbert models"],
  ])("status %i %s: says what to do", async (status, code, token, got, hint) => {
    hub.misbehave = (_, response) => {
      response.writeHead(status, { "x-error-code": code }).end("no");
      return true;
    };
    const error = await failure(download({ token }));
    expect(error.message).toContain(got);
    expect(error.hint).toContain(hint);
    expect(hub.seen.length).toBe(1);
    expect(error.message + error.hint).not.toContain("hf_x");
  });
});

describe("the cache", () => {
  test("serves offline, without a request", async () => {
    const folder = await download();
    const before = hub.seen.length;
    expect(await download({ offline: true })).toBe(folder);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await download()).toBe(folder);
    expect(hub.seen.length).toBe(before);
  });

  test("offline, names what is missing", async () => {
    expect((await failure(download({ offline: true }))).message).toContain("nothing of it in");
    const folder = await download();
    rmSync(join(folder, "vocab.txt"));
    const error = await failure(download({ offline: true }));
    expect(error.message).toContain("without vocab.txt");
    expect(error.hint).toContain("zhbert download");
    rmSync(join(blobs(), etagOf(weights)));
    expect((await failure(download({ offline: true }))).message).toContain("without vocab.txt, the weights");
  });

  test("offline, misses shards", async () => {
    hub.files.delete("model.safetensors");
    hub.files.set("pytorch_model-00001-of-00003.bin", config);
    hub.files.delete("pytorch_model.bin");
    await download();
    expect((await failure(download({ offline: true }))).message).toContain("2 of 3 files of the weights");
  });

  test("serves when the network is gone, and says so", async () => {
    const folder = await download();
    const { url: gone, close } = await startHub({});
    await close();
    expect(await download({ mirror: gone })).toBe(folder);
    // Asked once: there is something else to offer.
    expect(notes.length).toBe(1);
    expect(notes[0]).toContain("the cache's copy of hfl/rbt3 is used");
    expect((await failure(download({ mirror: gone, cacheDir: join(cacheDir, "other") }))).message).toContain(
      "the server refuses connections",
    );
  });

  test("serves a commit without asking: it never changes", async () => {
    const folder = await download();
    const before = hub.seen.length;
    expect(await download({ revision: commitOf(hub.files) })).toBe(folder);
    expect(hub.seen.length).toBe(before);
    rmSync(join(folder, "vocab.txt"));
    expect(await download({ revision: commitOf(hub.files) })).toBe(folder);
    expect(existsSync(join(folder, "vocab.txt"))).toBe(true);
  });

  test("is the Python library's: what that downloaded is found", async () => {
    const root = join(cacheDir, "models--bert-base-chinese");
    const commit = "c".repeat(40);
    for (const folder of ["refs", "blobs", `snapshots/${commit}`]) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, "refs", "main"), commit);
    for (const [path, bytes] of Object.entries({
      "config.json": config,
      "vocab.txt": vocab,
      "pytorch_model.bin": weights,
    })) {
      writeFileSync(join(root, "blobs", etagOf(bytes)), bytes);
      symlinkSync(join("..", "..", "blobs", etagOf(bytes)), join(root, "snapshots", commit, path));
    }
    expect(await download({ offline: true }, "bert-base-chinese")).toBe(join(root, "snapshots", commit));
  });

  test("is where HF_HUB_CACHE, HF_HOME or XDG_CACHE_HOME say", async () => {
    const { cacheDir: _, ...noFolder } = options();
    vi.stubEnv("HF_HUB_CACHE", undefined);
    vi.stubEnv("HUGGINGFACE_HUB_CACHE", undefined);
    vi.stubEnv("HF_HOME", undefined);
    vi.stubEnv("XDG_CACHE_HOME", join(cacheDir, "xdg"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(
      join(cacheDir, "xdg", "huggingface", "hub", "models--"),
    );
    vi.stubEnv("HF_HOME", join(cacheDir, "home"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(join(cacheDir, "home", "hub", "models--"));
    vi.stubEnv("HF_HUB_CACHE", join(cacheDir, "cache"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(join(cacheDir, "cache", "models--"));
  });

  test("cannot be written to", async () => {
    writeFileSync(join(cacheDir, "file"), "");
    const error = await failure(download({ cacheDir: join(cacheDir, "file") }));
    expect(error.hint).not.toBe("");
  });

  test.skipIf(!existsSync("/dev/full"))("is on a full disk: says so", async () => {
    mkdirSync(blobs(), { recursive: true });
    symlinkSync("/dev/full", partial());
    const error = await failure(download());
    expect(error.message).toContain("ENOSPC");
    expect(error.hint).toContain("the disk is full");
  });

  test.each(["../x", "a/b/c", "a/..", "a b", "a--b/c", ""])("takes %j for no name", async (name) => {
    expect((await failure(download({}, name))).message).toContain("the model's name");
    expect(hub.seen).toEqual([]);
  });

  test("takes no revision out of its folder", async () => {
    await failure(download({ revision: "../../x" }));
    expect(hub.seen).toEqual([]);
  });
});

describe("two at once", () => {
  test("another process: the second waits and downloads nothing", async () => {
    hub.misbehave = async ({ path }) => {
      if (isWeights(path)) await new Promise((done) => setTimeout(done, 1500));
      return false;
    };
    const script = new URL("../../test/download-child.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--import", "tsx", script, hub.url, cacheDir], { stdio: "inherit" });
    const ended = new Promise<number | null>((done) => child.on("exit", done));
    await vi.waitUntil(() => weightsRequests().length === 1, { timeout: 20_000 });
    const folder = await download({ patience: { ...quick, silenceMs: 10_000 } });
    expect(await ended).toBe(0);
    expect(weightsRequests().length).toBe(1);
    expect(notes.join()).toContain("another process is downloading it");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("a lock of a process that is gone does not last", async () => {
    const lock = join(cacheDir, ".locks", "models--hfl--rbt3", "zhbert.lock");
    mkdirSync(lock, { recursive: true });
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    await download();
    expect(existsSync(lock)).toBe(false);
  });

  test("the wait for a lock ends with Ctrl-C", async () => {
    mkdirSync(join(cacheDir, ".locks", "models--hfl--rbt3", "zhbert.lock"), { recursive: true });
    const controller = new AbortController();
    const promise = download({ signal: controller.signal, onNote: () => controller.abort() });
    await expect(promise).rejects.toBeInstanceOf(InterruptedError);
  });
});

describe("Ctrl-C", () => {
  test("keeps the partial file and says how to go on", async () => {
    const controller = new AbortController();
    hub.misbehave = ({ path }, response) => {
      if (!isWeights(path)) return false;
      response.writeHead(200, { "content-length": weights.length });
      response.write(weights.subarray(0, 64_000));
      return true;
    };
    const promise = download({
      signal: controller.signal,
      onProgress: ({ path, doneBytes }) => {
        if (path === "model.safetensors" && doneBytes > 60_000) controller.abort();
      },
    });
    const error = await promise.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InterruptedError);
    expect((error as InterruptedError).hint).toContain("run the same command again");
    expect(readFileSync(partial()).equals(weights.subarray(0, 64_000))).toBe(true);
  });

  test("before the start asks for nothing", async () => {
    await expect(download({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(InterruptedError);
    expect(hub.seen).toEqual([]);
  });
});

describe("ModelScope", () => {
  test("is asked by its own addresses; its token is a cookie", async () => {
    vi.stubEnv("MODELSCOPE_API_TOKEN", "ms-secret");
    const { folder, files } = await downloadModelFiles("dienstag/rbt3", options({ source: "modelscope" }));
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
    expect(files.every(({ sha256 }) => sha256?.length === 64)).toBe(true);
    expect(hub.seen[0]?.path).toBe("/api/v1/models/dienstag/rbt3/repo/files?Revision=master&Recursive=true");
    expect(hub.fileRequests()[0]?.path).toBe("/api/v1/models/dienstag/rbt3/repo?Revision=master&FilePath=config.json");
    expect(hub.seen[0]?.headers.cookie).toBe("m_session_id=ms-secret");
    expect(hub.seen[0]?.headers.authorization).toBeUndefined();
    expect(await downloadModel("dienstag/rbt3", options({ source: "modelscope", offline: true }))).toBe(folder);
  });

  test("goes on after a cut, and tells what it answered", async () => {
    hub.misbehave = ({ path }, response, count) => {
      if (!path.includes("FilePath=model.safetensors") || count > 1) return false;
      cutAfter(70_000)(response);
      return true;
    };
    await download({ source: "modelscope" });
    expect(hub.fileRequests().at(-1)?.headers.range).toBe("bytes=70000-");
    hub.misbehave = (_, response) => {
      response.end(JSON.stringify({ Code: 10010205001, Message: "the model is not found", Data: null }));
      return true;
    };
    expect((await failure(download({ source: "modelscope" }, "a/b"))).message).toContain("the model is not found");
  });
});

describe("proxies", () => {
  test("of the environment are used, but not for NO_PROXY", async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(403).end();
    });
    proxy.on("connect", (request, socket) => {
      asked.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
    vi.stubEnv("http_proxy", `http://127.0.0.1:${(proxy.address() as { port: number }).port}`);
    vi.stubEnv("no_proxy", "");
    await failure(download());
    expect(asked.length).toBeGreaterThan(0);
    expect(asked[0]).toContain(new URL(hub.url).host);
    const before = asked.length;
    vi.stubEnv("no_proxy", "127.0.0.1");
    await download();
    expect(asked.length).toBe(before);
    await new Promise((done) => proxy.close(done));
  });
});
