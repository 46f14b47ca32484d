import { describe, expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import { embed } from "./embed.ts";
import type { SimilarityExample } from "./examples.ts";
import { taskBatch } from "./task-batch.ts";
import { initializeTask, taskLossGraph } from "./task-graph.ts";

const characters = "今天气很好雨大明";
const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...characters, ""].join("\n"),
);
const config = {
  ...builtinConfig("tiny", tokenizer.vocabulary.size),
  ...{ hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 16, initializerRange: 0.5 },
};
const scored: SimilarityExample[] = [
  { text: "今天很好", textPair: "明天很好", score: 4 },
  { text: "雨很大", textPair: "今天天气", score: 0.5 },
  { text: "天气好", textPair: "天气很好", score: 5 },
];

describe("what vectors are trained by follows from the examples", () => {
  test.each([
    [[{ text: "雨" }], "simcse", false],
    [[{ text: "雨", textPair: "雨大" }], "in-batch", false],
    [[{ text: "雨", textPair: "雨大", negative: "天" }], "in-batch", true],
    [scored, "cosent", false],
  ] as const)("%j: %s", (examples, objective, hasNegatives) => {
    expect(embed.settle(examples, {})).toMatchObject({ objective, hasNegatives });
  });

  test("a second text in some examples only is refused, and no examples", () => {
    expect(() => embed.settle([{ text: "雨" }, { text: "雨", textPair: "大" }], {})).toThrow(/one in 1 of 2/);
    expect(() => embed.settle([], {})).toThrow(/expected examples/);
  });
});

test.each(["simcse", "in-batch", "cosent", "cosine"] as const)(
  "%s: a loss and a gradient for every layer",
  async (objective) => {
    const task = embed.create(embed.settle(scored, { objective, maxSeqLength: 16 }));
    const rows = scored.flatMap((example) => task.encode(example, tokenizer).rows);
    const batch = taskBatch(task, rows);
    const runtime = createOnnxRuntime({ threads: 1 });
    const weights = initializeTask(task, config, new Random(3));
    const shape = { rows: batch.rows, seqLength: batch.seqLength, gradients: true, dropout: false };
    const program = await runtime.compile(taskLossGraph(task, config, shape), { weights });
    const { loss, ...gradients } = await program.run(batch.inputs);
    expect(loss?.data[0]).toBeGreaterThan(0);
    const query = gradients["grad.bert.encoder.layer.0.attention.self.query.weight"]?.data as Float32Array;
    expect(Math.max(...query.map(Math.abs))).toBeGreaterThan(1e-7);
    await runtime.dispose();
  },
);

test("the cosine of the two vectors is the score, and Spearman's correlation tells how good the order is", () => {
  const task = embed.create(embed.settle(scored, {}));
  const encoded = task.encode(scored[0] as SimilarityExample, tokenizer);
  const similarity = task.decode(scored[0] as SimilarityExample, encoded, [{ vectors: Float32Array.of(3, 4, 4, 3) }]);
  expect(similarity.score).toBeCloseTo(24 / 25, 6);
  const { metrics, errors } = task.evaluate(scored, [{ score: 0.6 }, { score: 0.1 }, { score: 0.9 }]);
  expect(metrics["spearman"]).toBeCloseTo(1, 6);
  expect(errors[0]).toMatchObject({ text: "今天很好 | 明天很好", expected: "4", predicted: "0.600" });
});

test.each([
  [{ objective: "contrast" }, /objective: expected one of simcse/],
  [{ temperature: 0 }, /temperature: expected a number above 0/],
  [{ scoreRange: [1, 1] }, /scoreRange: expected the lowest/],
])("settings that cannot be are refused: %j", (wrong, message) => {
  expect(() => embed.create({ ...embed.settle(scored, {}), ...wrong } as never)).toThrow(message);
});
