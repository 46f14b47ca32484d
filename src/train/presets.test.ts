/** Recipes: each value with its source, all of them possible, and the numbers that people quote. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { builtinSizes } from "../model/config.ts";
import { findPreset, type Preset, presetSizes, presets, type Sourced } from "./presets.ts";
import { learningRate } from "./schedules.ts";
import { checkSettings, scheduleFor, type TrainingSettings } from "./settings.ts";

const names = presets.map(({ name }) => name);

/** The settings of a run that follows the recipe, but for its hours. */
function settingsOf({ pretrain }: Preset): TrainingSettings {
  const { second } = pretrain;
  const value = <T>(sourced: Sourced<T> | undefined) => sourced?.[0] as T;
  const steps = value(pretrain.steps) ?? 1000;
  const warmupSteps = value(pretrain.warmupSteps) ?? Math.round(value(pretrain.warmupShare) * steps);
  const optional = {
    ...(pretrain.schedule && { schedule: value(pretrain.schedule) }),
    ...(pretrain.schedulePower && { schedulePower: value(pretrain.schedulePower) }),
    ...(second && {
      secondPhase: {
        steps: value(second.steps),
        gradientAccumulationSteps: 1,
        ...(second.learningRate && {
          learningRate: value(second.learningRate),
          warmupSteps: Math.round(value(second.warmupShare) * value(second.steps)),
        }),
      },
    }),
  };
  return {
    steps,
    seed: 1,
    gradientAccumulationSteps: 1,
    optimizer: value(pretrain.optimizer),
    learningRate: value(pretrain.learningRate),
    warmupSteps,
    weightDecay: value(pretrain.weightDecay),
    beta1: value(pretrain.beta1),
    beta2: value(pretrain.beta2),
    epsilon: value(pretrain.epsilon),
    maxGradientNorm: value(pretrain.maxGradientNorm),
    ...optional,
  };
}

describe.each(presets)("$name", (preset) => {
  test("says of each value where it is published, or that it was assumed and why", () => {
    const { second, ...first } = preset.pretrain;
    const values = [preset.data, preset.secondData ?? {}, first, second ?? {}].flatMap((part) => Object.entries(part));
    expect(values.length).toBeGreaterThan(15);
    for (const [name, [value, source]] of values as [string, Sourced<unknown>][]) {
      expect(value, name).toBeDefined();
      expect(source, name).toMatch(/^assumed: \S+ .{8,}|^\S+[./]\S+|^bert_config\.json/);
    }
    expect(preset.differences.length).toBeGreaterThan(0);
  });

  test("can be trained", () => {
    expect(() => checkSettings(settingsOf(preset), { loggingSteps: 1 })).not.toThrow();
    const size = preset.pretrain.config?.[0] ?? "";
    expect(Object.hasOwn(builtinSizes, size) || Object.hasOwn(presetSizes, size)).toBe(true);
    expect((preset.pretrain.steps === undefined) !== (preset.pretrain.hours === undefined)).toBe(true);
    expect(preset.secondData === undefined).toBe(preset.pretrain.second === undefined);
    const { maxSeqLength, maxPredictionsPerSeq, maskedLmProb } = preset.data;
    expect(maxPredictionsPerSeq?.[0]).toBeGreaterThanOrEqual((maskedLmProb?.[0] ?? 1) * (maxSeqLength?.[0] ?? 1));
  });
});

test("are those of the field", () => {
  const wanted = "bert-base-chinese bert-wwm bert-wwm-ext roberta-wwm-ext rbt3 macbert minirbt nvidia-lamb";
  expect(names).toEqual([...wanted.split(" "), "academic-budget", "cramming"]);
});

test("NVIDIA's rates are those of its schedule", () => {
  const settings = settingsOf(findPreset("nvidia-lamb"));
  const [first, second] = ([0, 1] as const).map((phase) => scheduleFor(settings, phase).schedule);
  expect([first?.warmupSteps, second?.warmupSteps]).toEqual([2001, 200]);
  expect(learningRate(first!, 2000)).toBeCloseTo(6e-3 * Math.sqrt(1 - 2001 / 7038), 12);
});

test("an unknown name is told the nearest, and names have no case", () => {
  expect(findPreset("BERT-wwm").title).toBe("BERT-wwm");
  const error = (() => {
    try {
      return findPreset("roberta-wwm-exd");
    } catch (reason) {
      return reason;
    }
  })();
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as ArgumentError).hint).toBe("did you mean roberta-wwm-ext?");
});
