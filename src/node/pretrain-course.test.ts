/** The course of runs from folder to folder: phases, frozen parts, hours, what is kept besides, and the lock. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, writeData } from "../../test/pretraining-data.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { InterruptedError } from "../errors.ts";
import type { LoggedMetrics } from "../train/metrics.ts";
import { exportAverage } from "./export-average.ts";
import { type PretrainOptions, pretrain, resumePretraining } from "./pretrain.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
});
afterAll(() => fixture.remove());

const options = (name: string, more: Partial<PretrainOptions> = {}) => fixture.options(name, more);
const bytes = (...path: string[]) => fixture.bytes(...path);

describe("two phases", () => {
  const second = { steps: 3, batchSize: 4 };

  test("the second goes on with longer sequences and the same positions; data may move in between", async () => {
    await writeData(fixture.path("longer"), { seed: 4, maxSeqLength: 64 });
    const lines: LoggedMetrics[] = [];
    const onLog = (line: LoggedMetrics) => void lines.push(line);
    const controller = new AbortController();
    const onStep = (step: number) => (step === 7 ? controller.abort() : undefined);
    const secondPhase = { ...second, data: fixture.path("longer") };
    const more = { secondPhase, onLog, onStep, signal: controller.signal, saveTotalLimit: 0, learningRate: 1e-2 };
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
    for (const { engineShare, peakShare } of lines) {
      expect(engineShare).toBeGreaterThan(0);
      expect(engineShare).toBeLessThanOrEqual(1);
      expect(peakShare).toBeGreaterThan(0);
    }
    // A position that only the longer sequences have: until they come it does nothing but decay.
    const row = (step: number) => {
      const { shape, data } = readSafetensors(bytes("phases", `checkpoint-${step}`, "model.safetensors")).get(
        POSITIONS,
      )!;
      expect(shape).toEqual([64, 32]);
      return (data as Float32Array).subarray(50 * 32, 51 * 32);
    };
    const spread = (from: Float32Array, to: Float32Array) => {
      const ratios = from.map((value, i) => to[i]! / value);
      return Math.max(...ratios) - Math.min(...ratios);
    };
    expect(spread(row(3), row(6))).toBeLessThan(1e-5);
    expect(spread(row(6), row(9))).toBeGreaterThan(1e-2);
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
