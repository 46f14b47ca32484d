/** One forward and backward pass of a real graph. */
import { expect, test } from "vitest";
import { expectClose, runtime } from "../../test/graph-checks.ts";
import { padInstances } from "../data/batches.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { type BertConfig, parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { Random } from "../util/random.ts";
import { compilePretraining } from "./compile-pretraining.ts";
import { evaluatePretraining } from "./evaluate.ts";
import { PretrainingStep } from "./pretraining-step.ts";

const config: BertConfig = parseConfig(
  {
    vocab_size: 37,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 11,
    max_position_embeddings: 16,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.5,
  },
  "config.json",
);

function instance(nextSentenceLabel: 0 | 1, ...ids: number[]): PretrainingInstance {
  return {
    inputIds: Int32Array.from(ids),
    tokenTypeIds: Uint8Array.from(ids, (_, i) => (i > 2 ? 1 : 0)),
    wordStarts: new Uint8Array(ids.length).fill(1),
    maskedLmPositions: Int32Array.of(1, 3),
    maskedLmIds: Int32Array.of(20 + ids.length, 7),
    nextSentenceLabel,
  };
}

test("rows that only fill a batch change no loss, gradient or count", async () => {
  const weights = initializeWeights(config, new Random(3), { nextSentence: true });
  const step = new PretrainingStep(weights, compilePretraining(runtime, config, { nextSentence: true }), 1);
  const rows = [instance(1, 2, 9, 3, 12, 5, 3), instance(0, 2, 8, 3, 30, 3), instance(1, 2, 4, 3, 11, 3)];
  const shape = { seqLength: 6, maxPredictions: 3 };
  const whole = padInstances(rows, shape);
  const filled = padInstances([...rows, rows[0]!, rows[1]!], shape, rows.length);

  const expected = await step.train(whole, 0);
  const gradients = new Map([...step.gradients].map(([name, gradient]) => [name, Array.from(gradient)]));
  const actual = await step.train(filled, 0);
  expect(actual).toMatchObject({ predictions: 6, sequences: 3, nspCorrect: expected.nspCorrect });
  expectClose([actual.nspLoss, actual.loss], [expected.nspLoss, expected.loss], 1e-5);
  for (const [name, gradient] of step.gradients) expectClose(Array.from(gradient), gradients.get(name)!, 1e-5);

  const evaluated = await evaluatePretraining(step, [filled]);
  expect(evaluated).toMatchObject({ sequences: 3, nspAccuracy: expected.nspCorrect / 3 });
  expect(evaluated.nspLoss).toBeCloseTo(expected.nspLoss, 5);
  await step.dispose();
});

test("what was compiled is freed, also when another shape could not be compiled", async () => {
  const weights = initializeWeights(config, new Random(3), { nextSentence: true });
  const compile = compilePretraining(runtime, config, { nextSentence: true });
  const freed: number[] = [];
  const step = new PretrainingStep(
    weights,
    async (shape, mode) => {
      if (shape.seqLength > 6) throw new Error("too long");
      const { executable, dropoutSites } = await compile(shape, mode);
      const dispose = async () => {
        freed.push(shape.seqLength);
        await executable.dispose();
      };
      return { dropoutSites, executable: { run: executable.run.bind(executable), dispose } };
    },
    1,
  );
  const rows = [instance(1, 2, 9, 3, 12, 5, 3)];
  const run = (seqLength: number) => step.train(padInstances(rows, { seqLength, maxPredictions: 2 }), 0);
  await expect(run(7)).rejects.toThrow("too long");
  await run(6);
  await step.dispose();
  expect(freed).toEqual([6]);
});
