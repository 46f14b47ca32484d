import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { config, failure, hubTools, isWeights, useHub, vocab, weights } from "../../test/hub-fixture.ts";
import { commitOf, etagOf, startHub } from "../../test/hub-server.ts";
import { InterruptedError } from "../errors.ts";
import { downloadModel, downloadModelFiles } from "./hub.ts";
import { missingParts } from "./hub-selection.ts";

const at = useHub();
const { options, download, blobs, partial, weightsRequests } = hubTools(at);

describe("downloading", () => {
  test("takes config, vocabulary and the best form of the weights, in the Python library's layout", async () => {
    const { folder, name, files } = await downloadModelFiles("hfl/rbt3", options());
    const commit = commitOf(at.hub.files);
    expect(name).toBe("hfl/rbt3");
    expect(folder).toBe(join(at.cacheDir, "models--hfl--rbt3", "snapshots", commit));
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(readFileSync(join(at.cacheDir, "models--hfl--rbt3", "refs", "main"), "utf8")).toBe(commit);
    expect(readdirSync(blobs()).sort()).toEqual([config, vocab, weights].map(etagOf).sort());
    expect(files.find(({ path }) => path === "model.safetensors")).toEqual({
      path: "model.safetensors",
      sizeBytes: weights.length,
      sha256: createHash("sha256").update(weights).digest("hex"),
    });
  });

  test("downloads nothing twice, and only what changed", async () => {
    await download();
    const before = at.hub.fileRequests().length;
    await download();
    expect(at.hub.fileRequests().length).toBe(before);
    at.hub.files.set("config.json", Buffer.from('{"model_type":"bert","changed":1}'));
    const folder = await download();
    expect(at.hub.fileRequests().length).toBe(before + 1);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toContain("changed");
    expect(readFileSync(join(folder, "vocab.txt")).equals(vocab)).toBe(true);
  });

  test("takes further files by pattern, and any revision", async () => {
    const folder = await download({ files: ["*.md", "pytorch_*"], revision: "refs/pr/1" });
    expect(readdirSync(folder)).toContain("README.md");
    expect(readdirSync(folder)).toContain("pytorch_model.bin");
    expect(at.hub.seen[0]?.path).toContain("/api/models/hfl/rbt3/revision/refs%2Fpr%2F1");
    expect(existsSync(join(at.cacheDir, "models--hfl--rbt3", "refs", "refs", "pr", "1"))).toBe(true);
  });

  test("takes what sentence-transformers says of the vectors, which is no config of the model", async () => {
    const small = ["1_Pooling/config.json", "config_sentence_transformers.json", "modules.json", "task.json"];
    for (const path of [...small, "sentence_bert_config.json"]) at.hub.files.set(path, Buffer.from("{}"));
    at.hub.files.set("2_Dense/model.safetensors", Buffer.from("no weights of the model"));
    const { files } = await downloadModelFiles("hfl/rbt3", options());
    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(small));
    expect(files.map(({ path }) => path)).not.toContain("2_Dense/model.safetensors");
    expect(missingParts([...small, "sentence_bert_config.json", "vocab.txt", "model.safetensors"])).toEqual([
      "config.json",
    ]);
  });

  test("resolves the zoo's aliases", async () => {
    await download({}, "bert-base-chinese");
    expect(at.hub.fileRequests()[0]?.path).toMatch(/^\/google-bert\/bert-base-chinese\/resolve\//);
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
    at.hub.files = new Map([
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
    at.hub.files = new Map(["bert_config.json", "vocab.txt", ...checkpoint, "x.zip"].map((path) => [path, small]));
    expect(readdirSync(await download()).sort()).toEqual(["bert_config.json", "vocab.txt", ...checkpoint].sort());
  });

  test("takes no other form of weights than the one that is there", async () => {
    const better = at.hub.files.get("model.safetensors") as Buffer;
    at.hub.files.delete("model.safetensors");
    const folder = await download();
    const commit = commitOf(at.hub.files);
    at.hub.misbehave = ({ path }, response) => {
      if (!path.includes("/revision/")) return false;
      response.end(JSON.stringify({ sha: commit }));
      return true;
    };
    at.hub.files.set("model.safetensors", better);
    expect(await download()).toBe(folder);
    expect(weightsRequests()).toEqual([]);
  });

  test("says what a repository without weights has", async () => {
    at.hub.files = new Map([["config.json", config]]);
    const error = await failure(download());
    expect(error.message).toContain("config.json");
    expect(error.hint).toContain("--include");
  });
});

describe("the cache", () => {
  test("serves offline, without a request", async () => {
    const folder = await download();
    const before = at.hub.seen.length;
    expect(await download({ offline: true })).toBe(folder);
    for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
      vi.stubEnv(name, "1");
      expect(await download()).toBe(folder);
      vi.stubEnv(name, "");
    }
    expect(at.hub.seen.length).toBe(before);
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
    at.hub.files.delete("model.safetensors");
    at.hub.files.set("pytorch_model-00001-of-00003.bin", config);
    at.hub.files.delete("pytorch_model.bin");
    await download();
    expect((await failure(download({ offline: true }))).message).toContain("2 of 3 files of the weights");
  });

  test("serves when the network is gone, and says so", async () => {
    const folder = await download();
    const { url: gone, close } = await startHub({});
    await close();
    expect(await download({ mirror: gone })).toBe(folder);
    // Asked once: there is something else to offer.
    expect(at.notes.length).toBe(1);
    expect(at.notes[0]).toContain("the cache's copy of hfl/rbt3 is used");
    expect((await failure(download({ mirror: gone, cacheDir: join(at.cacheDir, "other") }))).message).toContain(
      "the server refuses connections",
    );
  });

  test("serves a commit without asking: it never changes", async () => {
    const folder = await download();
    const before = at.hub.seen.length;
    expect(await download({ revision: commitOf(at.hub.files) })).toBe(folder);
    expect(at.hub.seen.length).toBe(before);
    rmSync(join(folder, "vocab.txt"));
    expect(await download({ revision: commitOf(at.hub.files) })).toBe(folder);
    expect(existsSync(join(folder, "vocab.txt"))).toBe(true);
  });

  test("is the Python library's: what that downloaded is found", async () => {
    const root = join(at.cacheDir, "models--bert-base-chinese");
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
    vi.stubEnv("XDG_CACHE_HOME", join(at.cacheDir, "xdg"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(
      join(at.cacheDir, "xdg", "huggingface", "hub", "models--"),
    );
    vi.stubEnv("HF_HOME", join(at.cacheDir, "home"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(join(at.cacheDir, "home", "hub", "models--"));
    vi.stubEnv("HF_HUB_CACHE", join(at.cacheDir, "cache"));
    expect(await downloadModel("hfl/rbt3", noFolder)).toContain(join(at.cacheDir, "cache", "models--"));
  });

  test("cannot be written to", async () => {
    writeFileSync(join(at.cacheDir, "file"), "");
    const error = await failure(download({ cacheDir: join(at.cacheDir, "file") }));
    expect(error.hint).not.toBe("");
  });

  test.skipIf(!existsSync("/dev/full"))("is on a full disk: says so", async () => {
    mkdirSync(blobs(), { recursive: true });
    symlinkSync("/dev/full", partial());
    const error = await failure(download());
    expect(error.message).toContain("got a full disk");
    expect(error.hint).toContain("the disk is full");
  });

  test.each(["../x", "a/b/c", "a/..", "a b", "a--b/c", ""])("takes %j for no name", async (name) => {
    expect((await failure(download({}, name))).message).toContain("the model's name");
    expect(at.hub.seen).toEqual([]);
  });

  test("takes no revision out of its folder", async () => {
    await failure(download({ revision: "../../x" }));
    expect(at.hub.seen).toEqual([]);
  });
});

describe("two at once", () => {
  test("another process: the second waits and downloads nothing", async () => {
    at.hub.misbehave = async ({ path }) => {
      if (isWeights(path)) await new Promise((done) => setTimeout(done, 1500));
      return false;
    };
    const script = new URL("../../test/download-child.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--import", "tsx", script, at.hub.url, at.cacheDir], { stdio: "inherit" });
    const ended = new Promise<number | null>((done) => child.on("exit", done));
    await vi.waitUntil(() => weightsRequests().length === 1, { timeout: 20_000 });
    const folder = await download();
    expect(await ended).toBe(0);
    expect(weightsRequests().length).toBe(1);
    expect(at.notes.join()).toContain("another process is downloading it");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("a lock of a process that is gone does not last", async () => {
    const lock = join(at.cacheDir, ".locks", "models--hfl--rbt3", "zhbert.lock");
    mkdirSync(lock, { recursive: true });
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    await download();
    expect(existsSync(lock)).toBe(false);
  });

  test("the wait for a lock ends with Ctrl-C", async () => {
    mkdirSync(join(at.cacheDir, ".locks", "models--hfl--rbt3", "zhbert.lock"), { recursive: true });
    const controller = new AbortController();
    const promise = download({ signal: controller.signal, onNote: () => controller.abort() });
    await expect(promise).rejects.toBeInstanceOf(InterruptedError);
  });
});

describe("Ctrl-C", () => {
  test("keeps the partial file and says how to go on", async () => {
    const controller = new AbortController();
    at.hub.misbehave = ({ path }, response) => {
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
    expect(at.hub.seen).toEqual([]);
  });
});
