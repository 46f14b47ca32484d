/** The loss of reading comprehension as a graph: padding, R-Drop, kinds of answers. */
import { expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import type { QuestionAnsweringSettings } from "./qa/qa-settings.ts";
import { qa } from "./qa.ts";
import { taskBatch } from "./task-batch.ts";
import { initializeTask, taskLossGraph } from "./task-graph.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."灯塔在城西港口东哪", ""].join("\n"),
);
const config = {
  ...builtinConfig("tiny", tokenizer.vocabulary.size),
  hiddenSize: 8,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  intermediateSize: 16,
  initializerRange: 0.5,
};
const examples = [
  { id: "a", question: "灯塔在哪", context: "灯塔在城西", answers: [{ text: "城西", start: 3 }] },
  { id: "b", question: "港口在哪", context: "港口在城东", answers: [{ text: "YES" }], yesNo: "yes" as const },
  { id: "c", question: "城在哪", context: "灯塔在西", answers: [] },
];

interface Case extends Partial<QuestionAnsweringSettings> {
  readonly seqLength: number;
  readonly rDropAlpha?: number;
}

async function lossOf({ seqLength, rDropAlpha, ...settings }: Case): Promise<number> {
  const task = qa.create({ task: "qa", maxSeqLength: 24, ...settings });
  const rows = examples.flatMap((example) => task.encode(example, tokenizer).rows);
  const runtime = createOnnxRuntime({ threads: 1 });
  const options = { rows: rows.length, seqLength, gradients: true, dropout: false };
  const graph = taskLossGraph(task, config, rDropAlpha === undefined ? options : { ...options, rDropAlpha });
  const program = await runtime.compile(graph, { weights: initializeTask(task, config, new Random(4)) });
  const { loss } = await program.run(taskBatch(task, rows, { seqLength }).inputs);
  await runtime.dispose();
  return Number(loss?.data[0]);
}

test("masked scores make the loss one of the passage alone; without, padding is part of it as in Transformers", async () => {
  expect(await lossOf({ seqLength: 24, maskScores: true })).toBeCloseTo(
    await lossOf({ seqLength: 13, maskScores: true }),
    5,
  );
  expect(Math.abs((await lossOf({ seqLength: 24 })) - (await lossOf({ seqLength: 13 })))).toBeGreaterThan(0.1);
});

test("R-Drop without dropout adds nothing", async () => {
  const plain = { seqLength: 13, answerKinds: true };
  expect(await lossOf({ ...plain, rDropAlpha: 3 })).toBeCloseTo(await lossOf(plain), 5);
});

test("kinds of answers add their cross entropy", async () => {
  expect(await lossOf({ seqLength: 13, answerKinds: true })).toBeGreaterThan(0.1 + (await lossOf({ seqLength: 13 })));
});
