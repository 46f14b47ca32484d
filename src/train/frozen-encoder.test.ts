/** Training the masked language model's head over a frozen encoder: what is computed, and what changes. */
import { expect, test } from "vitest";
import { expectClose, runtime } from "../../test/graph-checks.ts";
import { padInstances } from "../data/batches.ts";
import { inputOp } from "../graph/graph.ts";
import { type BertConfig, parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { pretrainingGraph } from "../model/pretraining.ts";
import { isTrainable, type Trainable } from "../model/trainable.ts";
import { Random } from "../util/random.ts";
import { compilePretraining } from "./compile-pretraining.ts";
import { runPretraining } from "./pretrain.ts";
import { PretrainingStep } from "./pretraining-step.ts";

const config: BertConfig = parseConfig(
  {
    vocab_size: 37,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 11,
    max_position_embeddings: 16,
    initializer_range: 0.5,
  },
  "config.json",
);
const shape = { batchSize: 2, seqLength: 5, maxPredictions: 2 };
const batch = padInstances(
  [
    [2, 9, 4, 12, 3],
    [2, 4, 30, 11, 3],
  ].map((ids) => ({
    inputIds: Int32Array.from(ids),
    tokenTypeIds: new Uint8Array(ids.length),
    wordStarts: new Uint8Array(ids.length).fill(1),
    maskedLmPositions: Int32Array.of(1, 2),
    maskedLmIds: Int32Array.of(20, 7),
    nextSentenceLabel: 0,
  })),
  shape,
);

/** The operations of a graph. */
function operations(layers: number, gradients: boolean, trainable: Trainable): number {
  const sizes = { ...config, numHiddenLayers: layers };
  const graph = pretrainingGraph(sizes, { ...shape, gradients, trainable, dropout: false, nextSentence: false });
  return graph.nodes.filter(({ operator }) => operator !== inputOp.definition).length;
}

test("of the backward pass only the head's part is built, however deep the encoder is", () => {
  const added = (layers: number, part: "all" | "mlm-head") =>
    operations(layers, true, part) - operations(layers, false, part);
  expect(added(12, "mlm-head")).toBe(added(1, "mlm-head"));
  expect(added(1, "mlm-head")).toBeLessThan(added(1, "all") / 3);
  expect(added(2, "all")).toBeGreaterThan(added(1, "all"));
  const frozen = pretrainingGraph(config, {
    ...shape,
    gradients: true,
    trainable: "mlm-head",
    dropout: false,
    nextSentence: false,
  });
  const gradients = [...frozen.outputs.keys()].filter((name) => name.startsWith("grad."));
  expect(gradients.sort()).toEqual([
    "grad.cls.predictions.bias",
    "grad.cls.predictions.transform.LayerNorm.bias",
    "grad.cls.predictions.transform.LayerNorm.weight",
    "grad.cls.predictions.transform.dense.bias",
    "grad.cls.predictions.transform.dense.weight",
  ]);
});

test("the head's gradients are those of training everything, without dropout", async () => {
  const weights = initializeWeights(config, new Random(3), { nextSentence: false });
  const still = { ...config, hiddenDropoutProb: 0, attentionProbsDropoutProb: 0 };
  const head = new Map([...weights].filter(([name]) => isTrainable("mlm-head", name)));
  const rest = new Map([...weights].filter(([name]) => !isTrainable("mlm-head", name)));
  const whole = new PretrainingStep(weights, compilePretraining(runtime, still, { nextSentence: false }), 1);
  const compile = compilePretraining(runtime, config, { nextSentence: false, trainable: "mlm-head" });
  const part = new PretrainingStep(head, compile, 1, rest);
  const [expected, actual] = [await whole.train(batch, 0), await part.train(batch, 0)];
  expect(actual.loss).toBeCloseTo(expected.loss, 5);
  expect(part.gradients.size).toBe(5);
  for (const [name, gradient] of part.gradients) {
    expectClose(Array.from(gradient), Array.from(whole.gradients.get(name) ?? []), 1e-5);
  }
  await whole.dispose();
  await part.dispose();
});

test("a run changes the head alone, keeps moments for it alone, and learns", async () => {
  const weights = initializeWeights(config, new Random(3), { nextSentence: false });
  const before = new Map([...weights].map(([name, { data }]) => [name, data.slice()]));
  const losses: number[] = [];
  let moments: readonly string[] = [];
  await runPretraining({
    config,
    weights,
    trainable: "mlm-head",
    batches: { batchesPerEpoch: 1, batch: async () => batch },
    compile: compilePretraining(runtime, config, { nextSentence: false, trainable: "mlm-head" }),
    settings: {
      steps: 30,
      seed: 1,
      optimizer: "adamw-bert",
      learningRate: 0.05,
      warmupSteps: 0,
      weightDecay: 0.01,
      maxGradientNorm: 1,
      gradientAccumulationSteps: 1,
    },
    hooks: {
      loggingSteps: 1,
      onLog: ({ loss }) => {
        losses.push(loss);
      },
      saveSteps: 0,
      evalSteps: 0,
      clock: () => 0,
      onSave: async (progress) => {
        moments = [...progress.moments.keys()];
      },
    },
  });
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2);
  for (const [name, { data }] of weights) {
    const isSame = data.every((value, i) => Object.is(value, before.get(name)?.[i]));
    expect([name, isSame]).toEqual([name, !name.startsWith("cls.predictions.")]);
  }
  expect(moments.length).toBeGreaterThan(0);
  expect(moments.every((name) => name.includes("cls.predictions."))).toBe(true);
});

test("frozen layers over frozen embeddings cost no backward pass; what is above them has the gradients of training everything", async () => {
  const added = (layers: number, frozen: number) => {
    const part = { layers: frozen, embeddings: true };
    return operations(layers, true, part) - operations(layers, false, part);
  };
  expect(added(12, 11)).toBe(added(3, 2));
  expect(added(3, 2)).toBeLessThan(added(3, 1));
  const weights = initializeWeights(config, new Random(3), { nextSentence: false });
  const gradientsOf = async (trainable: Trainable, recompute = false) => {
    const trained = new Map([...weights].filter(([name]) => isTrainable(trainable, name)));
    const frozen = new Map([...weights].filter(([name]) => !isTrainable(trainable, name)));
    const step = new PretrainingStep(
      trained,
      compilePretraining(runtime, config, { nextSentence: false, trainable, recompute }),
      1,
      frozen,
    );
    await step.train(batch, 0);
    await step.dispose();
    return step.gradients;
  };
  const all = await gradientsOf("all");
  const some = await gradientsOf({ layers: 1, embeddings: false });
  expect(all.size - some.size).toBe(16);
  expect(some.has("bert.embeddings.word_embeddings.weight")).toBe(true);
  const upper = await gradientsOf({ layers: 1, embeddings: true });
  expect([...upper.keys()].filter((name) => /embeddings|layer\.0/.test(name))).toEqual([]);
  const recomputed = await gradientsOf({ layers: 1, embeddings: true }, true);
  for (const [name, gradient] of upper) expectClose([...recomputed.get(name)!], [...gradient], 1e-6);
  // With the same dropout masks: sites are numbered alike in all of them.
  for (const [name, gradient] of upper) expectClose([...gradient], [...all.get(name)!], 1e-6);
});
