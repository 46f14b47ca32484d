import { afterAll, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { ConfigError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import { type ChoicePrediction, choice } from "./choice.ts";
import type { TaskRow } from "./task.ts";
import { taskBatch } from "./task-batch.ts";
import { initializeTask, taskLossGraph } from "./task-graph.ts";
import { TaskModel } from "./task-model.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."今天下雨我们去哪里公园家学校山上海边", ""].join("\n"),
);
const config = {
  ...builtinConfig("tiny", tokenizer.vocabulary.size),
  hiddenSize: 8,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  intermediateSize: 16,
  initializerRange: 0.5,
};
const two = { id: "two", context: "今天下雨", question: "我们去哪里", choices: ["公园", "家"], label: 1 };
const five = { context: "今天", question: "去哪里", choices: ["公园", "家", "学校", "山上", "海边"], label: 4 };
const task = choice.create({ task: "choice", maxSeqLength: 16, choicesPerRow: 3 });
const weights = initializeTask(task, config, new Random(2));

test("a choice is a pair of the context and of question and choice", () => {
  const { rows } = task.encode(two, tokenizer);
  const sequences = rows[0]?.sequences.map(({ ids }) => tokenizer.vocabulary.tokensOf(ids).join(""));
  expect(sequences).toEqual([
    "[CLS]今天下雨[SEP]我们去哪里公园[SEP]",
    "[CLS]今天下雨[SEP]我们去哪里家[SEP]",
    "[CLS][SEP]",
  ]);
  expect(rows[0]?.labels).toEqual({ labels: [1], present_choices: Float32Array.of(1, 1, 0) });
});

test("a question with more choices than a row takes several; one of them has the right choice", () => {
  const { rows } = task.encode(five, tokenizer);
  expect(rows.map(({ labels }) => labels)).toEqual([
    { labels: [-100], present_choices: Float32Array.of(1, 1, 1) },
    { labels: [1], present_choices: Float32Array.of(1, 1, 0) },
  ]);
});

test("choices per row are the most that there are, and passages have room", () => {
  expect(choice.settle([two, five], {})).toEqual({ task: "choice", maxSeqLength: 512, choicesPerRow: 5 });
  expect(() => choice.settle([], {})).toThrow(/two choices or more/);
  expect(() => choice.create({ task: "choice", maxSeqLength: 16, choicesPerRow: 1e9 })).toThrow(ConfigError);
});

async function lossOf(rows: readonly TaskRow[], rDropAlpha?: number): Promise<number> {
  const batch = taskBatch(task, rows);
  const shape = { rows: batch.rows, seqLength: batch.seqLength, gradients: false, dropout: false };
  const options = { ...shape, labelSmoothing: 0.1, ...(rDropAlpha === undefined ? {} : { rDropAlpha }) };
  const program = await runtime.compile(taskLossGraph(task, config, options), { weights });
  const { loss } = await program.run(batch.inputs);
  await program.dispose();
  return loss?.data[0] as number;
}

test("choices that a question lacks change neither its loss nor its prediction", async () => {
  const [row] = task.encode(two, tokenizer).rows as [TaskRow];
  const other = task.encode({ ...two, choices: ["海边", "山上"] }, tokenizer).rows[0]?.sequences[0];
  const changed = { ...row, sequences: [...row.sequences.slice(0, 2), other] } as TaskRow;
  const loss = await lossOf([row]);
  expect(loss).toBeGreaterThan(0);
  expect(await lossOf([changed])).toBeCloseTo(loss, 6);
  expect(await lossOf([row], 5)).toBeCloseTo(loss, 6);
});

test("class weights are refused: the first choice is no class", () => {
  const shape = { rows: 2, seqLength: 8, gradients: false, dropout: false };
  expect(() => taskLossGraph(task, config, { ...shape, classWeights: [1, 2, 3] })).toThrow(
    /choice: expected no class weights/,
  );
});

test("predictions: every choice with its probability, also over several rows", async () => {
  const model = new TaskModel({ task, config, weights: lazyTensors(weights), tokenizer, runtime });
  const predictions: ChoicePrediction[] = [];
  for await (const prediction of model.predict([two, five])) predictions.push(prediction);
  const [first, second] = predictions;
  expect(first?.choices.map(({ index }) => index).sort()).toEqual([0, 1]);
  expect(second?.choices.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3, 4]);
  const scores = second?.choices.map(({ score }) => score) ?? [];
  expect(scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 6);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(second?.choices.every(({ choice: text, index }) => text === five.choices[index])).toBe(true);
  expect(task.result(two, first as never)).toEqual({
    id: "two",
    question: two.question,
    index: first?.choices[0]?.index,
    choices: first?.choices,
  });
  await model.dispose();
});

test("evaluation: the share of right choices, and what was chosen instead", () => {
  const chosen = (index: number) => ({ choices: [{ choice: two.choices[index] as string, index, score: 0.8 }] });
  const found = task.evaluate([two, two], [chosen(1), chosen(0)]);
  expect(found.metrics).toEqual({ accuracy: 0.5 });
  expect(found.errors).toEqual([
    { id: "two", text: "今天下雨 | 我们去哪里", expected: "家", predicted: "公园", score: 0.8 },
  ]);
  const { label: _, ...unlabelled } = two;
  expect(() => task.evaluate([unlabelled], [chosen(0)])).toThrow(/example two: expected the right choice/);
});

test("questions without a choice, or whose right choice is not there, are refused", () => {
  expect(() => task.encode({ ...two, label: 2 }, tokenizer)).toThrow(
    /question two: .* got 2 choices, of which number 2/,
  );
  expect(() => task.encode({ ...two, label: 0, choices: ["家"] }, tokenizer)).toThrow(/two choices or more/);
});
