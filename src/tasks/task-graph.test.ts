import { expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { type BertConfig, builtinConfig } from "../model/config.ts";
import { gradientName } from "../model/pretraining.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import { hostTensor } from "../util/tensor.ts";
import { classify } from "./classify.ts";
import { predictExamples } from "./predict-examples.ts";
import type { TaskRow } from "./task.ts";
import { taskBatch } from "./task-batch.ts";
import { headInputsOver, initializeTask, taskLossGraph } from "./task-graph.ts";
import { TaskModel } from "./task-model.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."这家酒店很好差不", ""].join("\n"),
);
const config = {
  ...builtinConfig("tiny", tokenizer.vocabulary.size),
  hiddenSize: 8,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  intermediateSize: 16,
  initializerRange: 0.5,
};
const examples = [
  { text: "这家酒店很好", label: "good" },
  { text: "酒店不好", label: "bad" },
  { text: "很差", label: "bad" },
];
const task = classify.create(classify.settle(examples, { maxSeqLength: 16 }));
const rows = examples.map((example) => task.encode(example, tokenizer).rows[0] as TaskRow);

async function lossOf(batch: ReturnType<typeof taskBatch>, options: { rDropAlpha?: number } = {}) {
  const runtime = createOnnxRuntime({ threads: 1 });
  const weights = initializeTask(task, config, new Random(1));
  const shape = { rows: batch.rows, seqLength: batch.seqLength, gradients: true, dropout: false };
  const program = await runtime.compile(taskLossGraph(task, config, { ...shape, ...options }), { weights });
  const { loss, ...others } = await program.run(batch.inputs);
  await runtime.dispose();
  return { loss: loss?.data[0] as number, others };
}

test("rows that only fill a batch change neither loss nor gradients, and padding neither", async () => {
  const whole = await lossOf(taskBatch(task, rows));
  const filled = await lossOf(taskBatch(task, [...rows, rows[0] as TaskRow], { filled: 3, seqLength: 12 }));
  expect(filled.loss).toBeCloseTo(whole.loss, 5);
  const name = gradientName("classifier.weight");
  const [a, b] = [whole.others[name]?.data, filled.others[name]?.data].map((data) => Array.from(data as Float32Array));
  a?.forEach((value, i) => {
    expect(b?.[i]).toBeCloseTo(value, 5);
  });
});

test("R-Drop without dropout adds nothing: both passes of a row are the same", async () => {
  const plain = await lossOf(taskBatch(task, rows));
  const doubled = await lossOf(taskBatch(task, rows), { rDropAlpha: 4 });
  expect(doubled.loss).toBeCloseTo(plain.loss, 5);
});

test("scores that are no numbers are an error, and no prediction", async () => {
  const run = async () => ({ logits: hostTensor("float32", [1, 2], Float32Array.of(0, Number.NaN)) });
  const predict = predictExamples(task, tokenizer, { run }, [{ text: "很好" }]);
  await expect(predict.next()).rejects.toThrow("scores (logits): expected numbers, got NaN");
});

test("the classifier's dropout has the config's rate for it, or else that of the hidden states", () => {
  const rateIn = (rates: Partial<BertConfig>) => {
    const context = { dropout: (_: string, __: unknown, rate: number) => rate } as never;
    return headInputsOver([], task, context, { ...config, ...rates }, {} as never, { rows: 1, seq: 2 }).dropout(
      {} as never,
    );
  };
  expect(rateIn({ hiddenDropoutProb: 0.2 })).toBe(0.2);
  expect(rateIn({ hiddenDropoutProb: 0.2, classifierDropout: 0 })).toBe(0);
});

test("predictions come in the order of the examples, whatever their lengths", async () => {
  const runtime = createOnnxRuntime({ threads: 1 });
  const weights = lazyTensors(initializeTask(task, config, new Random(1)));
  const model = new TaskModel({ task, config, weights, tokenizer, runtime });
  const alone: unknown[] = [];
  for (const example of examples) for await (const prediction of model.predict([example])) alone.push(prediction);
  const together: unknown[] = [];
  for await (const prediction of model.predict(examples, { batchTokens: 64 })) together.push(prediction);
  expect(together).toHaveLength(3);
  together.forEach((prediction, i) => {
    const scores = (value: unknown) => (value as { labels: { label: string; score: number }[] }).labels;
    expect(scores(prediction)[0]?.label).toBe(scores(alone[i])[0]?.label);
    expect(scores(prediction)[0]?.score).toBeCloseTo(scores(alone[i])[0]?.score as number, 5);
  });
  await model.dispose();
  await runtime.dispose();
});
