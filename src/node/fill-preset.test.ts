/** What a run makes of a recipe: what was given wins, the rest keeps its proportions, and every difference is said. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, tinyConfig, writeData } from "../../test/pretraining-data.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ArgumentError, UsageError } from "../errors.ts";
import { builtinConfig } from "../model/config.ts";
import { findPreset } from "../train/presets.ts";
import { fillPretraining, type GivenPretraining } from "./fill-preset.ts";
import { fitBatches } from "./fit-batches.ts";
import { resolveConfig } from "./model-files.ts";
import { pretrain } from "./pretrain.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
  await writeData(fixture.path("longer"), { maxSeqLength: 64 });
});
afterAll(() => fixture.remove());

const MEMORY = { memoryBytes: 16e9 };
const fill = (name: string, given: Partial<GivenPretraining> = {}, options = MEMORY) =>
  fillPretraining(findPreset(name), { data: fixture.data, output: "out", ...given }, options);

describe("filled from a recipe", () => {
  test("are the published values, and micro-batches that make its sequences", async () => {
    const { choices, fitted, deviations } = await fill("roberta-wwm-ext");
    expect(choices).toMatchObject({
      config: "base",
      init: "google-bert/bert-base-chinese",
      optimizer: "adamw-bert",
      learningRate: 1e-4,
      steps: 1_000_000,
      warmupSteps: 10_000,
      weightDecay: 0.01,
      epsilon: 1e-6,
      maxGradientNorm: 1,
      dropout: 0.1,
    });
    const { batchSize = 0, gradientAccumulationSteps = 0 } = choices;
    expect(batchSize * gradientAccumulationSteps).toBe(384);
    expect(batchSize).toBeGreaterThan(1);
    expect(fitted?.phases[0]?.memory.total).toBeLessThan(16e9);
    expect(choices.secondPhase).toBeUndefined();
    expect(deviations).toContain("data: length 48 (published: 512)");
    expect(deviations).toContain("data: sentence task nsp (published: none)");
    expect(deviations.filter((text) => !text.startsWith("data: "))).toEqual([]);
  });

  test("what was given wins, and is said; warm-up keeps its part of the steps", async () => {
    const given = { steps: 2000, learningRate: 5e-5, batchSize: 16, optimizer: "adamw" as const, config: "tiny" };
    const { choices, fitted, deviations } = await fill("roberta-wwm-ext", given);
    expect(choices).toMatchObject({ ...given, warmupSteps: 20, gradientAccumulationSteps: 24 });
    expect(choices.init).toBeUndefined();
    expect(fitted).toBeUndefined();
    expect(deviations).toEqual(
      expect.arrayContaining([
        "steps 2,000 (published: 1,000,000)",
        "peak rate 0.00005 (published: 0.0001)",
        "size tiny (published: base)",
        "not started from google-bert/bert-base-chinese",
        "optimizer adamw (published: adamw-bert)",
      ]),
    );
    const other = await fill("roberta-wwm-ext", { gradientAccumulationSteps: 5 });
    expect(other.choices.batchSize).toBe(77);
    expect(other.deviations).toContain("sequences for an update 385 (published: 384)");
  });

  test("a second phase needs its data; its schedule is its own or spans both", async () => {
    const without = await fill("bert-wwm");
    expect(without.choices).toMatchObject({ steps: 100_000, warmupSteps: 10_000 });
    expect(without.choices.secondPhase).toBeUndefined();
    expect(without.deviations).toContain(
      "no second phase (100,000 updates of 384 sequences of 512 tokens): --phase2-data adds it",
    );
    const secondPhase = { data: fixture.path("longer") };
    const own = await fill("bert-wwm", { secondPhase });
    expect(own.choices.secondPhase).toMatchObject({
      ...secondPhase,
      steps: 100_000,
      learningRate: 1e-4,
      warmupSteps: 10_000,
    });
    const { batchSize = 0, gradientAccumulationSteps = 0 } = own.choices.secondPhase!;
    expect(batchSize * gradientAccumulationSteps).toBe(384);
    expect(own.deviations).toContain("second phase: data: length 64 (published: 512)");
    const spanning = await fill("bert-base-chinese", { secondPhase, steps: 900, batchSize: 8 });
    expect(spanning.choices).toMatchObject({ steps: 900, secondPhase: { steps: 100_000 } });
    expect(spanning.choices.secondPhase?.learningRate).toBeUndefined();
    expect(spanning.choices.warmupSteps).toBe(Math.round((10_000 / 1_000_000) * 100_900));
    const one = fill("macbert", { secondPhase });
    await expect(one).rejects.toBeInstanceOf(UsageError);
  });

  test("hours and steps take each other's place", async () => {
    const hours = await fill("academic-budget", { batchSize: 8 });
    expect(hours.choices).toMatchObject({ hours: 24, warmupShare: 0.06, maxGradientNorm: 0, beta2: 0.98 });
    expect(hours.choices.steps).toBeUndefined();
    const steps = await fill("cramming", { steps: 400, batchSize: 8 });
    expect(steps.choices).toMatchObject({ steps: 400, warmupSteps: 300, dynamicMasking: true, dropout: 0 });
    expect(steps.choices.hours).toBeUndefined();
    const asHours = await fill("bert-wwm", { hours: 2, batchSize: 8 });
    expect(asHours.choices).toMatchObject({ hours: 2, warmupShare: 0.1 });
    expect(asHours.choices.steps).toBeUndefined();
    expect(asHours.deviations).toContain("hours 2 (published: 100000 steps)");
  });

  test("a given model has its own size, but for a recipe that takes its first layers", async () => {
    expect((await fill("bert-wwm", { init: fixture.path("model"), batchSize: 1 })).choices.config).toBeUndefined();
    expect((await fill("rbt3", { init: fixture.path("model"), batchSize: 1 })).choices.config).toBe("rbt3");
    const none = (await fill("bert-wwm", { init: "none", batchSize: 1 })).choices;
    expect([none.init, none.config]).toEqual([undefined, "base"]);
  });
});

test("batches that fit: fewer at once with less memory, recomputation only where nothing else fits", () => {
  const config = builtinConfig("tiny", 21_128);
  const shapes = [
    { seqLength: 128, maxPredictions: 20, sequences: 2560 },
    { seqLength: 512, maxPredictions: 80, sequences: 384 },
  ];
  const batches = (memoryBytes: number, recompute = false) =>
    fitBatches(config, shapes, { nextSentence: true, memoryBytes, ...(recompute ? { recompute } : {}) });
  const [large, small] = [batches(16e9), batches(0.75e9)];
  expect(large?.recompute).toBe(false);
  expect(large?.phases.map((way) => way.batchSize * way.gradientAccumulationSteps)).toEqual([2560, 384]);
  expect(small!.phases[0]!.batchSize).toBeLessThanOrEqual(large!.phases[0]!.batchSize);
  for (const way of small!.phases) expect(way.memory.total).toBeLessThan(0.75e9);
  expect(batches(16e9, true)?.recompute).toBe(true);
  expect(batches(1e8)).toBeUndefined();
});

test("sizes of recipes are known by name", async () => {
  expect(await resolveConfig("minirbt-h256", 100)).toMatchObject({
    hiddenSize: 256,
    numHiddenLayers: 6,
    vocabSize: 100,
  });
  expect(await resolveConfig("cramming", 100)).toMatchObject({ hiddenSize: 768, numHiddenLayers: 16 });
  await expect(resolveConfig("minirbt", 100)).rejects.toThrow(ArgumentError);
});

test("a config of fewer layers takes the first layers of --init", async () => {
  const shared = { data: fixture.data, batchSize: 8, threads: 2, warmupSteps: 0, saveSteps: 0 };
  await pretrain({ ...shared, output: fixture.path("teacher"), config: fixture.config, steps: 2, learningRate: 1e-2 });
  const one = fixture.path("one-layer.json");
  writeFileSync(one, tinyConfig({ num_hidden_layers: 1 }));
  const student = fixture.path("student");
  let initialized: readonly string[] = ["?"];
  await pretrain({
    ...shared,
    output: student,
    config: one,
    init: fixture.path("teacher"),
    steps: 1,
    learningRate: 1e-12,
    onStart: (start) => (initialized = start.initialized),
  });
  expect(initialized).toEqual([]);
  const read = (folder: string) => readSafetensors(readFileSync(join(folder, "model.safetensors")));
  const [teacher, taken] = [read(fixture.path("teacher")), read(student)];
  expect([...taken.keys()].some((name) => name.includes("layer.1."))).toBe(false);
  const name = "bert.encoder.layer.0.attention.self.query.weight";
  const [before, after] = [teacher.get(name)!.data, taken.get(name)!.data];
  expect(after.length).toBe(before.length);
  for (let i = 0; i < after.length; i++) expect(after[i] as number).toBeCloseTo(before[i] as number, 9);
});
