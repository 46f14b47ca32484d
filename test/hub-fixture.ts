/** What the tests of the hub's client share: a hub with one model, a cache folder, and quick patience. */
import { mkdtempSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { FileError } from "../src/errors.ts";
import { type DownloadOptions, downloadModel } from "../src/node/hub.ts";
import { etagOf, type SeenRequest, startHub, type TestHub } from "./hub-server.ts";

/** The files of the model. */
export const config = Buffer.from('{"model_type":"bert"}');
export const vocab = Buffer.from("[PAD]\n[UNK]\n");
/** Large enough for several chunks of a stream. */
export const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));

/** Patience for a hub on this machine. */
export const quick = { attempts: 4, firstWaitMs: 1, silenceMs: 10_000 };

/** The hub and the cache of the running test. */
export interface HubTest {
  hub: TestHub;
  cacheDir: string;
  /** What the client told its user. */
  notes: string[];
}

/** Starts a hub before each test and removes all after it. */
export function useHub(): HubTest {
  const current = {} as HubTest;
  beforeEach(async () => {
    for (const name of ["HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "HF_HUB_CACHE"]) {
      vi.stubEnv(name, "");
    }
    current.hub = await startHub({
      "config.json": config,
      "vocab.txt": vocab,
      "model.safetensors": weights,
      "pytorch_model.bin": Buffer.alloc(9000, 1),
      "README.md": Buffer.from("a card"),
    });
    current.cacheDir = mkdtempSync(join(tmpdir(), "zhbert-hub-"));
    current.notes = [];
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await current.hub.close();
    rmSync(current.cacheDir, { recursive: true, force: true });
  });
  return current;
}

/** Helpers that see the test's hub and cache. */
export function hubTools(at: HubTest) {
  const options = (more: DownloadOptions = {}): DownloadOptions => ({
    mirror: at.hub.url,
    cacheDir: at.cacheDir,
    patience: quick,
    onNote: (text) => at.notes.push(text),
    ...more,
  });
  const blobs = () => join(at.cacheDir, "models--hfl--rbt3", "blobs");
  return {
    options,
    download: (more?: DownloadOptions, name = "hfl/rbt3") => downloadModel(name, options(more)),
    /** The folder of the model's blobs. */
    blobs,
    /** Where the weights lie until they are whole. */
    partial: () => join(blobs(), `${etagOf(weights)}.incomplete`),
    weightsRequests: (): SeenRequest[] => at.hub.fileRequests().filter(({ path }) => isWeights(path)),
  };
}

/** Whether a path asks for the weights. */
export const isWeights = (path: string): boolean => path.endsWith("/model.safetensors");

/** The FileError that a promise fails with. */
export async function failure(promise: Promise<unknown>): Promise<FileError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
}

/** Begins to send the weights as a hub does, and cuts the connection after some bytes. */
export function cutAfter(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { etag: `"${etagOf(weights)}"`, "content-length": weights.length });
  response.write(weights.subarray(0, bytes), () => setTimeout(() => response.destroy(), 30));
}
