/** Going on with a run: after kills at any time, from older checkpoints, with what may change and what may not. */
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, writeData } from "../../test/pretraining-data.ts";
import { type PretrainOptions, pretrain, resumePretraining } from "./pretrain.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
});
afterAll(() => fixture.remove());

const options = (name: string, more: Partial<PretrainOptions> = {}) => fixture.options(name, more);
const bytes = (...path: string[]) => fixture.bytes(...path);
const stepLines = async (name: string) =>
  (await readMetrics(fixture.path(name))).map(
    ({ tokensPerSecond: _, gigaflopsPerSecond: __, engineShare: ___, peakShare: ____, ...line }) => line,
  );

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
