/** The loop over a model that is simple enough to follow by hand: loss = sum over weights of (w - target of the batch)^2 / 2. */
import { describe, expect, test } from "vitest";
import type { PretrainingBatch } from "../data/instance.ts";
import { DataError, InterruptedError, TrainingError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import type { EvaluationMetrics, LoggedMetrics } from "./metrics.ts";
import { runPretraining } from "./pretrain.ts";
import type { PretrainingHooks, PretrainingProgress, PretrainingRunOptions } from "./pretraining-run-options.ts";
import type { CompileStep } from "./pretraining-step.ts";
import type { PretrainingSettings } from "./settings.ts";

const config = builtinConfig("tiny", 100);

/** One row of two tokens; the target of the model is the first id. */
function batch(target: number): PretrainingBatch {
  return {
    batchSize: 1,
    seqLength: 2,
    maxPredictions: 1,
    inputIds: Int32Array.of(target, 1),
    tokenTypeIds: new Int32Array(2),
    attentionMask: Int32Array.of(1, 1),
    maskedLmPositions: Int32Array.of(0),
    maskedLmIds: Int32Array.of(target),
    maskedLmWeights: Float32Array.of(1),
    nextSentenceLabels: new Int32Array(1),
  };
}

/** The model above as an executable; `log` records the dropout masks of each training run. */
function quadratic(log: string[] = [], writesInPlace = true): CompileStep {
  return async (_, mode) => ({
    dropoutSites: mode === "train" ? [{ name: "dropout.x", shape: [8], rate: 0.5 }] : [],
    executable: {
      async run(inputs, outputs = {}) {
        if (mode === "train") log.push((inputs["dropout.x"] as HostTensor).data.join(""));
        const weight = (inputs["w"] as HostTensor).data as Float32Array;
        const target = Number((inputs["input_ids"] as HostTensor).data[0]);
        const gradient = weight.map((w) => w - target);
        const given = outputs["grad.w"]?.data as Float32Array | undefined;
        if (writesInPlace) given?.set(gradient);
        const scalar = (value: number) => hostTensor("float32", [], Float32Array.of(value));
        const loss = gradient.reduce((sum, g) => sum + (g * g) / 2, 0);
        return {
          "grad.w": hostTensor("float32", [2], writesInPlace && given ? given : gradient),
          loss: scalar(loss),
          mlm_loss: scalar(loss),
          mlm_correct: scalar(target % 2),
        };
      },
      dispose: async () => {},
    },
  });
}

const settings: PretrainingSettings = {
  steps: 4,
  seed: 1,
  optimizer: "adamw",
  learningRate: 0.1,
  warmupSteps: 0,
  weightDecay: 0,
  maxGradientNorm: Number.POSITIVE_INFINITY,
  gradientAccumulationSteps: 1,
};

function setUp(changes: Partial<PretrainingSettings> = {}, hookChanges: Partial<PretrainingHooks> = {}) {
  const weights: NamedTensors = new Map([["w", hostTensor("float32", [2], Float32Array.of(3, -1))]]);
  const lines: LoggedMetrics[] = [];
  const saves: number[] = [];
  let time = 0;
  const hooks: PretrainingHooks = {
    loggingSteps: 2,
    onLog: (metrics) => void lines.push(metrics),
    saveSteps: 0,
    onSave: async ({ step }) => void saves.push(step),
    evalSteps: 0,
    clock: () => (time += 500),
    ...hookChanges,
  };
  const options: PretrainingRunOptions = {
    config,
    weights,
    batches: { batchesPerEpoch: 3, batch: async (index) => batch(index % 3) },
    compile: quadratic(),
    settings: { ...settings, ...changes },
    hooks,
  };
  return { options, weights: weights.get("w")!.data as Float32Array, lines, saves };
}

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

describe("by hours", () => {
  const hours = (every: number, more: Partial<PretrainingRunOptions> = {}) => {
    let time = 0;
    const states: PretrainingProgress[] = [];
    const set = setUp(
      { steps: Number.MAX_SAFE_INTEGER, hours: 1, warmupShare: 0.25 },
      { loggingSteps: 1, saveSteps: 2, clock: () => (time += every * 3_600_000) },
    );
    const onSave: PretrainingHooks["onSave"] = async (progress) => void states.push(structuredClone(progress));
    return { ...set, states, options: { ...set.options, hooks: { ...set.options.hooks, onSave }, ...more } };
  };

  test("the rate follows the clock, which ends the run; its trace repeats it at any speed, also when resumed", async () => {
    const first = hours(0.021);
    await runPretraining(first.options);
    const { step, budget } = first.states.at(-1)!;
    expect(step).toBeGreaterThan(4);
    expect(first.lines[0]!.learningRate).toBeLessThan(first.lines[2]!.learningRate);
    expect(first.lines.at(-1)!.learningRate).toBeLessThan(0.05);
    expect(first.lines.at(-1)!.progress).toBe(1);

    const slow = hours(0.0001, { replay: budget!.trace });
    await runPretraining(slow.options);
    expect([...slow.weights]).toEqual([...first.weights]);
    expect(slow.lines.map(({ learningRate }) => learningRate)).toEqual(first.lines.map((line) => line.learningRate));

    const controller = new AbortController();
    const stopped = hours(0.3, { replay: budget!.trace });
    const onStep = (done: number) => (done === 3 ? controller.abort() : undefined);
    const stopping = { ...stopped.options, hooks: { ...stopped.options.hooks, onStep, signal: controller.signal } };
    await expect(runPretraining(stopping)).rejects.toBeInstanceOf(InterruptedError);
    await runPretraining({ ...stopped.options, resume: stopped.states.at(-1)! });
    expect([...stopped.weights]).toEqual([...first.weights]);
  });

  test("warm-up is a share of the time there, and steps otherwise", async () => {
    await expect(runPretraining(setUp({ hours: 1, warmupSteps: 2 }).options)).rejects.toThrow(
      "warm-up steps: expected a run by steps",
    );
    await expect(runPretraining(setUp({ warmupShare: 0.1 }).options)).rejects.toThrow("expected a run by hours");
  });
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

describe("two phases", () => {
  const phases = (changes: Partial<PretrainingSettings> = {}, hookChanges: Partial<PretrainingHooks> = {}) => {
    const taken: string[] = [];
    const masks: string[] = [];
    const source = (name: string) => ({
      batchesPerEpoch: 3,
      batch: async (index: number) => {
        taken.push(`${name}${index}`);
        return batch(index % 3);
      },
    });
    const secondPhase = { steps: 3, gradientAccumulationSteps: 1 };
    const set = setUp({ gradientAccumulationSteps: 2, secondPhase, ...changes }, hookChanges);
    const second = { batches: source("b"), compile: quadratic(masks), heldOut: () => [batch(1)] };
    const options = { ...set.options, batches: source("a"), compile: quadratic(masks), secondPhase: second };
    return { ...set, options, taken, masks };
  };

  test("the second takes its own data from the first batch on, with new dropout masks; each ends with a checkpoint", async () => {
    const { options, taken, masks, lines, saves } = phases({ steps: 3 });
    await runPretraining(options);
    expect(taken).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2"]);
    expect(new Set(masks).size).toBeGreaterThan(7);
    expect(saves).toEqual([3, 6]);
    expect(lines.map(({ step, phase, epoch, batchSize }) => [step, phase, epoch, batchSize])).toEqual([
      [2, 1, 1, 2],
      [3, 1, 2, 2],
      [4, 2, 0, 1],
      [6, 2, 1, 1],
    ]);
  });

  test.each([1, 2, 3, 4, 5])("a run that goes on from step %i equals one that was not stopped", async (stop) => {
    const more = { steps: 3, batchRamp: 1, averageDecay: 0.5, optimizer: "lamb" } as const;
    const whole = phases(more);
    await runPretraining(whole.options);
    const stopped = phases(more);
    const states: PretrainingProgress[] = [];
    const onSave: PretrainingHooks["onSave"] = async (state) => void states.push(structuredClone(state));
    const controller = new AbortController();
    const onStep = (step: number) => (step === stop ? controller.abort() : undefined);
    const hooks = { ...stopped.options.hooks, onSave };
    const stopping = { ...stopped.options, hooks: { ...hooks, onStep, signal: controller.signal } };
    await expect(runPretraining(stopping)).rejects.toBeInstanceOf(InterruptedError);
    await runPretraining({ ...stopped.options, hooks, resume: states.at(-1)! });
    expect([...stopped.weights]).toEqual([...whole.weights]);
    expect(stopped.taken).toEqual(whole.taken);
    expect(stopped.masks).toEqual(whole.masks);
  });

  test("settings without data for it, and data without settings, are refused", async () => {
    const { secondPhase, ...alone } = phases().options;
    await expect(runPretraining(alone)).rejects.toThrow("expected settings and batches for it, got settings alone");
    await expect(runPretraining({ ...setUp().options, secondPhase: secondPhase! })).rejects.toThrow(
      "got batches alone",
    );
  });

  test("the best is looked for in the second alone, and early stop ends only that", async () => {
    const best: number[] = [];
    const hooks: Partial<PretrainingHooks> = {
      evalSteps: 1,
      heldOut: () => [batch(1)],
      onBest: async ({ step }) => void best.push(step),
    };
    // Towards the targets of training the loss on target 1 falls, then rises again.
    const { options, saves } = phases(
      {
        steps: 2,
        learningRate: 0.5,
        patience: 2,
        secondPhase: { steps: 40, gradientAccumulationSteps: 1, learningRate: 1 },
        schedule: "constant",
      },
      hooks,
    );
    const summary = await runPretraining(options);
    expect(summary.isStoppedEarly).toBe(true);
    expect(summary.best!.since).toBe(2);
    expect(best[0]).toBe(3);
    expect(saves).toEqual([2, summary.step]);
    expect(summary.step).toBeLessThan(42);
    expect(summary.metrics!.step).toBe(summary.step);
  });
});

test("the average is evaluated beside the weights", async () => {
  const seen: [EvaluationMetrics, EvaluationMetrics | undefined][] = [];
  const { options } = setUp(
    { averageDecay: 0.9 },
    { heldOut: () => [batch(1)], onEvaluation: (_, own, average) => void seen.push([own, average]) },
  );
  await runPretraining(options);
  expect(seen).toHaveLength(1);
  expect(seen[0]![1]!.loss).not.toBe(seen[0]![0].loss);
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

  test.each<[Partial<PretrainingSettings>, string]>([
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
