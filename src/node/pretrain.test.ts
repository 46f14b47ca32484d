/** Pre-training from folder to folder, through the engine: it learns, resumes bit for bit, and refuses what does not fit. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, tinyConfig, vocabulary, writeData } from "../../test/pretraining-data.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ConfigError, DataError, FileError, InterruptedError, TrainingError } from "../errors.ts";
import { parseConfig } from "../model/config.ts";
import type { LoggedMetrics } from "../train/metrics.ts";
import { zeros } from "../util/tensor.ts";
import { exportAverage } from "./export-average.ts";
import { type PretrainOptions, pretrain, resumePretraining } from "./pretrain.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
});
afterAll(() => fixture.remove());

const options = (name: string, more: Partial<PretrainOptions> = {}): PretrainOptions => ({
  data: fixture.data,
  output: fixture.path(name),
  config: fixture.config,
  steps: 6,
  loggingSteps: 3,
  saveSteps: 3,
  seed: 7,
  batchSize: 8,
  threads: 2,
  ...more,
});
const bytes = (...path: string[]) => readFileSync(fixture.path(join(...path)));
const stepLines = async (name: string) =>
  (await readMetrics(fixture.path(name))).map(({ tokensPerSecond: _, gigaflopsPerSecond: __, ...line }) => line);

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

describe("resuming", () => {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const program = fileURLToPath(new URL("../../test/kill-at-step.ts", import.meta.url));
  const child = (output: string, killAt: number) =>
    spawnSync(process.execPath, [
      ...["--import", tsx, program],
      ...[fixture.data, fixture.path(output), fixture.config, "20", String(killAt)],
    ]);

  test("20 steps equal 10 steps, a kill at step 14, and 10 steps, byte for byte", async () => {
    const straight = child("straight", 0);
    expect(String(straight.stderr)).toBe("");
    expect(straight.status).toBe(0);
    expect(child("killed", 14).signal).toBe("SIGKILL");
    expect(readdirSync(fixture.path("killed")).filter((name) => name.startsWith("checkpoint"))).toEqual([
      "checkpoint-10",
    ]);
    expect((await stepLines("killed")).map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    // A process killed while saving leaves these.
    cpSync(fixture.path("killed/checkpoint-10"), fixture.path("killed/.checkpoint-20.zhbert-tmp"), { recursive: true });
    writeFileSync(fixture.path("killed/.model.safetensors.zhbert-tmp"), "half");
    writeFileSync(fixture.path("killed/metrics.jsonl"), `${bytes("killed", "metrics.jsonl")}{"step":13,"lo`);

    const resumed = await resumePretraining(fixture.path("killed"));
    expect(resumed.step).toBe(20);
    for (const file of [
      "model.safetensors",
      "checkpoint-20/optimizer.safetensors",
      "checkpoint-20/trainer-state.json",
    ]) {
      expect(bytes("killed", file).equals(bytes("straight", file))).toBe(true);
    }
    expect(await stepLines("killed")).toEqual(await stepLines("straight"));
    expect(readdirSync(fixture.path("killed")).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("kills at any time, in either phase: LAMB, ramp, average, best model and order end as without them", async () => {
    const second = fixture.path("second-data");
    await writeData(second, { seed: 3 });
    const anyTime = fileURLToPath(new URL("../../test/kill-at-any-time.ts", import.meta.url));
    const run = (output: string, killAfter: number) =>
      spawnSync(process.execPath, [
        ...["--import", tsx, anyTime, fixture.data, second, fixture.path(output), fixture.config],
        String(killAfter),
      ]);
    const began = performance.now();
    expect(String(run("calm", 0).stderr)).toBe("");
    const whole = performance.now() - began;
    for (let kills = 0; kills < 3; kills++) run("hunted", 1 + Math.ceil(Math.random() * 0.4 * whole));
    expect(String(run("hunted", 0).stderr)).toBe("");
    const folders = ["checkpoint-18", "checkpoint-21", "checkpoint-24"];
    const files = ["model", "optimizer", "average"].map((name) => `${name}.safetensors`);
    for (const file of folders.flatMap((folder) =>
      [...files, "trainer-state.json"].map((name) => join(folder, name)),
    )) {
      expect({ file, isEqual: bytes("hunted", file).equals(bytes("calm", file)) }).toEqual({ file, isEqual: true });
    }
    for (const file of ["model.safetensors", "best/model.safetensors", "best/evaluation.json"]) {
      expect({ file, isEqual: bytes("hunted", file).equals(bytes("calm", file)) }).toEqual({ file, isEqual: true });
    }
    expect(await stepLines("hunted")).toEqual(await stepLines("calm"));
    expect(readdirSync(fixture.path("hunted")).filter((name) => /^\.|lock/.test(name))).toEqual([]);
  }, 180_000);

  test("a finished run has nothing left to do", async () => {
    await pretrain(options("finished"));
    const before = bytes("finished", "model.safetensors");
    const result = await resumePretraining(fixture.path("finished"));
    expect(result).toMatchObject({ step: 6, metrics: undefined });
    expect(bytes("finished", "model.safetensors")).toEqual(before);
  });

  test("other threads, another engine version and other data are refused", async () => {
    await pretrain(options("fixed", { steps: 3 }));
    const output = fixture.path("fixed");
    await expect(resumePretraining(output, { threads: 1 })).rejects.toThrow("resume: engine threads: expected 2");
    await writeData(fixture.path("other-data"), { seed: 2 });
    await expect(resumePretraining(output, { data: fixture.path("other-data") })).rejects.toThrow("resume: data");
    const statePath = fixture.path("fixed/checkpoint-3/trainer-state.json");
    const state = JSON.parse(readFileSync(statePath, "utf8"));
    for (const [field, value] of Object.entries({ version: "0.0.1", name: "other", precision: "bf16" })) {
      writeFileSync(statePath, JSON.stringify({ ...state, engine: { ...state.engine, [field]: value } }));
      await expect(resumePretraining(output)).rejects.toThrow(`resume: engine ${field}: expected ${value}`);
    }
    writeFileSync(statePath, JSON.stringify({ ...state, step: -1 }));
    await expect(resumePretraining(output)).rejects.toThrow("expected an integer of 0 or more, got -1");
    writeFileSync(statePath, "{");
    await expect(resumePretraining(output)).rejects.toMatchObject({ code: "ERR_CHECKPOINT" });
  });

  test("a checkpoint from before phases, averages and counts of work goes on", async () => {
    await pretrain(options("older", { steps: 6, saveSteps: 3 }));
    const newer = bytes("older", "model.safetensors");
    rmSync(fixture.path("older/checkpoint-6"), { recursive: true });
    const path = fixture.path("older/checkpoint-3/trainer-state.json");
    const { microBatches, ...state } = JSON.parse(readFileSync(path, "utf8"));
    expect(microBatches).toBe(3);
    for (const name of ["trainable", "frozenLayers", "frozenEmbeddings", "saveBest", "loadBest"]) {
      expect(state.options).toHaveProperty(name);
      delete state.options[name];
    }
    for (const name of ["places", "flops"]) delete state.window[name];
    writeFileSync(path, JSON.stringify(state));
    expect((await resumePretraining(fixture.path("older"))).step).toBe(6);
    expect(bytes("older", "model.safetensors")).toEqual(newer);
  });

  test("a folder without a checkpoint is refused", async () => {
    await expect(resumePretraining(fixture.path("nothing"))).rejects.toMatchObject({ code: "ERR_CHECKPOINT" });
  });
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

describe("two phases", () => {
  const second = { steps: 3, batchSize: 4 };

  test("the second goes on with longer sequences and the same positions; data may move in between", async () => {
    await writeData(fixture.path("longer"), { seed: 4 });
    const lines: LoggedMetrics[] = [];
    const onLog = (line: LoggedMetrics) => void lines.push(line);
    const controller = new AbortController();
    const onStep = (step: number) => (step === 7 ? controller.abort() : undefined);
    const secondPhase = { ...second, data: fixture.path("longer") };
    const more = { secondPhase, onLog, onStep, signal: controller.signal };
    await expect(pretrain(options("phases", more))).rejects.toBeInstanceOf(InterruptedError);
    cpSync(fixture.path("longer"), fixture.path("moved"), { recursive: true });
    rmSync(fixture.path("longer"), { recursive: true });
    await expect(resumePretraining(fixture.path("phases"))).rejects.toThrow("longer");
    const result = await resumePretraining(fixture.path("phases"), { secondData: fixture.path("moved"), onLog });
    expect(result.step).toBe(9);
    expect(lines.map(({ step, phase, batchSize }) => [step, phase, batchSize])).toEqual([
      [3, 1, 8],
      [6, 1, 8],
      [9, 2, 4],
    ]);
    expect(lines[0]!.paddingShare).toBeGreaterThan(0.05);
    expect(lines[0]!.gigaflopsPerSecond).toBeGreaterThan(0);
    expect(readSafetensors(bytes("phases", "model.safetensors")).get(POSITIONS)!.shape).toEqual([64, 32]);
  });

  test("both have pairs, or neither has", async () => {
    await writeData(fixture.path("no-pairs"), { nextSentence: false });
    const secondPhase = { ...second, data: fixture.path("no-pairs") };
    await expect(pretrain(options("unlike", { secondPhase }))).rejects.toThrow("expected data with sentence pairs");
    expect(existsSync(fixture.path("unlike"))).toBe(false);
  });
});

const POSITIONS = "bert.embeddings.position_embeddings.weight";

test("frozen layers and embeddings stay as they are, bit for bit, and have no moments", async () => {
  await pretrain(options("thawed", { steps: 1 }));
  const { config: _, ...more } = options("frozen", { init: fixture.path("thawed"), learningRate: 1e-2 });
  await pretrain({ ...more, frozenLayers: 1, frozenEmbeddings: true });
  const [before, after] = ["thawed", "frozen"].map((name) => readSafetensors(bytes(name, "model.safetensors")));
  const isFrozen = (name: string) => /^bert\.(embeddings|encoder\.layer\.0)\./.test(name);
  for (const [name, { data }] of before!)
    expect([name, after!.get(name)!.data]).toEqual([name, isFrozen(name) ? data : expect.anything()]);
  const changed = [...before!].filter(([name, { data }]) => String(after!.get(name)!.data) !== String(data));
  expect(changed.length).toBe([...before!.keys()].filter((name) => !isFrozen(name)).length);
  const moments = readSafetensors(bytes("frozen", "checkpoint-6/optimizer.safetensors"));
  expect([...moments.keys()].filter((name) => isFrozen(name.replace(/^(first|second)\./, "")))).toEqual([]);
  const deep = options("deep", { frozenLayers: 3 });
  await expect(pretrain(deep)).rejects.toThrow("frozen layers: expected at most 2, the layers of the model, got 3");
});

test("a run by hours ends by the clock, goes on after a stop, and is repeated bit for bit from its trace", async () => {
  const { steps: _, ...rest } = options("timed", { hours: 1 / 1800, loggingSteps: 1000, saveSteps: 0, batchSize: 4 });
  const controller = new AbortController();
  const onStep = (step: number) => (step === 2 ? controller.abort() : undefined);
  await expect(pretrain({ ...rest, onStep, signal: controller.signal })).rejects.toThrow(
    "expected 0.0005555555555555556 hours",
  );
  const { step } = await resumePretraining(rest.output);
  expect(step).toBeGreaterThan(2);
  const again = await pretrain({ ...rest, output: fixture.path("repeated"), hours: 5, replay: rest.output });
  expect(again.step).toBe(step);
  expect(bytes("repeated", "model.safetensors").equals(bytes("timed", "model.safetensors"))).toBe(true);
  await expect(pretrain(options("by-steps", { replay: rest.output }))).rejects.toThrow(
    "replay: expected the folder of a run by hours",
  );
  await pretrain(options("no-hours", { steps: 1 }));
  const wrong = { ...rest, output: fixture.path("by-hours"), replay: fixture.path("no-hours") };
  await expect(pretrain(wrong)).rejects.toThrow("replay: expected the folder of a run by hours");
});

describe("what is kept besides", () => {
  test("the average of the weights is a model on demand, with what was frozen", async () => {
    await pretrain(options("averaged", { averageDecay: 0.5, frozenEmbeddings: true, saveSteps: 0 }));
    expect(await exportAverage(fixture.path("averaged"), fixture.path("average"))).toBe(6);
    const average = readSafetensors(bytes("averaged", "checkpoint-6/average.safetensors"));
    const [model, exported] = ["averaged", "average"].map((name) => readSafetensors(bytes(name, "model.safetensors")));
    expect([...exported!.keys()].sort()).toEqual([...model!.keys()].sort());
    for (const [name, { data }] of exported!) expect(data).toEqual((average.get(name) ?? model!.get(name))!.data);
    expect(average.has(POSITIONS)).toBe(false);
    expect(exported!.get("cls.predictions.bias")!.data).not.toEqual(model!.get("cls.predictions.bias")!.data);
    expect(bytes("average", "config.json")).toEqual(bytes("averaged", "config.json"));
    const [line] = (await readMetrics(fixture.path("averaged"))).filter(({ evaluation }) => evaluation);
    expect(line!["averageEvaluation"]).toMatchObject({ sequences: 24 });
    await expect(exportAverage(fixture.path("averaged"), fixture.path("average"))).rejects.toThrow(
      "expected a new folder",
    );
    await pretrain(options("plain", { steps: 1 }));
    await expect(exportAverage(fixture.path("plain"), fixture.path("x"))).rejects.toThrow("got one that keeps none");
  });

  test("the best model lies in best/, and at the top in the end where that is asked; nothing better ends the run", async () => {
    // Far too large a rate: the first evaluations are the best.
    const more = {
      steps: 40,
      learningRate: 0.5,
      optimizer: "adamw",
      evalSteps: 1,
      patience: 3,
      loadBest: true,
    } as const;
    const result = await pretrain(options("wild", { ...more, warmupSteps: 4, saveSteps: 0 }));
    expect(result.isStoppedEarly).toBe(true);
    expect(result.step).toBe(result.best!.step + 3);
    expect(JSON.parse(String(bytes("wild", "best/evaluation.json")))).toMatchObject({ step: result.best!.step });
    expect(bytes("wild", "model.safetensors")).toEqual(bytes("wild", "best/model.safetensors"));
    expect(bytes("wild", "model.safetensors")).not.toEqual(
      bytes("wild", `checkpoint-${result.step}/model.safetensors`),
    );
    // A process killed between removing the old best and renaming the new one leaves this.
    renameSync(fixture.path("wild/best"), fixture.path("wild/.best.zhbert-tmp"));
    const again = await resumePretraining(fixture.path("wild"));
    expect(again).toMatchObject({ step: result.step, isStoppedEarly: true });
    expect(bytes("wild", "model.safetensors")).toEqual(bytes("wild", "best/model.safetensors"));
  });

  test.each<[Partial<PretrainOptions>, string]>([
    [{ patience: 2 }, "early stop: expected evaluations on the way"],
    [{ saveBest: true, evalSteps: 1, data: "no-held-out" }, "best model: expected held-out data"],
  ])("the best of nothing is refused: %j", async ({ data, ...more }, message) => {
    if (data !== undefined) await writeData(fixture.path(data), { heldOut: 0 });
    const attempt = pretrain(options("best-of-none", { ...more, ...(data && { data: fixture.path(data) }) }));
    await expect(attempt).rejects.toThrow(message);
    expect(existsSync(fixture.path("best-of-none"))).toBe(false);
  });
});

test("a folder belongs to one run at a time", async () => {
  const name = "shared";
  const lock = { host: hostname(), pid: process.ppid, since: "2026-01-01T00:00:00Z" };
  mkdirSync(fixture.path(name));
  writeFileSync(fixture.path("shared/lock"), JSON.stringify(lock));
  await expect(pretrain(options(name))).rejects.toThrow(
    `expected no other run that writes here, got process ${lock.pid}`,
  );
  rmSync(fixture.path("shared/lock"));
  let second: Promise<unknown> | undefined;
  const onStep = (step: number) => {
    if (step === 4) second = resumePretraining(fixture.path(name)).catch((error) => error);
  };
  await pretrain(options(name, { onStep }));
  expect(await second).toMatchObject({ message: expect.stringContaining("expected no other run that writes here") });
  expect(existsSync(fixture.path("shared/lock"))).toBe(false);
  expect((await resumePretraining(fixture.path(name))).step).toBe(6);
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
    refused("bad-3", { config: "tinny" }, ConfigError, "expected one of tiny, rbt3, base, large"));
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
  ])("numbers that cannot be meant: %j", (more, message) => refused("bad-8", more, TrainingError, message));
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
  await pretrain({ ...again, overwrite: true });
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
