/** Folders on servers: which of their files are found, and how servers say that one is not there. */
import { describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import tensorflow from "../checkpoint/formats/tensorflow.ts";
import { CheckpointError, FileError } from "../errors.ts";
import { hostTensor } from "../util/tensor.ts";
import { type Fetch, urlFiles } from "./url-files.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const tensors = lazyTensors(new Map([["global_step", hostTensor("int64", [], BigInt64Array.of(3n))]]));

/** The files of a TensorFlow checkpoint, by their names with another prefix. */
function tensorflowFiles(prefix = "bert_model.ckpt"): Record<string, Uint8Array> {
  const files = [...(tensorflow.write?.(tensors) ?? [])];
  return Object.fromEntries(
    files.map(({ path, chunks }) => [
      path.replace("bert_model.ckpt", prefix),
      new Uint8Array(Buffer.concat([...chunks])),
    ]),
  );
}

/** A server with some files at some addresses. */
function server(files: Readonly<Record<string, Uint8Array>>, missing: () => Response): Fetch {
  return async (url, init) => {
    const found = files[url] as Uint8Array<ArrayBuffer> | undefined;
    if (found === undefined) return missing();
    return new Response(init?.method === "HEAD" ? null : found);
  };
}

const notFound = () => new Response(null, { status: 404 });
const at = (base: string, files: Record<string, Uint8Array>, query = "") =>
  Object.fromEntries(Object.entries(files).map(([path, content]) => [`${base}/${path}${query}`, content]));

describe("the files of a folder on a server", () => {
  test.each([
    ["model.safetensors", "pytorch_model.bin"],
    ["pytorch_model.bin", "tf_model.h5"],
    ["model_state.pdparams"],
    ["tf_model.h5"],
  ])("are the small ones and one checkpoint: %s", async (...weights) => {
    const names = ["model_config.json", "vocab.txt", "task.json", ...weights];
    const files = Object.fromEntries(names.map((name) => [name, bytes(name)]));
    const found = await urlFiles("https://a.example/m", { fetch: server(at("https://a.example/m", files), notFound) });
    expect(found.paths).toEqual(names.slice(0, 4));
    const source = await found.open(weights[0] as string);
    expect(source.slice(0, source.size)).toEqual(bytes(weights[0] as string));
  });

  test("are those of a TensorFlow checkpoint with its data", async () => {
    const fetch = server(at("https://a.example/m", tensorflowFiles()), notFound);
    const files = await urlFiles("https://a.example/m/", { fetch });
    const { tensors: read } = await tensorflow.open(files, "bert_model.ckpt.index");
    expect(read.get("global_step")?.read().data).toEqual(BigInt64Array.of(3n));
  });

  test("are found under the name of the checkpoint that is meant", async () => {
    const step = tensorflowFiles("model.ckpt-200");
    const fetch = server(at("https://a.example/m", { ...step, "model.safetensors": bytes("") }), notFound);
    const { paths } = await urlFiles("https://a.example/m", { fetch, checkpoint: "model.ckpt-200.index" });
    expect(paths).toEqual(["model.ckpt-200.index", "model.ckpt-200.data-00000-of-00001"]);
  });

  test("keep the query of the folder's address, and drop what follows #", async () => {
    const files = at("https://a.example/m", { "config.json": bytes("{}") }, "?token=1");
    const found = await urlFiles("https://a.example/m?token=1#top", { fetch: server(files, notFound) });
    expect(found.paths).toEqual(["config.json"]);
  });

  test.each([
    ["forbidden", () => new Response(null, { status: 403 })],
    [
      "a start page",
      () => new Response("<!doctype html>", { headers: { "content-type": "text/html; charset=utf-8" } }),
    ],
  ])("leave out what a server answers with: %s", async (_, missing) => {
    const fetch = server(at("https://a.example/m", { "config.json": bytes("{}") }), missing);
    expect((await urlFiles("https://a.example/m", { fetch })).paths).toEqual(["config.json"]);
  });

  test.each([401, 429, 503])("are not guessed when a server answers with status %i", async (status) => {
    const failing = server({}, () => new Response(null, { status }));
    const opened = urlFiles("https://a.example/m", { fetch: failing });
    await expect(opened).rejects.toThrow(`https://a.example/m/config.json: expected a file`);
    await expect(opened).rejects.toThrow(`status ${status}`);
    await expect(opened).rejects.toThrow(FileError);
  });

  test("of an index are names and nothing else; one of TensorFlow that is damaged is an error", async () => {
    const index = JSON.stringify({ weight_map: { a: "a.safetensors", b: 5, c: null } });
    const sharded = at("https://a.example/m", { "model.safetensors.index.json": bytes(index) });
    const { paths } = await urlFiles("https://a.example/m", { fetch: server(sharded, notFound) });
    expect(paths).toEqual(["model.safetensors.index.json", "a.safetensors"]);
    const damaged = at("https://a.example/m", { "bert_model.ckpt.index": bytes("not a table") });
    const opened = urlFiles("https://a.example/m", { fetch: server(damaged, notFound) });
    await expect(opened).rejects.toThrow(CheckpointError);
  });
});
