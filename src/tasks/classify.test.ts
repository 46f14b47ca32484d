import { describe, expect, test } from "vitest";
import { DataError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import { type Classification, classify, match } from "./classify.ts";
import { initializeTask, taskParameterShapes } from "./task-graph.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."雨下得大风停了没有", ""].join("\n"),
);
const labels = ["calm", "storm"];
const task = classify.create({ task: "classify", maxSeqLength: 10, labels });
const none = { rows: [] };

function predicted(...scores: readonly number[]): Classification {
  return task.decode({ text: "" }, none, [{ logits: Float32Array.from(scores) }]);
}

describe("labels", () => {
  test("are inferred in an order that does not depend on that of the examples, numbers by size", () => {
    const examples = ["10", "2", "1", "2"].map((label) => ({ text: "雨", label }));
    expect(classify.settle(examples, {})).toEqual({ task: "classify", maxSeqLength: 128, labels: ["1", "2", "10"] });
    const inference = ["neutral", "entailment", "contradiction"].map((label) => ({
      text: "雨",
      textPair: "风",
      label,
    }));
    expect(match.settle(inference, {}).labels).toEqual(["contradiction", "entailment", "neutral"]);
  });

  test("that are chosen stay in their order", () => {
    expect(classify.settle([], { labels: ["yes", "no"], maxSeqLength: 64, layerMix: true })).toEqual({
      task: "classify",
      maxSeqLength: 64,
      labels: ["yes", "no"],
      layerMix: true,
    });
  });

  test("one alone, or none, cannot be learned", () => {
    expect(() => classify.settle([{ text: "雨", label: "storm" }], {})).toThrow(/two labels, got only "storm"/);
    expect(() => classify.settle([{ text: "雨" }], {})).toThrow(/got no labels/);
    expect(() => classify.create({ task: "classify", maxSeqLength: 8, labels: ["storm"] })).toThrow(
      /2 different labels/,
    );
  });

  test("are numbered as Transformers does where config.json names none", () => {
    expect(classify.create({ task: "classify", maxSeqLength: 8 }).settings.labels).toEqual(["LABEL_0", "LABEL_1"]);
  });

  test("unknown ones are refused with the nearest that is known", () => {
    const example = { id: "7", text: "雨", label: "strom" };
    expect(() => task.encode(example, tokenizer)).toThrow("example 7: label: expected one of calm, storm");
    expect(() => task.encode(example, tokenizer)).toThrow(DataError);
    expect(catchHint(() => task.encode(example, tokenizer))).toContain("did you mean storm");
  });
});

function catchHint(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as DataError).hint;
  }
  return "";
}

describe("rows", () => {
  test("a pair is cut from its longer text, as Google does", () => {
    const { rows, isTruncated } = task.encode({ text: "雨下得大了没有", textPair: "风停", label: "storm" }, tokenizer);
    const [sequence] = rows[0]?.sequences ?? [];
    expect(tokenizer.vocabulary.tokensOf(sequence?.ids ?? new Int32Array())).toEqual([
      "[CLS]",
      ..."雨下得大了",
      "[SEP]",
      ..."风停",
      "[SEP]",
    ]);
    expect([...(sequence?.typeIds ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect(isTruncated).toBe(true);
    expect(rows[0]?.labels).toEqual({ labels: [1] });
  });

  test("a text without a label has none, an empty one is [CLS] [SEP]", () => {
    const { rows, isTruncated } = task.encode({ text: "" }, tokenizer);
    expect(rows[0]?.sequences[0]?.ids).toHaveLength(2);
    expect(rows[0]?.labels).toBeUndefined();
    expect(isTruncated).toBe(false);
  });

  test("match wants two texts", () => {
    const pairs = match.create({ task: "match", maxSeqLength: 10, labels });
    expect(() => pairs.encode({ text: "雨" }, tokenizer)).toThrow("example: expected two texts, got one");
    expect(pairs.encode({ text: "雨", textPair: "风" }, tokenizer).rows).toHaveLength(1);
  });
});

test("results: all labels with their probabilities, the likeliest first", () => {
  const prediction = predicted(Math.log(1), Math.log(3));
  expect(prediction.labels.map(({ label }) => label)).toEqual(["storm", "calm"]);
  expect(prediction.labels[0]?.score).toBeCloseTo(0.75, 6);
  expect(task.result({ text: "雨大" }, prediction)).toEqual({ text: "雨大", labels: prediction.labels });
  const pair = { text: "雨大", textPair: "风停" };
  expect(task.result(pair, prediction)).toEqual({ textA: "雨大", textB: "风停", labels: prediction.labels });
  expect(predicted(3000, -3000).labels.map(({ score }) => score)).toEqual([1, 0]);
});

describe("evaluation", () => {
  const examples = [
    { id: "a", text: "雨大", label: "storm" },
    { id: "b", text: "风大", label: "storm" },
    { id: "c", text: "雨停", textPair: "风停", label: "calm" },
    { id: "d", text: "停了", label: "calm" },
  ];

  test("of two labels the second is the positive one; errors are the surest first", () => {
    const found = task.evaluate(examples, [predicted(0, 3), predicted(1, 0), predicted(0, 2), predicted(2, 0)]);
    expect(found.metrics).toMatchObject({ accuracy: 0.5, precision: 0.5, recall: 0.5, f1: 0.5, macroF1: 0.5 });
    expect(found.metrics).toMatchObject({ microF1: 0.5, weightedF1: 0.5, matthews: 0, rocAuc: 0.75 });
    expect(found.confusion).toEqual({
      labels,
      counts: [
        [1, 1],
        [1, 1],
      ],
    });
    expect(found.tables?.[0]?.rows).toEqual([
      ["calm", 0.5, 0.5, 0.5, 2],
      ["storm", 0.5, 0.5, 0.5, 2],
    ]);
    expect(found.errors.map(({ id, text, expected, predicted: got }) => [id, text, expected, got])).toEqual([
      ["c", "雨停 | 风停", "calm", "storm"],
      ["b", "风大", "storm", "calm"],
    ]);
  });

  test("with three labels there is no positive one", () => {
    const three = classify.create({ task: "classify", maxSeqLength: 8, labels: ["a", "b", "c"] });
    const sure = three.decode({ text: "" }, none, [{ logits: Float32Array.of(1, 2, 0) }]);
    const { metrics } = three.evaluate([{ text: "雨", label: "b" }], [sure]);
    expect(metrics["accuracy"]).toBe(1);
    expect(metrics).not.toHaveProperty("f1");
  });

  test("needs labels", () => {
    expect(() => task.evaluate([{ text: "雨" }], [predicted(0, 1)])).toThrow(
      "evaluation data: expected a label with every example, got none",
    );
  });
});

test("a head over the mix of layers has the mix's parameters, which start as the mean", () => {
  const config = { ...builtinConfig("tiny", tokenizer.vocabulary.size), numHiddenLayers: 2 };
  const mixed = classify.create({ task: "classify", maxSeqLength: 8, labels, layerMix: true });
  const plain = taskParameterShapes(task, config);
  const added = [...taskParameterShapes(mixed, config).keys()].filter((name) => !plain.has(name));
  expect(added.sort()).toEqual(["layer_mix.scale", "layer_mix.weights"]);
  const weights = initializeTask(mixed, config, new Random(1));
  expect(weights.get("layer_mix.weights")?.data).toEqual(Float32Array.of(0, 0, 0));
  expect(weights.get("layer_mix.scale")?.data).toEqual(Float32Array.of(1));
});
