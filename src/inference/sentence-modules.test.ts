/** The settings of sentence-transformers beside a model: which vectors `embed` gives when nothing is asked for. */
import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "../../test/graph-checks.ts";
import { smallConfig, smallVocabulary, smallWeights } from "../../test/small-model.ts";
import { writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { memoryFiles } from "../checkpoint/source.ts";
import { configToJson } from "../model/config.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertModel } from "./bert-model.ts";
import { urlFiles } from "./url-files.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const complete = {
  "config.json": json(configToJson(smallConfig)),
  "vocab.txt": new TextEncoder().encode(smallVocabulary.toText()),
  "model.safetensors": new Uint8Array(Buffer.concat(writeSafetensors(smallWeights()))),
};
const PATHS: Record<string, string> = {
  Transformer: "",
  Pooling: "1_Pooling",
  Normalize: "2_Normalize",
  Dense: "2_Dense",
};
const modulesJson = (...kinds: string[]) =>
  json(
    kinds.map((kind, idx) => ({
      idx,
      name: `${idx}`,
      path: PATHS[kind],
      type: `sentence_transformers.models.${kind}`,
    })),
  );
const filesOf = (modules: Uint8Array, pooling?: object, more: Record<string, Uint8Array> = {}) => ({
  ...complete,
  "modules.json": modules,
  ...(pooling === undefined ? {} : { "1_Pooling/config.json": json(pooling) }),
  ...more,
});
const load = (byPath: Record<string, Uint8Array>) =>
  BertModel.fromPretrained(memoryFiles("model", new Map(Object.entries(byPath))), { runtime });
const text = "我爱北京的天气，他不在了，今天很好";
const vectorOf = async (model: BertModel, options = {}) => [
  ...((await model.embed([text], options))[0] as Float32Array),
];
/** As older files have it: every mode is named. */
const flags = (...on: string[]) =>
  Object.fromEntries(
    ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"].map(
      (mode) => [`pooling_mode_${mode}`, on.includes(mode)],
    ),
  );
const usual = await load(complete);

describe("the default of embed", () => {
  test("is the mean without modules.json", async () => {
    expect(usual.embedding).toEqual({ pooling: "mean", normalize: false, from: undefined });
    expect(await vectorOf(usual)).toEqual(await vectorOf(usual, { pooling: "mean", normalize: false }));
  });

  test.each([
    [flags("cls_token"), "cls"],
    [flags("mean_tokens"), "mean"],
    [flags("max_tokens"), "max"],
    [flags("mean_sqrt_len_tokens"), "mean-sqrt-len"],
    [flags("weightedmean_tokens"), "weighted-mean"],
    [flags("lasttoken"), "last-token"],
    [{ word_embedding_dimension: 12 }, "mean"],
    [{ pooling_mode: "lasttoken" }, "last-token"],
    [flags("mean_tokens", "cls_token", "max_tokens"), ["cls", "max", "mean"]],
  ] as const)("is the pooling of %j: %s", async (pooling, expected) => {
    const model = await load(filesOf(modulesJson("Transformer", "Pooling"), pooling));
    expect([model.embedding.pooling, model.notes]).toEqual([expected, []]);
    const parts = await Promise.all([expected].flat().map((strategy) => vectorOf(usual, { pooling: strategy })));
    expectClose(await vectorOf(model), parts.flat(), 1e-5);
    expect(model.embeddingSize()).toBe(12 * parts.length);
  });

  test("is a length of 1 after Normalize; options that are given win", async () => {
    const model = await load(filesOf(modulesJson("Transformer", "Pooling", "Normalize"), flags("cls_token")));
    expect(model.embedding).toEqual({ pooling: "cls", normalize: true, from: "modules.json" });
    expect(Math.hypot(...(await vectorOf(model)))).toBeCloseTo(1, 5);
    expect(await vectorOf(model, { normalize: false })).toEqual(await vectorOf(usual, { pooling: "cls" }));
    const mean = await vectorOf(usual, { pooling: "mean", normalize: true });
    expect(await vectorOf(model, { pooling: "mean" })).toEqual(mean);
    expect(await vectorOf(model, { pooling: "none" })).toEqual(await vectorOf(usual, { pooling: "none" }));
  });

  test("is found beside a checkpoint in a folder of its own, and on a server", async () => {
    const {
      "modules.json": modules,
      "1_Pooling/config.json": pooling,
      ...rest
    } = filesOf(
      json([
        { path: "0_BERT", type: "sentence_transformers.models.Transformer" },
        { path: "1_Pooling", type: "a.Pooling" },
      ]),
      flags("max_tokens"),
    ) as Record<string, Uint8Array>;
    const moved = Object.fromEntries(Object.entries(rest).map(([path, bytes]) => [`0_BERT/${path}`, bytes]));
    const model = await load({
      ...moved,
      "modules.json": modules as Uint8Array,
      "1_Pooling/config.json": pooling as Uint8Array,
    });
    expect(model.embedding.pooling).toBe("max");
    const served = filesOf(modulesJson("Transformer", "Pooling"), flags("cls_token")) as Record<string, Uint8Array>;
    const fetch = async (url: string) => {
      const bytes = served[url.slice("https://example.org/m/".length)];
      return new Response(bytes as Uint8Array<ArrayBuffer>, { status: bytes === undefined ? 404 : 200 });
    };
    const files = await urlFiles("https://example.org/m", { fetch });
    expect((await BertModel.fromPretrained(files, { runtime })).embedding.pooling).toBe("cls");
  });

  test.each<[string, Record<string, Uint8Array>, string]>([
    [
      "a Dense layer",
      filesOf(modulesJson("Transformer", "Pooling", "Dense"), flags("mean_tokens")),
      "modules.json names the module Dense (2_Dense), which zhbert lacks: vectors will differ",
    ],
    ["a lost config", filesOf(modulesJson("Transformer", "Pooling")), "1_Pooling/config.json is missing"],
    [
      "an unknown mode",
      filesOf(modulesJson("Transformer", "Pooling"), { ...flags("mean_tokens"), pooling_mode_median: true }),
      "asks for pooling_mode_median, which zhbert lacks: vectors will differ",
    ],
    ["no pooling", filesOf(modulesJson("Transformer")), "modules.json names no Pooling"],
    ["another file", filesOf(json({})), "modules.json is no list of modules"],
    [
      "a prompt",
      filesOf(modulesJson("Transformer", "Pooling"), flags("mean_tokens"), {
        "config_sentence_transformers.json": json({ prompts: { query: "问题：" }, default_prompt_name: "query" }),
      }),
      "puts a prompt before each text, which zhbert does not: write it into the texts: 问题：",
    ],
  ])("%s is a note, and the mean", async (_, files, note) => {
    const model = await load(files);
    expect(model.notes.join("\n")).toContain(note);
    expect(model.notes).toHaveLength(1);
    expect(await vectorOf(model)).toEqual(await vectorOf(usual));
  });

  test.each([[[]], [["mean", "pooler"]], [["none", "cls"]]])("refuses to join %j", async (pooling) => {
    await expect(usual.embed([text], { pooling: pooling as never })).rejects.toThrow(
      "pooling: expected mean, cls, max, sep",
    );
  });
});
