import { afterAll, describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { hostTensor } from "../util/tensor.ts";
import { BertModel } from "./bert-model.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."今天气很好你我他，。", "play", "##ing", "##ed"];
const tokenizer = new BertTokenizer(Vocabulary.fromTokens(tokens));
const config = parseConfig(
  {
    vocab_size: tokens.length,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 12,
  },
  "config.json",
);
const weights = lazyTensors(
  initializeWeights({ ...config, initializerRange: 1 }, new Random(3), { nextSentence: true }),
);
const model = new BertModel({ config, weights, tokenizer, runtime });

describe("fillMask", () => {
  test("ranks entries for each mask, and fills one mask at a time into the text", async () => {
    const text = "今天[MASK]气很[MASK]。";
    const [result] = await model.fillMask([text], { topK: tokens.length });
    expect(result?.text).toBe(text);
    expect(result?.masks).toHaveLength(2);
    for (const [mask, candidates] of (result?.masks ?? []).entries()) {
      const scores = candidates.map(({ score }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(scores.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(new Set(candidates.map(({ id }) => id)).size).toBe(tokens.length);
      const plain = candidates.find(({ token }) => token === "好");
      expect(plain?.text).toBe(mask === 0 ? "今天好气很[MASK]。" : "今天[MASK]气很好。");
    }
  });

  test("joins a continuation to the word before it", async () => {
    const [result] = await model.fillMask(["play [MASK]"], { topK: tokens.length });
    expect(result?.masks[0]?.find(({ token }) => token === "##ing")?.text).toBe("playing");
  });

  test("gives each text the same result alone, in a batch, and padded; in the order of the texts", async () => {
    const texts = ["今天天[MASK]很好。", "你[MASK]", "[MASK]很好，我很好，你[MASK]"];
    const together = await model.fillMask(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await model.fillMask([text]);
      expect(together[i]?.text).toBe(text);
      alone?.masks.flat().forEach((candidate, j) => {
        const other = together[i]?.masks.flat()[j];
        expect(other?.token).toBe(candidate.token);
        expect(other?.score).toBeCloseTo(candidate.score, 5);
      });
    }
  });

  test("refuses texts without a mask, too long ones, and a topK that is none", async () => {
    await expect(model.fillMask(["今天很好。"])).rejects.toThrow("fill-mask: expected a text with at least one [MASK]");
    await expect(model.fillMask([`${"好".repeat(10)}[MASK]`])).rejects.toThrow("expected at most 12 tokens");
    await expect(model.fillMask(["[MASK]"], { topK: 0 })).rejects.toThrow("topK: expected a positive integer, got 0");
  });
});

test("a model without its MLM head loads, says what is missing, and refuses to fill masks", async () => {
  const headless = new Map([...weights].filter(([name]) => !name.startsWith("cls.predictions")));
  const loaded = new BertModel({ config, weights: headless, tokenizer, runtime });
  expect(loaded.report.missing.every((name) => name.startsWith("cls.predictions"))).toBe(true);
  expect(loaded.report.missing).toHaveLength(5);
  await expect(loaded.fillMask(["[MASK]"])).rejects.toThrow("weights: expected an MLM head, got a model without one");
  const [one] = [...weights].filter(([name]) => name.startsWith("cls.predictions"));
  const gaps = new BertModel({ config, weights: new Map([...headless, one as never]), tokenizer, runtime });
  await expect(gaps.fillMask(["[MASK]"])).rejects.toThrow("expected a weight for every parameter");
});

describe("results that are no numbers", () => {
  const damaged = new Map(weights);
  const name = "bert.encoder.layer.0.output.dense.bias";
  const whole = weights.get(name);
  if (whole === undefined) throw new Error(`no ${name}`);
  damaged.set(name, { ...whole, read: () => hostTensor("float32", [8], new Float32Array(8).fill(Number.NaN)) });

  test("are an error, not vectors and scores", async () => {
    const broken = new BertModel({ config, weights: damaged, tokenizer, runtime, where: "model.bin" });
    const wrong = /^model\.bin: \w+: expected numbers, got NaN, computed in f32$/;
    await expect(broken.embed(["你好"])).rejects.toThrow(wrong);
    await expect(broken.features(["你好"], { layers: [-1] })).rejects.toThrow(/model\.bin: .*got NaN/);
    await expect(broken.fillMask(["今天[MASK]气"])).rejects.toThrow(wrong);
    await expect(broken.embed(["你好"])).rejects.toMatchObject({
      hint: expect.stringMatching(/weights are damaged.*another checkpoint/),
    });
  });

  test("in bf16 the way out is f32", async () => {
    const broken = new BertModel({
      config,
      weights: damaged,
      tokenizer,
      runtime: { ...runtime, precision: "bf16" },
    });
    const hint = expect.stringMatching(/^take --precision f32; where that gives NaN too/);
    await expect(broken.embed(["你好"])).rejects.toMatchObject({
      message: expect.stringContaining("computed in bf16"),
      hint,
    });
  });
});

test("weights of more layers than the config's are refused; parts of other tasks are left over", () => {
  const shallow = { ...config, numHiddenLayers: 1 };
  expect(() => new BertModel({ config: shallow, weights, tokenizer, runtime })).toThrow(
    "weights: expected weights of 1 layers, as the config's num_hidden_layers says, got weights of 2",
  );
  const bias = weights.get("bert.pooler.dense.bias");
  if (!bias) throw new Error("no pooler");
  const more = new Map([...weights, ["classifier.bias", bias] as const]);
  expect(new BertModel({ config, weights: more, tokenizer, runtime }).report.unexpected).toEqual(["classifier.bias"]);
});

test("a vocabulary with more entries than the config's is refused; rows to spare are never filled in", async () => {
  const fewer = { ...config, vocabSize: tokens.length - 1 };
  expect(() => new BertModel({ config: fewer, weights, tokenizer, runtime })).toThrow(
    `config: vocab_size: expected ${tokens.length} or more, the size of the vocabulary, got ${tokens.length - 1}`,
  );
  const smaller = new BertTokenizer(Vocabulary.fromTokens(tokens.slice(0, -3)));
  const spare = new BertModel({ config, weights, tokenizer: smaller, runtime });
  const text = "今天[MASK]气很[MASK]。";
  const [some] = await spare.fillMask([text], { topK: tokens.length });
  const [all] = await model.fillMask([text], { topK: tokens.length });
  some?.masks.forEach((candidates, mask) => {
    expect(candidates).toHaveLength(tokens.length - 3);
    const kept = all?.masks[mask]?.filter(({ id }) => id < tokens.length - 3).map(({ id }) => id);
    expect(candidates.map(({ id }) => id)).toEqual(kept);
  });
});
