import { describe, expect, test } from "vitest";
import { lazyTensor, lazyTensors } from "../checkpoint/format.ts";
import { Random } from "../util/random.ts";
import { hostTensor, type NamedTensors } from "../util/tensor.ts";
import { type BertConfig, builtinConfig } from "./config.ts";
import { initializeWeights } from "./initialize.ts";
import { inspectMlmHead, mlmHeadWarning } from "./mlm-head.ts";

const PREFIX = "cls.predictions.";
const STD = 0.02;
const seeds = Array.from({ length: 40 }, (_, seed) => seed);

/** A head before its first step. @param draw - an entry of the matrix. */
function freshHead(hidden: number, draw: (row: number, column: number) => number): NamedTensors {
  const vector = (size: number, value: number) => hostTensor("float32", [size], new Float32Array(size).fill(value));
  const matrix = Float32Array.from({ length: hidden * hidden }, (_, i) => draw(Math.floor(i / hidden), i % hidden));
  return new Map([
    [`${PREFIX}transform.dense.weight`, hostTensor("float32", [hidden, hidden], matrix)],
    [`${PREFIX}transform.dense.bias`, vector(hidden, 0)],
    [`${PREFIX}transform.LayerNorm.weight`, vector(hidden, 1)],
    [`${PREFIX}transform.LayerNorm.bias`, vector(hidden, 0)],
    [`${PREFIX}bias`, vector(50, 0)],
  ]);
}

/** Moves every entry of the tensors whose names end so, by a normal number of the given length. */
function move(head: NamedTensors, random: Random, length: number, ...endings: string[]): NamedTensors {
  for (const [name, { data }] of head) {
    if (!endings.some((ending) => name.endsWith(ending))) continue;
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) + length * random.normal();
  }
  return head;
}

const inspect = (head: NamedTensors) => inspectMlmHead(lazyTensors(head), { initializerRange: STD });
const SMALL = ["dense.bias", "LayerNorm.weight", "LayerNorm.bias"];

describe("untrained heads", () => {
  test.each([24, 64])("as this library starts them, hidden %d, at every seed", (hiddenSize) => {
    const config: BertConfig = { ...builtinConfig("tiny", 50), hiddenSize, numHiddenLayers: 1, intermediateSize: 8 };
    for (const seed of seeds.slice(0, 10)) {
      const weights = initializeWeights(config, new Random(seed), { nextSentence: false });
      const { state, evidence } = inspectMlmHead(lazyTensors(weights), config);
      expect(state).toBe("untrained");
      expect(evidence[0]).toBe("LayerNorm is exactly 1 and 0, as before the first step");
      expect(evidence[1]).toBe("bias is 0 everywhere");
      expect(evidence[2]).toContain("cannot be told from one drawn from a normal distribution cut at 2");
      expect(evidence[3]).toBe("bias of the vocabulary is 0 everywhere");
    }
  });

  test("as Transformers starts them (a normal distribution), with the bias of the vocabulary trained alone", () => {
    for (const seed of seeds) {
      const random = new Random(seed);
      const head = freshHead(64, () => STD * random.normal());
      const { state, evidence } = inspect(move(head, random, 0.3, "predictions.bias"));
      expect(state).toBe("untrained");
      expect(evidence[2]).toContain("cannot be told from one drawn from a normal distribution of 0.02");
      expect(evidence[3]).toMatch(/^bias of the vocabulary: 0\.[23]/);
    }
  });

  test("with a matrix of any other distribution, while LayerNorm is at its start", () => {
    const random = new Random(1);
    expect(inspect(freshHead(64, () => 0.3 * (random.uniform() - 0.5))).state).toBe("untrained");
    expect(inspect(freshHead(64, () => 0)).state).toBe("untrained");
  });

  test("with a matrix that is constant, whatever the rest", () => {
    const head = freshHead(64, () => 0);
    expect(inspect(move(head, new Random(1), 0.003, ...SMALL))).toMatchObject({ state: "untrained" });
  });

  test("after steps that hardly moved anything, at every seed", () => {
    for (const seed of seeds) {
      const random = new Random(seed);
      const head = freshHead(32, () => random.truncatedNormal(STD));
      expect(inspect(move(head, random, 0.002, ...SMALL, "dense.weight")).state).toBe("untrained");
    }
  });

  test("with a matrix drawn anew under a LayerNorm that was trained for long, at every seed", () => {
    for (const seed of seeds.slice(0, 20)) {
      const random = new Random(seed);
      const head = freshHead(128, () => STD * random.normal());
      expect(inspect(move(head, random, 0.5, ...SMALL)).state).toBe("untrained");
    }
  });
});

describe("trained heads", () => {
  test("whose weights Adam moved, each by some length, at every seed", () => {
    for (const seed of seeds) {
      const random = new Random(seed);
      const head = freshHead(32, () => random.truncatedNormal(STD));
      const { state, evidence } = inspect(move(head, random, 0.02, ...SMALL, "dense.weight"));
      expect(state, evidence.join("; ")).toBe("trained");
    }
  });

  test("whose tensors LAMB moved, each by a part of its norm, at every seed", () => {
    for (const part of [0.02, 0.1, 0.3, 1]) {
      for (const seed of seeds.slice(0, 10)) {
        const random = new Random(seed);
        const head = freshHead(64, () => random.truncatedNormal(STD));
        move(head, random, part, "LayerNorm.weight", "LayerNorm.bias", "dense.bias");
        const { state, evidence } = inspect(move(head, random, part * STD, "dense.weight"));
        expect(state, `${part}, ${evidence.join("; ")}`).toBe("trained");
      }
    }
  });

  test("whose matrix has structure that its variance does not show", () => {
    const random = new Random(2);
    const scale = Array.from({ length: 64 }, (_, row) => (row % 2 === 0 ? 0.6 : Math.sqrt(2 - 0.36)));
    const head = freshHead(64, (row) => (scale[row] as number) * STD * random.normal());
    const { state, evidence } = inspect(move(head, random, 0.5, ...SMALL));
    expect(state).toBe("trained");
    expect(evidence[2]).toContain("(norms of rows)");
  });
});

test("a head is missing when one of its tensors is, or when its decoder is not the word embeddings", () => {
  const random = new Random(1);
  const head = freshHead(64, () => random.normal());
  head.delete(`${PREFIX}bias`);
  expect(inspect(head)).toEqual({ state: "missing", evidence: ["no cls.predictions.bias"] });
  const untied = new Map([
    ...lazyTensors(freshHead(64, () => random.normal())),
    [`${PREFIX}decoder.weight`, lazyTensor(hostTensor("float32", [1, 1], new Float32Array(1)))],
  ]);
  expect(inspectMlmHead(untied, { initializerRange: STD })).toMatchObject({ state: "missing" });
});

test("numbers that are none are no fresh matrix, and end nothing", () => {
  const head = move(
    freshHead(64, () => Number.NaN),
    new Random(1),
    0.002,
    ...SMALL,
  );
  expect(inspect(head).state).toBe("trained");
});

test("only the tensors of the head are read", () => {
  const random = new Random(1);
  const words = { dtype: "float32" as const, shape: [9, 64], read: () => expect.unreachable() };
  const tensors = new Map([
    ...lazyTensors(freshHead(64, () => random.normal())),
    ["bert.embeddings.word_embeddings.weight", words] as const,
  ]);
  expect(inspectMlmHead(tensors, { initializerRange: 0 }).state).toBe("untrained");
});

test("the warning names the model, the numbers and the command", () => {
  const untrained = inspect(freshHead(64, () => 0));
  expect(mlmHeadWarning(untrained, "hfl/rbt3")).toBe(
    "hfl/rbt3 has an MLM head that was never trained, so that it fills masks by chance (LayerNorm is exactly 1 and 0, as before the first step; bias is 0 everywhere; matrix is 0 everywhere; bias of the vocabulary is 0 everywhere); `zhbert mlm-head hfl/rbt3 corpus.txt` trains one with the encoder frozen",
  );
  expect(mlmHeadWarning({ state: "missing", evidence: ["no x"] }, "m")).toContain("m has no MLM head (no x); ");
  expect(mlmHeadWarning({ state: "trained", evidence: ["y"] }, "m")).toBeUndefined();
});
