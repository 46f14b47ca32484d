import { expect, test } from "vitest";
import { evaluate, expectClose, numbers, randomTensor } from "../../test/graph-checks.ts";
import { lazyTensors } from "../checkpoint/format.ts";
import { ShapeError } from "../errors.ts";
import { input } from "../graph/graph.ts";
import { Random } from "../util/random.ts";
import { hostTensor } from "../util/tensor.ts";
import { attentionMaskAdder, multiHeadAttention } from "./attention.ts";
import { type BertConfig, builtinConfig, parseConfig } from "./config.ts";
import { modelContext } from "./context.ts";
import { positionalEncoding } from "./embeddings.ts";
import { encoder } from "./encoder.ts";
import { positionwiseFeedForward } from "./feed-forward.ts";
import { initializeWeights, parameterShapes } from "./initialize.ts";
import { expectNoneMissing, matchWeights } from "./match-weights.ts";
import { pretrainingGraph } from "./pretraining.ts";

const config: BertConfig = parseConfig(
  {
    vocab_size: 99,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 11,
    max_position_embeddings: 16,
  },
  "config.json",
);
const options = { batchSize: 3, seqLength: 7, maxPredictions: 2, gradients: true, dropout: true, nextSentence: true };

test("multi-head attention gives hidden keys no weight and equals plain loops", async () => {
  const [B, S, H, N] = [2, 3, 8, 2];
  const D = H / N;
  const x = randomTensor(1, [B * S, H]);
  const mask = [1, 1, 0, 1, 1, 1];
  const names = ["query", "key", "value"].flatMap((name) => [`a.${name}.weight`, `a.${name}.bias`]);
  const weights = Object.fromEntries(
    names.map((name, i) => [name, randomTensor(i + 2, name.endsWith("bias") ? [H] : [H, H])]),
  );
  const adder = attentionMaskAdder(input("mask", "int32", [B, S]));
  const output = multiHeadAttention(modelContext(), config, input("x", "float32", [B * S, H]), adder, "a");
  const { y } = await evaluate(
    { y: output },
    { x, mask: hostTensor("int32", [B, S], Int32Array.from(mask)), ...weights },
  );

  const project = (name: string) => (row: number, column: number) => {
    let sum = weights[`a.${name}.bias`]?.data[column] as number;
    for (let i = 0; i < H; i++) {
      sum += (x.data[row * H + i] as number) * (weights[`a.${name}.weight`]?.data[column * H + i] as number);
    }
    return sum;
  };
  const [q, k, v] = [project("query"), project("key"), project("value")];
  const expected: number[] = [];
  for (let row = 0; row < B * S; row++) {
    const first = row - (row % S);
    for (let column = 0; column < H; column++) {
      const head = column - (column % D);
      const scores = [0, 1, 2].map((t) => {
        if (mask[first + t] === 0) return Number.NEGATIVE_INFINITY;
        return (
          [...Array(D).keys()].reduce((sum, d) => sum + q(row, head + d) * k(first + t, head + d), 0) / Math.sqrt(D)
        );
      });
      const exps = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = exps.reduce((a, b) => a + b);
      expected.push(exps.reduce((sum, e, t) => sum + (e / total) * v(first + t, column), 0));
    }
  }
  expectClose(numbers(y), expected, 1e-5);
});

test("sinusoids are those of the paper", async () => {
  const { y } = await evaluate({ y: positionalEncoding(5, 6) });
  const at = (position: number, column: number) => numbers(y)[position * 6 + column] as number;
  for (let position = 0; position < 5; position++) {
    for (let pair = 0; pair < 3; pair++) {
      const angle = position / 10_000 ** ((2 * pair) / 6);
      expect(at(position, 2 * pair)).toBeCloseTo(Math.sin(angle), 6);
      expect(at(position, 2 * pair + 1)).toBeCloseTo(Math.cos(angle), 6);
    }
  }
});

test("a config with sinusoidal positions has no position table and needs none", () => {
  const names = [...parameterShapes({ ...config, positionEmbeddingType: "sinusoidal" }, { nextSentence: true }).keys()];
  expect(names).not.toContain("bert.embeddings.position_embeddings.weight");
  expect([...parameterShapes(config, { nextSentence: true }).keys()]).toContain(
    "bert.embeddings.position_embeddings.weight",
  );
});

test("parameters go by the names of Hugging Face, and are as many as Transformers counts", () => {
  const count = (shapes: ReadonlyMap<string, readonly number[]>) =>
    [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const base = parameterShapes(builtinConfig("base", 21_128), { nextSentence: true });
  // 102,267,648 of BertModel for this vocabulary, as Transformers counts them, and both heads.
  const heads = 768 * 768 + 768 + 2 * 768 + 21_128 + 2 * 768 + 2;
  expect(count(base)).toBe(102_267_648 + heads);
  expect(base.get("bert.encoder.layer.11.attention.output.LayerNorm.weight")).toEqual([768]);
});

test("the same seed starts with the same weights; matrices are cut at two standard deviations", () => {
  const start = () => initializeWeights(config, new Random(7), { nextSentence: true });
  const [weights, again] = [start(), start()];
  expect(again).toEqual(weights);
  const matrix = weights.get("bert.embeddings.word_embeddings.weight")?.data as Float32Array;
  expect(Math.max(...matrix.map(Math.abs))).toBeLessThanOrEqual(0.04);
  expect(Math.max(...matrix.map(Math.abs))).toBeGreaterThan(0.03);
  expect(new Set(weights.get("bert.embeddings.LayerNorm.weight")?.data as Float32Array)).toEqual(new Set([1]));
  expect(new Set(weights.get("cls.predictions.bias")?.data as Float32Array)).toEqual(new Set([0]));
});

test("the training graph asks for one keep-mask at each dropout site, and none without dropout", () => {
  const masks = (graph: ReturnType<typeof pretrainingGraph>) =>
    graph.inputs.filter(({ name }) => name.startsWith("dropout.")).map(({ name, shape }) => `${name} ${shape}`);
  expect(masks(pretrainingGraph(config, options))).toEqual([
    "dropout.embeddings 21,8",
    "dropout.bert.encoder.layer.0.attention.self 3,2,7,7",
    "dropout.bert.encoder.layer.0.attention.output 21,8",
    "dropout.bert.encoder.layer.0.output 21,8",
    "dropout.bert.encoder.layer.1.attention.self 3,2,7,7",
    "dropout.bert.encoder.layer.1.attention.output 21,8",
    "dropout.bert.encoder.layer.1.output 21,8",
  ]);
  expect(masks(pretrainingGraph(config, { ...options, dropout: false }))).toEqual([]);
});

test("without next sentences there is no pooler and no such head", () => {
  const names = [...parameterShapes(config, { nextSentence: false }).keys()];
  expect(names.filter((name) => /pooler|seq_relationship/.test(name))).toEqual([]);
});

test("sequences longer than the positions are refused when the graph is built", () => {
  const build = () => pretrainingGraph(config, { ...options, seqLength: 17 });
  expect(build).toThrow(ShapeError);
  expect(build).toThrow("expected at most 16 (max_position_embeddings), got 17");
});

test("inputs that do not fit name the place and both shapes", () => {
  const x = input("x", "float32", [20, 8]);
  const adder = attentionMaskAdder(input("mask", "int32", [3, 7]));
  expect(() => multiHeadAttention(modelContext(), config, x, adder, "a")).toThrow(
    "multiHeadAttention: x: expected float32[21, 8], got float32[20, 8]",
  );
  const ids = (seq: number) => input(`ids${seq}`, "int32", [3, seq]);
  const inputs = { inputIds: ids(7), tokenTypeIds: ids(6), attentionMask: ids(7) };
  expect(() => encoder(modelContext(), config, inputs)).toThrow(
    "encoder: tokenTypeIds: expected int32[3, 7], got int32[3, 6]",
  );
});

test("the feed-forward network takes its activation from the config", async () => {
  const x = randomTensor(1, [3, 8]);
  const feeds = {
    x,
    "f.intermediate.dense.weight": randomTensor(2, [11, 8]),
    "f.intermediate.dense.bias": randomTensor(3, [11]),
    "f.output.dense.weight": randomTensor(4, [8, 11]),
    "f.output.dense.bias": hostTensor("float32", [8], new Float32Array(8)),
  };
  const run = async (hiddenAct: BertConfig["hiddenAct"]) => {
    const output = positionwiseFeedForward(
      modelContext(),
      { ...config, hiddenAct },
      input("x", "float32", [3, 8]),
      "f",
    );
    return numbers((await evaluate({ y: output }, feeds))["y"]);
  };
  const inner = (row: number, unit: number) =>
    [...Array(8).keys()].reduce(
      (sum, i) =>
        sum + (x.data[row * 8 + i] as number) * (feeds["f.intermediate.dense.weight"].data[unit * 8 + i] as number),
      feeds["f.intermediate.dense.bias"].data[unit] as number,
    );
  const expected = [0, 1, 2].flatMap((row) =>
    [...Array(8).keys()].map((column) =>
      [...Array(11).keys()].reduce(
        (sum, unit) =>
          sum + Math.max(0, inner(row, unit)) * (feeds["f.output.dense.weight"].data[column * 11 + unit] as number),
        0,
      ),
    ),
  );
  expectClose(await run("relu"), expected, 1e-5);
  const [exact, approximate] = [await run("gelu"), await run("gelu_new")];
  expect(exact).not.toEqual(approximate);
  expectClose(exact, approximate, 5e-3);
});

test("weights are matched by name: missing and left-over ones are reported, a wrong shape is an error", () => {
  const shapes = parameterShapes(config, { nextSentence: true });
  const weights = initializeWeights(config, new Random(1), { nextSentence: true });
  weights.delete("cls.predictions.bias");
  weights.set("classifier.weight", hostTensor("float32", [2], new Float32Array(2)));
  const { report } = matchWeights(lazyTensors(weights), shapes, "model.safetensors");
  expect(report.missing).toEqual(["cls.predictions.bias"]);
  expect(report.unexpected).toEqual(["classifier.weight"]);
  expect(report.loaded).toHaveLength(shapes.size - 1);
  expect(() => expectNoneMissing(report, "model.safetensors")).toThrow(
    "model.safetensors: cls.predictions.bias: expected a weight for every parameter that the config asks for, got nothing",
  );
  weights.set("bert.pooler.dense.bias", hostTensor("float32", [3], new Float32Array(3)));
  expect(() => matchWeights(lazyTensors(weights), shapes, "model.safetensors")).toThrow(
    "model.safetensors: bert.pooler.dense.bias: expected float32[8], as the config says, got float32[3]",
  );
});
