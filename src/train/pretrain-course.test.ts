/** The course of a run in the loop: by hours, in two phases, with an average. */
import { describe, expect, test } from "vitest";
import { batch, quadratic, setUp } from "../../test/quadratic-run.ts";
import { InterruptedError } from "../errors.ts";
import type { EvaluationMetrics } from "./metrics.ts";
import { runPretraining } from "./pretrain.ts";
import type { PretrainingHooks, PretrainingRunOptions } from "./pretraining-run-options.ts";
import type { TrainingSettings } from "./settings.ts";
import type { TrainingProgress } from "./training-run-options.ts";

describe("by hours", () => {
  const hours = (every: number, more: Partial<PretrainingRunOptions> = {}) => {
    let time = 0;
    const states: TrainingProgress[] = [];
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

describe("two phases", () => {
  const phases = (changes: Partial<TrainingSettings> = {}, hookChanges: Partial<PretrainingHooks> = {}) => {
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
    const states: TrainingProgress[] = [];
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
