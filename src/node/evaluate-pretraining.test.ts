/** Evaluation on a data folder: what training measured, masks by seed, parts, and what does not fit. */
import { cpSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, tinyConfig, writeData } from "../../test/pretraining-data.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ArgumentError, ConfigError, DataError, InterruptedError } from "../errors.ts";
import type { EvaluationMetrics } from "../train/metrics.ts";
import { type EvaluatePretrainingOptions, evaluateOnData } from "./evaluate-pretraining.ts";
import { pretrain } from "./pretrain.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
let measured: EvaluationMetrics;
beforeAll(async () => {
  fixture = await pretrainingFixture();
  const choices = { steps: 60, saveSteps: 0, learningRate: 5e-3, batchSize: 32, evalBatches: 100 };
  measured = (await pretrain(fixture.options("model", choices))).evaluation!;
});
afterAll(() => fixture.remove());

const evaluate = (more: Partial<EvaluatePretrainingOptions> = {}) =>
  evaluateOnData({ model: fixture.path("model"), data: fixture.data, threads: 2, ...more });

test("gives what training measured on the held-out part, whatever the size of batches", async () => {
  for (const batchSize of [5, 32]) {
    const result = await evaluate({ batchSize });
    expect(result).toMatchObject({ split: "held-out", instances: 24, masking: "char" });
    expect(result.engine).toMatchObject({ name: "onnxruntime", precision: "f32", threads: 2 });
    expect(result.seed).toBeUndefined();
    expect(result.predictions).toBe(measured.predictions);
    expect(result.sequences).toBe(24);
    expect(result.mlmLoss).toBeCloseTo(measured.mlmLoss, 5);
    expect(result.nspAccuracy).toBeCloseTo(measured.nspAccuracy, 10);
    expect(result.mlmAccuracy).toBe(measured.mlmAccuracy);
    expect(result.perplexity).toBeCloseTo(Math.exp(result.mlmLoss), 10);
  }
});

test("masks that are drawn anew hang on the seed alone", async () => {
  const [first, again, other] = await Promise.all([
    evaluate({ masking: "whole-word", batchSize: 7 }),
    evaluate({ masking: "whole-word", batchSize: 24 }),
    evaluate({ masking: "whole-word", seed: 3 }),
  ]);
  expect(first).toMatchObject({ masking: "whole-word", seed: 0 });
  expect(again.mlmLoss).toBeCloseTo(first.mlmLoss, 5);
  expect(Math.abs(other.mlmLoss - first.mlmLoss)).toBeGreaterThan(1e-4);
  const more = await evaluate({ maskedLmProb: 0.5 });
  expect(more.predictions).toBeGreaterThan(2 * first.predictions);
});

test("measures the part that is asked for, and its first instances", async () => {
  expect(await evaluate({ split: "train" })).toMatchObject({ split: "train", instances: 200 });
  expect(await evaluate({ maxInstances: 9 })).toMatchObject({ instances: 9, sequences: 9 });
  await writeData(fixture.path("whole"), { heldOut: 0, count: 30 });
  expect(await evaluate({ data: fixture.path("whole") })).toMatchObject({ split: "train", instances: 30 });
});

test("a model without a head for next sentences is measured on masks alone, with a word", async () => {
  const weights = readSafetensors(fixture.bytes("model", "model.safetensors"));
  for (const name of weights.keys()) if (name.startsWith("cls.seq_relationship")) weights.delete(name);
  copyModel("mlm-only");
  writeFileSync(fixture.path("mlm-only/model.safetensors"), Buffer.concat(writeSafetensors(weights)));
  const notes: string[] = [];
  const result = await evaluate({ model: fixture.path("mlm-only"), onNote: (note) => void notes.push(note) });
  expect(result.nspLoss).toBe(0);
  expect(result.mlmLoss).toBeCloseTo(measured.mlmLoss, 5);
  expect(notes.join()).toContain("no head for next sentences");
});

describe("refuses", () => {
  test("a model whose loss is not a number", async () => {
    const weights = readSafetensors(fixture.bytes("model", "model.safetensors"));
    weights.get("bert.embeddings.LayerNorm.bias")?.data.fill(Number.NaN as never);
    copyModel("nan");
    writeFileSync(fixture.path("nan/model.safetensors"), Buffer.concat(writeSafetensors(weights)));
    await expect(evaluate({ model: fixture.path("nan") })).rejects.toThrow(/nan: loss: expected numbers, got NaN/);
  });

  test("a model without an MLM head", async () => {
    const weights = readSafetensors(fixture.bytes("model", "model.safetensors"));
    for (const name of weights.keys()) if (name.startsWith("cls.predictions")) weights.delete(name);
    copyModel("headless");
    writeFileSync(fixture.path("headless/model.safetensors"), Buffer.concat(writeSafetensors(weights)));
    const failure = await evaluate({ model: fixture.path("headless") }).catch((error) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.hint).toContain("zhbert mlm-head");
  });

  test("data without masks, unless a way of masking is named", async () => {
    await writeData(fixture.path("unmasked"), { isMasked: false });
    await expect(evaluate({ data: fixture.path("unmasked") })).rejects.toThrow(ArgumentError);
    const result = await evaluate({ data: fixture.path("unmasked"), masking: "char" });
    expect(result.predictions).toBeGreaterThan(0);
  });

  test("a part that is not there", async () => {
    await writeData(fixture.path("whole"), { heldOut: 0, count: 30 });
    await expect(evaluate({ data: fixture.path("whole"), split: "held-out" })).rejects.toThrow(DataError);
  });

  test("a model with fewer positions than the data's sequences", async () => {
    copyModel("short");
    writeFileSync(fixture.path("short/config.json"), tinyConfig({ max_position_embeddings: 16 }));
    await expect(evaluate({ model: fixture.path("short") })).rejects.toThrow("max_position_embeddings");
  });

  test("to go on after an interruption", async () => {
    const signal = AbortSignal.abort();
    await expect(evaluate({ signal })).rejects.toThrow(InterruptedError);
  });
});

function copyModel(name: string): void {
  cpSync(fixture.path("model"), fixture.path(name), { recursive: true });
}
