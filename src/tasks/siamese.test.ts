import { expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { builtinConfig } from "../model/config.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import { hostTensor } from "../util/tensor.ts";
import { siamese } from "./siamese.ts";
import { initializeTask } from "./task-graph.ts";
import { TaskModel } from "./task-model.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."今天气很好雨", ""].join("\n"),
);
const config = {
  ...builtinConfig("tiny", tokenizer.vocabulary.size),
  ...{ hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 16, initializerRange: 0.5 },
};
const examples = [
  { text: "今天", textPair: "今天很好", label: "0" },
  { text: "天气很好", textPair: "雨", label: "1" },
];
const task = siamese.create(siamese.settle(examples, {}));

test("the texts are read apart, the second with segment A too", () => {
  const [row] = task.encode(examples[0] as (typeof examples)[0], tokenizer).rows;
  expect(row?.sequences.map(({ ids }) => ids.length)).toEqual([4, 6]);
  expect(row?.sequences.every(({ typeIds }) => typeIds.every((id) => id === 0))).toBe(true);
});

test("|u - v| alone does not tell which text is first; u and v do", async () => {
  const weights = initializeTask(task, config, new Random(1));
  const classifier = weights.get("classifier.weight")?.data as Float32Array;
  expect(classifier.length).toBe(2 * 3 * 8);
  const swapped = examples.map(({ text, textPair }) => ({ text: textPair, textPair: text }));
  const scoresOf = async (given: readonly { text: string; textPair: string }[]) => {
    const runtime = createOnnxRuntime({ threads: 1 });
    const model = new TaskModel({ task, config, weights: lazyTensors(weights), tokenizer, runtime });
    const scores: number[] = [];
    for await (const { labels } of model.predict(given))
      scores.push(labels.find(({ label }) => label === "1")?.score ?? 0);
    await runtime.dispose();
    return scores;
  };
  const [before, after] = [await scoresOf(examples), await scoresOf(swapped)];
  expect(Math.abs((before[0] as number) - (after[0] as number))).toBeGreaterThan(1e-4);
  const onlyDistance = classifier.map((value, i) => (i % 24 < 16 ? 0 : value));
  weights.set("classifier.weight", hostTensor("float32", [2, 24], onlyDistance));
  const [first, second] = [await scoresOf(examples), await scoresOf(swapped)];
  first.forEach((score, i) => {
    expect(score).toBeCloseTo(second[i] as number, 5);
  });
});
