/** Pre-training from folder to folder, through the engine: it learns, takes its choices, and refuses what does not fit. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, tinyConfig, vocabulary, writeData } from "../../test/pretraining-data.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ArgumentError, ConfigError, DataError, FileError, InterruptedError, TrainingError } from "../errors.ts";
import { parseConfig } from "../model/config.ts";
import type { LoggedMetrics } from "../train/metrics.ts";
import { zeros } from "../util/tensor.ts";
import { type PretrainOptions, pretrain, resumePretraining } from "./pretrain.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
});
afterAll(() => fixture.remove());

const options = (name: string, more: Partial<PretrainOptions> = {}) => fixture.options(name, more);
const bytes = (...path: string[]) => fixture.bytes(...path);

test("learns, and leaves a whole model, checkpoints, measurements and pictures", async () => {
  const choices = { steps: 80, saveSteps: 30, loggingSteps: 20, learningRate: 5e-3, batchSize: 32 };
  const result = await pretrain(options("learns", choices));
  expect(result.step).toBe(80);
  expect(result.evaluation!.mlmAccuracy).toBeGreaterThan(0.9);
  expect(result.evaluation!.mostFrequentAccuracy).toBeLessThan(0.3);
  const files = readdirSync(fixture.path("learns")).map((name) => name.replace(/\d+(?=\.zhbert$)/, "N"));
  expect(files.sort()).toEqual([
    "accuracy-curve.svg",
    "checkpoint-30",
    "checkpoint-60",
    "checkpoint-80",
    "config.json",
    "events.out.tfevents.N.zhbert",
    "loss-curve.svg",
    "metrics.jsonl",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
  ]);
  expect(bytes("learns", "model.safetensors")).toEqual(bytes("learns", "checkpoint-80", "model.safetensors"));
  expect(readFileSync(result.lossCurve, "utf8")).toMatch(/^<svg/);
  expect(parseConfig(JSON.parse(String(bytes("learns", "config.json"))), "config.json").vocabSize).toBe(
    vocabulary.size,
  );
  const lines = await readMetrics(fixture.path("learns"));
  expect(lines.map(({ step }) => step)).toEqual([20, 40, 60, 80, 80]);
});

describe("choices", () => {
  test("the same seed gives the same bytes, another seed other ones", async () => {
    for (const [name, seed] of [
      ["same-1", 7],
      ["same-2", 7],
      ["other", 8],
    ] as const)
      await pretrain(options(name, { seed }));
    expect(bytes("same-1", "model.safetensors").equals(bytes("same-2", "model.safetensors"))).toBe(true);
    expect(bytes("same-1", "model.safetensors").equals(bytes("other", "model.safetensors"))).toBe(false);
  });

  test("recomputing layers changes nothing but time and memory", async () => {
    await pretrain(options("kept"));
    await pretrain(options("recomputed", { recompute: true }));
    const [a, b] = ["kept", "recomputed"].map((name) => readSafetensors(bytes(name, "model.safetensors")));
    for (const [name, { data }] of a!) {
      if (name.endsWith("key.bias")) continue;
      const other = b!.get(name)!.data as Float32Array;
      (data as Float32Array).forEach((value, i) => void expect(Math.abs(value - other[i]!)).toBeLessThan(1e-5));
    }
  });

  test("one batch can be learned by heart", async () => {
    const lines: LoggedMetrics[] = [];
    const more = {
      overfitOneBatch: true,
      steps: 60,
      learningRate: 1e-2,
      onLog: (line: LoggedMetrics) => void lines.push(line),
    };
    await pretrain(options("overfit", more));
    expect(lines[0]!.loss).toBeGreaterThan(2);
    expect(lines.at(-1)!.loss).toBeLessThan(0.1);
  });

  test("init starts from another model's weights, and names those that it lacks", async () => {
    await pretrain(options("first"));
    const weights = readSafetensors(bytes("first", "model.safetensors"));
    weights.delete("cls.predictions.bias");
    cpSync(fixture.path("first"), fixture.path("headless"), { recursive: true });
    rmSync(fixture.path("headless/model.safetensors"));
    writeFileSync(fixture.path("headless/model.safetensors"), Buffer.concat(writeSafetensors(weights)));
    let initialized: readonly string[] = [];
    const { config: _, ...more } = options("second", { init: fixture.path("headless"), steps: 1, warmupSteps: 0 });
    await pretrain({ ...more, learningRate: 1e-9, onStart: (start) => (initialized = start.initialized) });
    expect(initialized).toEqual(["cls.predictions.bias"]);
    const started = readSafetensors(bytes("second", "model.safetensors"));
    const first = weights.get("bert.pooler.dense.weight")!.data as Float32Array;
    const second = started.get("bert.pooler.dense.weight")!.data as Float32Array;
    first.forEach((value, i) => void expect(Math.abs(value - second[i]!)).toBeLessThan(1e-6));
  });

  test("data without pairs give a model without the next sentence head", async () => {
    await writeData(fixture.path("single"), { nextSentence: false });
    await pretrain(options("mlm-only", { data: fixture.path("single") }));
    const names = [...readSafetensors(bytes("mlm-only", "model.safetensors")).keys()];
    expect(names.some((name) => /pooler|seq_relationship/.test(name))).toBe(false);
    expect(JSON.parse(String(bytes("mlm-only", "config.json"))).architectures).toEqual(["BertForMaskedLM"]);
  });

  test("instances are held out where the data have no held-out part, and old checkpoints go", async () => {
    await writeData(fixture.path("all"), { heldOut: 0 });
    const more = { data: fixture.path("all"), heldOutShare: 0.2, evalSteps: 2, saveSteps: 1, saveTotalLimit: 2 };
    const result = await pretrain(options("held-out", more));
    expect(result.evaluation!.sequences).toBeGreaterThan(20);
    const evaluations = (await readMetrics(fixture.path("held-out"))).filter(({ evaluation }) => evaluation);
    expect(evaluations.map(({ step }) => step)).toEqual([2, 4, 6]);
    const kept = readdirSync(fixture.path("held-out")).filter((name) => name.startsWith("checkpoint"));
    expect(kept).toEqual(["checkpoint-5", "checkpoint-6"]);
  });
});

describe("refuses before the first step, and writes nothing:", () => {
  const refused = async (
    name: string,
    more: Partial<PretrainOptions>,
    type: new (d: never) => Error,
    message: string,
  ) => {
    const attempt = pretrain(options(name, more));
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toBeInstanceOf(type);
    expect(existsSync(fixture.path(name))).toBe(false);
  };
  const config = (changes: Record<string, unknown>) => {
    const path = fixture.path(`config-${Object.keys(changes).join("-")}.json`);
    writeFileSync(path, tinyConfig(changes));
    return path;
  };

  test("a config for another vocabulary", () =>
    refused("bad-1", { config: config({ vocab_size: 20 }) }, ConfigError, "config: vocab_size: expected 21"));
  test("sequences longer than the model's positions", () =>
    refused("bad-2", { config: config({ max_position_embeddings: 32 }) }, ConfigError, "expected 48 or more"));
  test("an unknown size", () =>
    refused("bad-3", { config: "tinny" }, ArgumentError, "expected one of tiny, rbt3, base, large"));
  test("a config that is no JSON", async () => {
    writeFileSync(fixture.path("broken.json"), "{");
    await refused("bad-4", { config: fixture.path("broken.json") }, ConfigError, "expected JSON");
  });
  test("weights of another size than the config", async () => {
    await pretrain(options("narrow", { steps: 1 }));
    const more = { init: fixture.path("narrow"), config: config({ intermediate_size: 40 }) };
    await refused(
      "bad-5",
      more,
      ConfigError,
      "bert.encoder.layer.0.intermediate.dense.weight: expected float32[40, 32]",
    );
  });
  test("a model with another vocabulary to start from", async () => {
    await pretrain(options("foreign", { steps: 1 }));
    const tokens = vocabulary.tokens.map((token) => (token === "天" ? "火" : token));
    writeFileSync(fixture.path("foreign/vocab.txt"), tokens.join("\n"));
    rmSync(fixture.path("foreign/tokenizer.json"));
    await refused(
      "bad-11",
      { init: fixture.path("foreign") },
      DataError,
      "data: vocabulary: expected data made with this",
    );
  });
  test("no data folder", () => refused("bad-6", { data: fixture.path("no") }, FileError, "dataset.json"));
  test("nothing to train on", async () => {
    await writeData(fixture.path("only-held-out"), { count: 0 });
    await refused("bad-7", { data: fixture.path("only-held-out") }, DataError, "expected instances to train on");
  });
  test.each<[Partial<PretrainOptions>, string]>([
    [{ warmupSteps: 6 }, "warm-up steps: expected an integer from 0 to 5"],
    [{ dropout: 1 }, "dropout: expected a number in [0, 1)"],
    [{ learningRate: -1 }, "learning rate"],
    [{ loggingSteps: 0 }, "logging steps: expected an integer of 1 or more"],
  ])("numbers that cannot be meant: %j", (more, message) => refused("bad-8", more, ArgumentError, message));
});

test("a run is not overwritten unless asked, nor for numbers that cannot be meant", async () => {
  await pretrain(options("once", { steps: 3 }));
  await expect(pretrain(options("once", { steps: 3 }))).rejects.toThrow("expected a new folder for the run");
  const wrong = options("once", { steps: 2, warmupSteps: 2, overwrite: true });
  await expect(pretrain(wrong)).rejects.toThrow("warm-up steps");
  expect(existsSync(fixture.path("once/checkpoint-3/model.safetensors"))).toBe(true);
  await pretrain(options("once", { steps: 2, overwrite: true }));
  expect(readdirSync(fixture.path("once")).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-2"]);
});

test("a model that lies in the run's folder is not replaced unless asked", async () => {
  await pretrain(options("trained", { steps: 1 }));
  rmSync(fixture.path("trained/checkpoint-1"), { recursive: true });
  const before = bytes("trained", "model.safetensors");
  const again = options("trained", { steps: 2, init: fixture.path("trained") });
  await expect(pretrain(again)).rejects.toThrow(
    "expected a new folder for the run, got one that holds model.safetensors",
  );
  expect(bytes("trained", "model.safetensors")).toEqual(before);
  // What a fine-tuning left would make the new model one of its task, and its result the run's.
  for (const name of ["task.json", "result.json"]) writeFileSync(join(again.output, name), "{}");
  await pretrain({ ...again, overwrite: true });
  const left = readdirSync(again.output).filter((name) => name === "task.json" || name === "result.json");
  expect(left).toEqual([]);
  expect(bytes("trained", "model.safetensors")).not.toEqual(before);
});

test("a loss that is not a number stops with the step and the batch, and the checkpoint before it stays", async () => {
  await pretrain(options("nan", { steps: 3 }));
  const path = fixture.path("nan/model.safetensors");
  const weights = readSafetensors(readFileSync(path));
  weights.set("cls.predictions.bias", zeros("float32", [vocabulary.size]));
  (weights.get("cls.predictions.bias")!.data as Float32Array).fill(Number.NaN);
  const poisoned = fixture.path("poisoned");
  cpSync(fixture.path("nan"), poisoned, { recursive: true });
  rmSync(join(poisoned, "model.safetensors"));
  writeFileSync(join(poisoned, "model.safetensors"), Buffer.concat(writeSafetensors(weights)));
  const { config: _, ...more } = options("nan-run", { init: poisoned });
  const attempt = pretrain(more);
  await expect(attempt).rejects.toBeInstanceOf(TrainingError);
  await expect(attempt).rejects.toThrow("step 1: expected a finite loss and gradient, got loss NaN");
  const saved = readSafetensors(bytes("nan-run", "bad-batch-step-1.safetensors"));
  expect(saved.get("0.input_ids")!.shape[0]).toBe(8);
});

test("an interruption saves a checkpoint and says how to go on; the rest equals a run without it", async () => {
  await pretrain(options("whole"));
  const controller = new AbortController();
  const onStep = (step: number) => {
    if (step === 4) controller.abort();
  };
  const attempt = pretrain(options("stopped", { signal: controller.signal, onStep }));
  await expect(attempt).rejects.toBeInstanceOf(InterruptedError);
  await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining("stopped --resume") });
  expect(existsSync(fixture.path("stopped/checkpoint-4/trainer-state.json"))).toBe(true);
  expect(existsSync(fixture.path("stopped/loss-curve.svg"))).toBe(true);
  await resumePretraining(fixture.path("stopped"));
  expect(bytes("stopped", "model.safetensors").equals(bytes("whole", "model.safetensors"))).toBe(true);
});

test("a full disk is a clear error, and the checkpoint before it stays whole", async () => {
  const { error, status } = spawnSync("prlimit", ["--version"]);
  if (error !== undefined || status !== 0) {
    console.log("skipped: prlimit is not there to limit the size of files");
    return;
  }
  await pretrain(options("full"));
  const before = bytes("full", "checkpoint-6", "model.safetensors");
  const modelBytes = statSync(fixture.path("full/model.safetensors")).size;
  const program = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  // Weights fit, the optimiser's state, twice as large, does not.
  const { stderr, status: exit } = spawnSync("prlimit", [
    `--fsize=${modelBytes + 4096}`,
    ...[process.execPath, "--import", tsx, program, "pretrain", fixture.data, "--init", fixture.path("full")],
    ...["-o", fixture.path("overfull"), "--steps", "4", "--save-steps", "2", "--batch-size", "8"],
  ]);
  expect(String(stderr)).toMatch(/error: .*optimizer\.safetensors: expected a file that can be written/);
  expect(exit).toBe(1);
  expect(readdirSync(fixture.path("overfull")).filter((name) => /checkpoint|tmp|model/.test(name))).toEqual([]);
  expect(bytes("full", "checkpoint-6", "model.safetensors")).toEqual(before);
});
