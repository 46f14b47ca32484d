/** Adversarial passes on a model that can be followed by hand: loss = sum over the batch's rows of the table of (w - target)^2 / 2. */
import { describe, expect, test } from "vitest";
import { builtinConfig } from "../model/config.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { type Adversarial, EmbeddingPerturbation } from "./adversarial.ts";
import type { RunPosition } from "./metrics.ts";
import { runTraining } from "./training-run.ts";
import type { CompileStep } from "./training-step.ts";

const TABLE = "bert.embeddings.word_embeddings.weight";
const TARGET = 1;
/** Rows of two numbers; the last row is in no batch. */
const start = [3, -1, 0.5, 2, 7, 7];

interface Batch {
  readonly ids: readonly number[];
}

const newTable = (): NamedTensors => new Map([[TABLE, hostTensor("float32", [3, 2], Float32Array.from(start))]]);

/** Gradient of the loss at some table, on the batch's rows. */
function gradientAt(table: Float32Array, ids: Iterable<number>): Float32Array {
  const gradient = new Float32Array(table.length);
  for (const row of new Set(ids)) {
    for (const i of [2 * row, 2 * row + 1]) gradient[i] = (table[i] as number) - TARGET;
  }
  return gradient;
}

/** @param seen - takes the table of each pass. */
function compile(seen: number[][]): CompileStep<object> {
  return async () => ({
    dropoutSites: [],
    executable: {
      async run(inputs, outputs = {}) {
        const table = (inputs[TABLE] as HostTensor).data as Float32Array;
        seen.push([...table]);
        const gradient = gradientAt(table, (inputs["input_ids"] as HostTensor<"int32">).data);
        (outputs[`grad.${TABLE}`] as HostTensor<"float32">).data.set(gradient);
        const loss = gradient.reduce((sum, value) => sum + value ** 2 / 2, 0);
        return { ...outputs, loss: hostTensor("float32", [], Float32Array.of(loss)) };
      },
      dispose: async () => {},
    },
  });
}

async function oneUpdate(adversarial: Adversarial, ids = [0, 1, 0]) {
  const seen: number[][] = [];
  const weights = newTable();
  const lines: RunPosition[] = [];
  await runTraining({
    objective: {
      title: "test",
      shapeOf: () => ({}),
      inputs: (batch: Batch) => ({
        input_ids: hostTensor("int32", [batch.ids.length], Int32Array.from(batch.ids)),
      }),
      measure: (_, { loss }) => ({ ...empty(), microBatches: 1, loss: Number(loss?.data[0]) }),
      emptySums: empty,
      means: ({ loss }) => ({ loss }),
      rowsOf: () => 1,
      check: () => {},
      rank: () => 0,
      isHigherBetter: false,
    },
    config: builtinConfig("tiny", 3),
    weights,
    phases: [{ batches: { batchesPerEpoch: 1, batch: async () => ({ ids }) }, compile: () => compile(seen) }],
    settings: {
      steps: 1,
      seed: 1,
      optimizer: "adamw",
      learningRate: 0.1,
      warmupSteps: 0,
      weightDecay: 0,
      maxGradientNorm: 0,
      gradientAccumulationSteps: 1,
      adversarial,
    },
    hooks: {
      loggingSteps: 1,
      onLog: (line) => void lines.push(line),
      saveSteps: 0,
      onSave: async () => {},
      evalSteps: 0,
      clock: () => 0,
    },
  });
  return {
    seen,
    norm: lines[0]?.gradientNorm as number,
    table: [...(weights.get(TABLE) as HostTensor<"float32">).data],
  };
}

const empty = () => ({ microBatches: 0, loss: 0, tokens: 0, places: 0, flops: 0 });
const gradient = [...gradientAt(Float32Array.from(start), [0, 1])];
const norm = Math.hypot(...gradient);
const moved = (distance: number) => start.map((value, i) => value + (distance * (gradient[i] as number)) / norm);
const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));

describe("fgm", () => {
  test("computes the batch again at a distance of epsilon along the gradient, and adds the gradients", async () => {
    const run = await oneUpdate({ method: "fgm", epsilon: 0.5 });
    expect(run.seen).toEqual([start, close(moved(0.5))]);
    // There the gradient is the first one, longer by epsilon.
    expect(run.norm).toBeCloseTo(2 * norm + 0.5, 5);
  });

  test("puts the embeddings back before the update, and rows that are not in the batch never move", async () => {
    const { table } = await oneUpdate({ method: "fgm", epsilon: 100 });
    // Adam's first step is the learning rate against the sign of the gradient; -0.1 where the start is above the target.
    expect(table).toEqual(close([2.9, -0.9, 0.6, 1.9, 7, 7]));
  });

  test("where there is no gradient nothing moves", async () => {
    const { seen } = await oneUpdate({ method: "fgm" }, []);
    expect(seen).toEqual([start, start]);
  });
});

describe("pgd", () => {
  test("goes on in steps, stays within the ball, and takes the gradients of the last pass", async () => {
    const run = await oneUpdate({ method: "pgd", epsilon: 0.7, stepSize: 0.3, steps: 3 });
    expect(run.seen).toEqual([start, close(moved(0.3)), close(moved(0.6)), close(moved(0.7))]);
    expect(run.norm).toBeCloseTo(2 * norm + 0.7, 5);
  });
});

test("rows come back bit for bit, whatever moved them", () => {
  const weights = newTable();
  const perturbation = new EmbeddingPerturbation(weights, { method: "pgd" });
  const { data: table } = weights.get(TABLE) as HostTensor<"float32">;
  perturbation.begin([2, 0, 2]);
  perturbation.step(new Map([[TABLE, gradientAt(table, [0, 2])]]));
  expect([...table]).not.toEqual(start);
  expect(table[2]).toBe(start[2]);
  table[4] = Number.NaN;
  perturbation.end();
  expect([...table]).toEqual(start);
});

test("needs embeddings that are trained", () => {
  expect(() => new EmbeddingPerturbation(new Map(), { method: "fgm" })).toThrow(
    "adversarial training: expected word embeddings that are trained, got frozen ones",
  );
});
