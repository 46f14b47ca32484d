/** Gradual unfreezing: what is trained when, and that a late parameter begins as one that begins at once. */
import { expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { isTrainable, type Trainable } from "../model/trainable.ts";
import { hostTensor, type NamedTensors } from "../util/tensor.ts";
import { isDue, timesDue } from "./course.ts";
import { runTraining } from "./training-run.ts";
import type { TrainingProgress } from "./training-run-options.ts";
import { beginOf, trainableAt } from "./unfreezing.ts";

const NAMES = {
  embeddings: "bert.embeddings.word_embeddings.weight",
  bottom: "bert.encoder.layer.0.output.dense.weight",
  top: "bert.encoder.layer.1.output.dense.weight",
  head: "classifier.weight",
} as const;
const unfreezing = { every: 1.5, layers: 2, trainable: "all" } as const;

test("the head and the top layer first, then a layer more after each while, at last the embeddings", () => {
  const trained = (step: number) => {
    const part = trainableAt(unfreezing, step);
    return Object.entries(NAMES).flatMap(([key, name]) => (isTrainable(part, name) ? [key] : []));
  };
  expect([0, 1, 2, 3, 4].map(trained)).toEqual([
    ["top", "head"],
    ["top", "head"],
    ["bottom", "top", "head"],
    ["embeddings", "bottom", "top", "head"],
    ["embeddings", "bottom", "top", "head"],
  ]);
  expect(Object.values(NAMES).map((name) => beginOf(unfreezing, name))).toEqual([3, 2, 0, 0]);
});

test("what is frozen for good stays so", () => {
  const part: Trainable = { layers: 1, embeddings: true };
  expect(trainableAt({ ...unfreezing, trainable: part }, 100)).toEqual(part);
  expect(beginOf({ ...unfreezing, trainable: part }, NAMES.bottom)).toBeUndefined();
});

test("what is due every so many updates is due as often as they fit, whole or not", () => {
  expect([1, 2, 3, 4, 5, 6].map((step) => isDue(step, 1.5))).toEqual([false, true, true, false, true, true]);
  expect([1, 2, 3, 4].map((step) => isDue(step, 2))).toEqual([false, true, false, true]);
  expect([1, 2].map((step) => isDue(step, 0))).toEqual([false, false]);
  // A third is no exact number, and 100 of them are nearly whole.
  expect(timesDue(100, 100 / 3)).toBe(3);
  expect(timesDue(99, 100 / 3)).toBe(2);
});

/** A run in which every gradient is 1; gives the weights after each step. */
async function train(steps: number, resume?: TrainingProgress, weights: NamedTensors = newWeights()) {
  const seen: Record<string, number>[] = [];
  const saves: TrainingProgress[] = [];
  const compiled: string[] = [];
  const values = () =>
    Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, weights.get(name)?.data[0]]));
  await runTraining({
    objective: {
      title: "test",
      shapeOf: () => ({}),
      inputs: () => ({}),
      measure: () => ({ microBatches: 1, loss: 1, tokens: 1, places: 1, flops: 0 }),
      emptySums: () => ({ microBatches: 0, loss: 0, tokens: 0, places: 0, flops: 0 }),
      means: ({ loss }) => ({ loss }),
      rowsOf: () => 1,
      check: () => {},
      rank: () => 0,
      isHigherBetter: false,
    },
    config: { ...builtinConfig("tiny", 10), numHiddenLayers: 2 },
    weights,
    phases: [
      {
        batches: { batchesPerEpoch: 1, batch: async () => ({}) },
        compile: (trainable) => async () => {
          compiled.push(JSON.stringify(trainable));
          return {
            dropoutSites: [],
            executable: {
              async run(_, outputs = {}) {
                for (const { data } of Object.values(outputs)) (data as Float32Array).fill(1);
                return { ...outputs, loss: hostTensor("float32", [], Float32Array.of(1)) };
              },
              dispose: async () => {},
            },
          };
        },
      },
    ],
    settings: {
      steps,
      seed: 1,
      optimizer: "adamw",
      schedule: "constant",
      learningRate: 0.25,
      warmupSteps: 0,
      weightDecay: 0.5,
      maxGradientNorm: 0,
      gradientAccumulationSteps: 1,
      unfreezeEvery: 1.5,
    },
    hooks: {
      loggingSteps: 100,
      onLog: () => {},
      onStep: () => void seen.push(values() as Record<string, number>),
      saveSteps: 0,
      onSave: async (progress) => void saves.push(structuredClone(progress)),
      evalSteps: 0,
      clock: () => 0,
    },
    ...(resume === undefined ? {} : { resume }),
  });
  return { seen, saves, compiled, weights };
}

const newWeights = (): NamedTensors =>
  new Map(Object.values(NAMES).map((name) => [name, hostTensor("float32", [1, 1], Float32Array.of(8))]));

test("frozen weights stay bit for bit; late ones make the steps of a parameter that begins", async () => {
  const { seen, compiled } = await train(5);
  expect(seen.map(({ bottom }) => bottom).slice(0, 2)).toEqual([8, 8]);
  expect(seen.map(({ embeddings }) => embeddings).slice(0, 3)).toEqual([8, 8, 8]);
  const first = seen.map(({ head }) => head as number);
  expect(seen.map(({ bottom }) => bottom).slice(2)).toEqual(first.slice(0, 3).map((value) => expect.closeTo(value, 6)));
  expect(seen.map(({ embeddings }) => embeddings).slice(3)).toEqual(
    first.slice(0, 2).map((value) => expect.closeTo(value, 6)),
  );
  expect(compiled).toHaveLength(3);
});

test("a run that goes on after any step equals one that was not stopped", async () => {
  const whole = await train(6);
  for (const stop of [1, 2, 3, 4]) {
    const begun = await train(stop);
    const { weights, saves } = begun;
    await train(6, saves.at(-1) as TrainingProgress, weights);
    expect([...weights.values()].map(({ data }) => data[0])).toEqual(
      [...whole.weights.values()].map(({ data }) => data[0]),
    );
  }
});
