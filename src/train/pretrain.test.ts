/** The loop over a model that is simple enough to follow by hand (test/quadratic-run.ts). */
import { describe, expect, test } from "vitest";
import { batch, quadratic, setUp } from "../../test/quadratic-run.ts";
import { DataError, InterruptedError, TrainingError } from "../errors.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import type { EvaluationMetrics } from "./metrics.ts";
import { runPretraining } from "./pretrain.ts";
import type { CompileStep } from "./pretraining-step.ts";
import type { TrainingSettings } from "./settings.ts";

test("logs the means since the last line, with epoch, rate and tokens a second", async () => {
  const { options, lines } = setUp({ steps: 5 });
  await runPretraining(options);
  expect(lines.map(({ step, epoch }) => [step, epoch])).toEqual([
    [2, 0],
    [4, 1],
    [5, 1],
  ]);
  // Batches 0 and 1; the first loss is (9 + 1) / 2, the second that after one step of 0.1 towards 0.
  expect(lines[0]!.loss).toBeCloseTo((5 + (1.9 ** 2 + 1.9 ** 2) / 2) / 2, 5);
  expect(lines[0]!.mlmAccuracy).toBe(0.5);
  expect(lines[0]!.learningRate).toBeCloseTo(0.08, 12);
  expect(lines[0]!.gradientNorm).toBeCloseTo(Math.hypot(1.9, 1.9), 5);
  expect(lines[0]!.tokensPerSecond).toBe(8);
});

test("accumulated micro-batches give the update of their mean", async () => {
  const accumulated = setUp({ steps: 1, gradientAccumulationSteps: 2, optimizer: "adamw-bert", learningRate: 0.01 });
  await runPretraining(accumulated.options);
  const single = setUp({ steps: 1, optimizer: "adamw-bert", learningRate: 0.01 });
  // Mean target of batches 0 and 1: 0.5; the loss is linear in it up to a constant, so the gradient is the mean's.
  const half = { ...single.options, compile: meanOfTargets };
  await runPretraining(half);
  expect([...accumulated.weights]).toEqual([...single.weights]);
  expect(accumulated.lines[0]!.gradientNorm).toBeCloseTo(Math.hypot(2.5, -1.5), 5);
});

const meanOfTargets: CompileStep = async (shape, mode) => {
  const { executable, dropoutSites } = await quadratic()(shape, mode);
  const at = (target: number) => hostTensor("int32", [1, 2], Int32Array.of(target, 1));
  return {
    dropoutSites,
    executable: {
      dispose: executable.dispose,
      async run(inputs, outputs) {
        const low = (await executable.run({ ...inputs, input_ids: at(0) })) as Record<string, HostTensor<"float32">>;
        const high = (await executable.run({ ...inputs, input_ids: at(1) })) as Record<string, HostTensor<"float32">>;
        const gradient = outputs!["grad.w"]!.data as Float32Array;
        gradient.set(low["grad.w"]!.data.map((value, i) => (value + high["grad.w"]!.data[i]!) / 2));
        return { ...low, "grad.w": outputs!["grad.w"]! };
      },
    },
  };
};

test("the optimiser's numbers and no clipping at all", async () => {
  // With beta1 = beta2 = 0 and a large epsilon a step is rate x gradient / epsilon.
  const { options, weights } = setUp({
    steps: 1,
    beta1: 0,
    beta2: 0,
    epsilon: 1e6,
    maxGradientNorm: 0,
    learningRate: 1e5,
  });
  await runPretraining(options);
  expect([...weights]).toEqual([expect.closeTo(2.7, 4), expect.closeTo(-0.9, 4)]);
});

test("an engine that returns its own memory trains the same", async () => {
  const inPlace = setUp();
  await runPretraining(inPlace.options);
  const copied = setUp();
  await runPretraining({ ...copied.options, compile: quadratic([], false) });
  expect([...copied.weights]).toEqual([...inPlace.weights]);
});

test("dropout masks differ by micro-batch and seed, and are the same in every run", async () => {
  const masksOf = async (seed: number) => {
    const log: string[] = [];
    await runPretraining({ ...setUp({ seed, gradientAccumulationSteps: 2 }).options, compile: quadratic(log) });
    return log;
  };
  const first = await masksOf(1);
  expect(first).toHaveLength(8);
  expect(new Set(first).size).toBeGreaterThan(6);
  expect(await masksOf(1)).toEqual(first);
  expect(await masksOf(2)).not.toEqual(first);
});

test("saves when due and at the end, once each, and evaluates likewise", async () => {
  const evaluations: [number, EvaluationMetrics][] = [];
  const { options, saves } = setUp(
    { steps: 5 },
    {
      saveSteps: 2,
      evalSteps: 5,
      heldOut: () => [batch(1), batch(2), batch(2)],
      onEvaluation: (step, metrics) => void evaluations.push([step, metrics]),
    },
  );
  const { step, evaluation } = await runPretraining(options);
  expect([step, saves]).toEqual([5, [2, 4, 5]]);
  expect(evaluations).toEqual([[5, evaluation]]);
  expect(evaluation).toMatchObject({ predictions: 3, sequences: 3 });
  expect(evaluation!.mlmAccuracy).toBeCloseTo(1 / 3, 12);
  expect(evaluation!.mostFrequentAccuracy).toBeCloseTo(2 / 3, 12);
});

describe("what cannot go on", () => {
  test("a loss that is not a number: step and batches are told, weights are those before, and saved", async () => {
    const seen: unknown[] = [];
    const { options, weights, saves } = setUp(
      {},
      {
        onBadBatches: async (step, batches) => {
          seen.push(
            step,
            batches.map(({ inputIds }) => inputIds[0]),
          );
          return "bad.safetensors";
        },
      },
    );
    let before: number[] = [];
    const source = async (index: number) => {
      before = [...weights];
      return batch(index);
    };
    const compile: CompileStep = async (shape, mode) => {
      const { executable, dropoutSites } = await quadratic()(shape, mode);
      const run: typeof executable.run = async (inputs, outputs) => {
        const results = await executable.run(inputs, outputs);
        if ((inputs["input_ids"] as HostTensor).data[0] === 2)
          (results["grad.w"]!.data as Float32Array)[1] = Number.NaN;
        return results;
      };
      return { dropoutSites, executable: { run, dispose: executable.dispose } };
    };
    const attempt = runPretraining({ ...options, compile, batches: { batchesPerEpoch: 9, batch: source } });
    await expect(attempt).rejects.toBeInstanceOf(TrainingError);
    await expect(attempt).rejects.toThrow(
      /^step 3: expected a finite loss and gradient, got loss .*, gradient norm NaN$/,
    );
    await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining("its batch is in bad.safetensors") });
    expect(seen).toEqual([3, [2]]);
    expect(saves).toEqual([2]);
    expect([...weights]).toEqual(before);
    const inBf16 = runPretraining({
      ...options,
      precision: "bf16",
      compile,
      batches: { batchesPerEpoch: 9, batch: source },
    });
    await expect(inBf16).rejects.toThrow(/gradient norm NaN, computed in bf16$/);
    await expect(inBf16).rejects.toMatchObject({ hint: expect.stringContaining("begin anew with --precision f32") });
  });

  test("an interruption saves once and is told", async () => {
    const controller = new AbortController();
    const { options, saves } = setUp(
      {},
      { signal: controller.signal, onStep: (step) => (step === 2 ? controller.abort() : undefined) },
    );
    await expect(runPretraining(options)).rejects.toBeInstanceOf(InterruptedError);
    expect(saves).toEqual([2]);
  });

  test("ids that the model does not have are refused before they reach the engine", async () => {
    const { options } = setUp();
    const batches = { batchesPerEpoch: 1, batch: async () => batch(100) };
    const attempt = runPretraining({ ...options, batches });
    await expect(attempt).rejects.toBeInstanceOf(DataError);
    await expect(attempt).rejects.toThrow("batch 0: input id [0, 0]: expected a number from 0 to 99, got 100");
  });

  test.each<[Partial<TrainingSettings>, string]>([
    [{ steps: 0 }, "steps: expected an integer of 1 or more, got 0"],
    [{ gradientAccumulationSteps: 0 }, "gradient accumulation steps: expected an integer of 1 or more, got 0"],
    [{ maxGradientNorm: -1 }, "gradient norm limit: expected a number of 0 or more, got -1"],
    [{ beta2: 1 }, "beta2: expected a number from 0 to below 1, got 1"],
    [{ epsilon: 0 }, "epsilon: expected a number above 0, got 0"],
    [{ weightDecay: -0.1 }, "weight decay: expected 0 or more, got -0.1"],
    [{ warmupSteps: 4 }, "warm-up steps: expected an integer from 0 to 3"],
  ])("settings %j", async (changes, message) => {
    await expect(runPretraining(setUp(changes).options)).rejects.toThrow(message);
  });
});
