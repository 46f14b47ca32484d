/** Models from their files: whose names, layouts and places differ, and which lack something. */
import { afterAll, describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { memoryFiles } from "../checkpoint/source.ts";
import { configToJson, parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { BertModel } from "./bert-model.ts";
import { loadModel, openModel } from "./load-model.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."今天气很好", "abc"]);
const config = parseConfig(
  {
    vocab_size: vocabulary.size,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 12,
  },
  "config.json",
);
const weights = initializeWeights({ ...config, initializerRange: 1 }, new Random(3), { nextSentence: true });
const bytes = (text: string) => new TextEncoder().encode(text);
const safetensors = new Uint8Array(Buffer.concat(writeSafetensors(weights)));
const configJson = bytes(JSON.stringify(configToJson(config)));
const complete = {
  "config.json": configJson,
  "vocab.txt": bytes(vocabulary.toText()),
  "model.safetensors": safetensors,
};
const files = (byPath: Record<string, Uint8Array>) => memoryFiles("model", new Map(Object.entries(byPath)));
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(complete).filter(([name]) => !names.includes(name)));
const inside = (folder: string, byPath: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(byPath).map(([path, content]) => [`${folder}/${path}`, content]));

describe("loadModel", () => {
  test("finds config, vocabulary and weights, and computes as the model in memory does", async () => {
    const loaded = await BertModel.fromPretrained(files(complete), { runtime });
    const made = new BertModel({
      config,
      weights: lazyTensors(weights),
      tokenizer: new BertTokenizer(vocabulary),
      runtime,
    });
    expect(await loaded.fillMask(["今天[MASK]"])).toEqual(await made.fillMask(["今天[MASK]"]));
  });

  test("of several checkpoints of a format one is read and the others are named; a model in a folder below is none of it", async () => {
    const several = { ...without("model.safetensors"), "b.safetensors": safetensors, "a.safetensors": safetensors };
    const { where, notes } = await loadModel(files({ ...several, "roberta/merges.txt": bytes("") }));
    expect(where).toBe("model/b.safetensors");
    expect(notes).toEqual(["b.safetensors is read; name the file to read another one: a.safetensors"]);
    const named = await loadModel(files(several), { checkpoint: "a.safetensors" });
    expect([named.where, named.notes]).toEqual(["model/a.safetensors", []]);
  });

  test.each<[string, Record<string, Uint8Array>]>([
    ["in a folder of a download", inside("chinese_wwm", complete)],
    ["with Google's name of the config", { ...without("config.json"), "bert_config.json": configJson }],
    [
      "with the config in the folder above",
      { ...inside("checkpoint-5", without("config.json")), "config.json": configJson },
    ],
    [
      "where a checkpoint of a run lies deeper",
      { ...complete, ...inside("checkpoint-5", { "model.safetensors": bytes("not read") }) },
    ],
  ])("finds them %s", async (_, byPath) => {
    const loaded = await loadModel(files(byPath));
    expect([loaded.config, loaded.tokenizer.vocabulary.size, loaded.named.tensors.size]).toEqual([
      config,
      vocabulary.size,
      weights.size,
    ]);
  });

  test("takes the checkpoint that is named", async () => {
    const both = { ...complete, "other.safetensors": new Uint8Array(Buffer.concat(writeSafetensors(new Map()))) };
    expect((await openModel(files(both))).named.tensors.size).toBe(weights.size);
    expect((await openModel(files(both), { checkpoint: "other.safetensors" })).named.tensors.size).toBe(0);
  });

  test.each<[string, Record<string, Uint8Array>, string]>([
    ["no weights", without("model.safetensors"), "model: expected weights as safetensors"],
    ["no config", without("config.json"), "model/model.safetensors: expected a config.json"],
    ["no vocabulary", without("vocab.txt"), "model/model.safetensors: expected a vocab.txt or tokenizer.json"],
    ["a config that is no JSON", { ...complete, "config.json": bytes("{") }, "config.json: expected JSON"],
    [
      "a vocabulary that is not UTF-8",
      { ...complete, "vocab.txt": Uint8Array.of(0xff) },
      "vocab.txt: byte 0: expected text",
    ],
  ])("%s is an error that says so", async (_, byPath, message) => {
    await expect(loadModel(files(byPath))).rejects.toThrow(message);
  });
});

test("errors name the file with the model's folder: of another family's config, and of a vocabulary too large", async () => {
  const albert = bytes(JSON.stringify({ ...configToJson(config), model_type: "albert", embedding_size: 4 }));
  await expect(loadModel(files({ ...complete, "config.json": albert }))).rejects.toThrow(
    "model/config.json: expected the config of a BERT, got that of ALBERT",
  );
  const more = bytes(`${vocabulary.toText()}又\n`);
  await expect(BertModel.fromPretrained(files({ ...complete, "vocab.txt": more }), { runtime })).rejects.toThrow(
    `model/model.safetensors: config: vocab_size: expected ${vocabulary.size + 1} or more`,
  );
});

describe("lower-casing", () => {
  const tokens = async (byPath: Record<string, Uint8Array>) =>
    (await loadModel(files({ ...complete, ...byPath }))).tokenizer.tokenize("ABC");
  const cased = bytes(JSON.stringify(new BertTokenizer(vocabulary, { lowercase: false }).toTokenizerJson()));

  test("is what tokenizer_config.json says, else on where the vocabulary has no capitals", async () => {
    expect(await tokens({})).toEqual(["abc"]);
    expect(await tokens({ "tokenizer_config.json": bytes('{"do_lower_case":false}') })).toEqual(["[UNK]"]);
    expect(await tokens({ "vocab.txt": bytes(vocabulary.toText().replace("abc", "ABC")) })).toEqual(["ABC"]);
  });

  test("a tokenizer.json that contradicts it is overruled with a note, as in Transformers", async () => {
    expect(await tokens({ "tokenizer.json": cased })).toEqual(["abc"]);
    const off = { "tokenizer.json": cased, "tokenizer_config.json": bytes('{"do_lower_case":false}') };
    expect(await tokens(off)).toEqual(["[UNK]"]);
    const { notes } = await loadModel(files({ ...complete, "tokenizer.json": cased }));
    expect(notes.join()).toContain("tokenizer.json says lowercase: false; text is lower-cased");
    expect((await loadModel(files({ ...complete, ...off }))).notes).toEqual([]);
  });
});

describe("fromPretrained over the web", () => {
  const asked: string[] = [];
  const serve =
    (byPath: Record<string, Uint8Array>) =>
    async (url: string, init?: { method?: string }): Promise<Response> => {
      asked.push(`${init?.method} ${url}`);
      const found = byPath[url.replace("https://models.example/rbt/", "")];
      return new Response(init?.method === "HEAD" ? null : ((found as Uint8Array<ArrayBuffer> | undefined) ?? null), {
        status: found ? 200 : 404,
      });
    };

  test("fetches the files of a folder, and no more than it needs", async () => {
    const model = await BertModel.fromPretrained("https://models.example/rbt", { runtime, fetch: serve(complete) });
    expect(model.report.missing).toEqual([]);
    expect(asked.filter((line) => line.startsWith("GET")).sort()).toEqual(
      ["config.json", "model.safetensors", "vocab.txt"].map((name) => `GET https://models.example/rbt/${name}`),
    );
  });

  test("fetches shards by their index", async () => {
    const half = (keep: (i: number) => boolean) => new Map([...weights].filter((_, i) => keep(i)));
    const [a, b] = [half((i) => i < 9), half((i) => i >= 9)];
    const weightMap = Object.fromEntries([
      ...[...a.keys()].map((name) => [name, "a.safetensors"]),
      ...[...b.keys()].map((name) => [name, "b.safetensors"]),
    ]);
    const sharded = {
      ...without("model.safetensors"),
      "model.safetensors.index.json": bytes(JSON.stringify({ weight_map: weightMap })),
      "a.safetensors": new Uint8Array(Buffer.concat(writeSafetensors(a))),
      "b.safetensors": new Uint8Array(Buffer.concat(writeSafetensors(b))),
    };
    const url = new URL("https://models.example/rbt/");
    const model = await BertModel.fromPretrained(url, { runtime, fetch: serve(sharded) });
    expect(model.report.loaded).toHaveLength(weights.size);
  });

  test("a server that does not answer, or has no model, is an error with its address", async () => {
    const silent = () => Promise.reject(new TypeError("connection refused"));
    await expect(BertModel.fromPretrained("https://models.example/rbt", { runtime, fetch: silent })).rejects.toThrow(
      "https://models.example/rbt/config.json: expected a server that answers, got connection refused",
    );
    await expect(BertModel.fromPretrained("https://models.example/rbt", { runtime, fetch: serve({}) })).rejects.toThrow(
      "https://models.example/rbt: expected weights as",
    );
  });
});
