import { expect, test } from "vitest";
import { type LazyTensor, lazyTensors } from "../checkpoint/format.ts";
import { ConfigError } from "../errors.ts";
import { Random } from "../util/random.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { type BertConfig, builtinConfig } from "./config.ts";
import { initializeWeights, parameterShapes } from "./initialize.ts";
import { loadingRows, missingParts } from "./loading-report.ts";
import { expectNoneMissing, matchWeights } from "./match-weights.ts";

const config: BertConfig = {
  ...builtinConfig("tiny", 9),
  hiddenSize: 4,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  intermediateSize: 6,
  maxPositionEmbeddings: 5,
};
const shapes = parameterShapes(config, { nextSentence: true });
const fresh = () => initializeWeights(config, new Random(1), { nextSentence: true });
const numbersOf = (tensor: LazyTensor | undefined) => Array.from((tensor?.read().data ?? []) as Float32Array);
const match = (weights: Map<string, HostTensor>) => matchWeights(lazyTensors(weights), shapes, "w");

test("axes of size 1 are dropped or added, and an NSP matrix that lies the other way round is turned", () => {
  const weights = fresh();
  const positions = weights.get("bert.embeddings.position_embeddings.weight") as HostTensor<"float32">;
  weights.set("bert.embeddings.position_embeddings.weight", { ...positions, shape: [1, 5, 4] });
  const turned = hostTensor("float32", [4, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  weights.set("cls.seq_relationship.weight", turned);
  const { weights: taken, report } = match(weights);
  expect([...report.reshaped].sort()).toEqual([
    "bert.embeddings.position_embeddings.weight: float32[1, 5, 4] taken as float32[5, 4]",
    "cls.seq_relationship.weight: float32[4, 2] taken as float32[2, 4]",
  ]);
  expect(report.loaded).toHaveLength(shapes.size);
  expect(taken.get("bert.embeddings.position_embeddings.weight")?.read()).toEqual(positions);
  expect(numbersOf(taken.get("cls.seq_relationship.weight"))).toEqual([1, 3, 5, 7, 2, 4, 6, 8]);
});

test("an oblong matrix of a layer that lies the other way round is an error: the square ones would be so unseen", () => {
  const weights = fresh();
  const name = "bert.encoder.layer.0.intermediate.dense.weight";
  weights.set(name, hostTensor("float32", [4, 6], new Float32Array(24)));
  expect(() => match(weights)).toThrow(ConfigError);
  expect(() => match(weights)).toThrow(`w: ${name}: expected float32[6, 4], as the config says, got float32[4, 6]`);
});

test("as many elements in another shape are an error", () => {
  const weights = fresh();
  weights.set("bert.embeddings.position_embeddings.weight", hostTensor("float32", [10, 2], new Float32Array(20)));
  expect(() => match(weights)).toThrow("expected float32[5, 4], as the config says, got float32[10, 2]");
});

test("weights are read as float32 when they are asked for, not before", () => {
  const weights = lazyTensors(fresh());
  let reads = 0;
  const half = {
    dtype: "float16" as const,
    shape: [4],
    read: () => {
      reads++;
      return hostTensor("float16", [4], Uint16Array.of(0x3c00, 0x4000, 0, 0x3800));
    },
  };
  const { weights: taken } = matchWeights(new Map([...weights, ["bert.pooler.dense.bias", half]]), shapes, "w");
  expect(reads).toBe(0);
  expect(taken.get("bert.pooler.dense.bias")).toMatchObject({ dtype: "float32", shape: [4] });
  expect(numbersOf(taken.get("bert.pooler.dense.bias"))).toEqual([1, 2, 0, 0.5]);
});

test("every missing part is a warning of its own that says what to do", () => {
  const parts = missingParts([...shapes.keys(), "classifier.weight"]);
  expect(parts.map(({ part }) => part)).toEqual(["encoder", "pooler", "MLM head", "NSP head", "classifier"]);
  expect(parts.map(({ missing }) => missing.length)).toEqual([21, 2, 5, 2, 1]);
  const names = [...shapes.keys()].filter((name) => name.startsWith("cls.predictions."));
  expect(missingParts(names).map(({ warning }) => warning)).toEqual([
    `no weights for the MLM head (${names[0]}, ${names[1]} and 3 more): fill-mask and pre-training need one: \`zhbert mlm-head MODEL corpus.txt\` trains it`,
  ]);
  expect(missingParts([])).toEqual([]);
});

test("the error for a gap says which part it is in and what to do", () => {
  const weights = fresh();
  weights.delete("cls.predictions.bias");
  const { report } = match(weights);
  try {
    expectNoneMissing(report, "w");
    expect.unreachable();
  } catch (error) {
    expect((error as ConfigError).hint).toContain("no weights for the MLM head (cls.predictions.bias): fill-mask");
  }
});

test("the report is a table: what, how many, which", () => {
  const report = {
    loaded: ["a", "b"],
    missing: ["cls.seq_relationship.bias"],
    unexpected: ["x", "y", "z"],
    reshaped: ["b: float32[1, 2] taken as float32[2]"],
  };
  expect(loadingRows(report, ["w:0/adam_m: optimiser slot", "w:0/adam_v: optimiser slot", "p: buffer"])).toEqual([
    ["loaded", 2, ""],
    ["reshaped", 1, "b: float32[1, 2] taken as float32[2]"],
    ["missing: NSP head", 1, "cls.seq_relationship.bias"],
    ["unexpected", 3, "x, y and 1 more"],
    ["ignored: optimiser slot", 2, "w:0/adam_m, w:0/adam_v"],
    ["ignored: buffer", 1, "p"],
  ]);
});

test("integers are no weights: a quantised file is named, not read as numbers or refused without a name", () => {
  const weights = fresh();
  weights.set("bert.pooler.dense.weight", hostTensor("int8", [4, 4], new Int8Array(16)));
  expect(() => match(weights)).toThrow(ConfigError);
  expect(() => match(weights)).toThrow("w: bert.pooler.dense.weight: expected a weight of float32, float16");
});
