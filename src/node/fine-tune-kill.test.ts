/** Processes that are killed while they fine-tune, and others that go on: the end equals that of one that was left alone. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fineTuningFixture } from "../../test/fine-tuning-data.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: ReturnType<typeof fineTuningFixture>;
beforeAll(() => {
  fixture = fineTuningFixture();
});
afterAll(() => fixture.remove());

const child = fileURLToPath(new URL("../../test/kill-fine-tuning.ts", import.meta.url));
const tsx = import.meta.resolve("tsx");

function run(output: string, event: string, count: number) {
  const args = [fixture.path(), fixture.path(), fixture.path(output), event, String(count)];
  const { signal, stdout, stderr } = spawnSync(process.execPath, ["--import", tsx, child, ...args]);
  return { signal, stdout: String(stdout), stderr: String(stderr) };
}

const filesOf = (output: string) => readdirSync(fixture.path(output), { recursive: true }).map(String).sort();

test("killed at an update, while measuring, after a seed's result and at any time, it ends as without that", async () => {
  const calm = run("calm", "never", 0);
  expect(calm.stderr).toBe("");
  const whole = Number(calm.stdout);
  // What was done since the last checkpoint is done again.
  const kills: [string, number][] = [
    ["step", 5],
    ["evaluation", 4],
    ["time", 1 + Math.round(Math.random() * 0.3 * whole)],
    ["result", 1],
  ];
  const signals = kills.map(([event, count]) => run("hunted", event, count).signal);
  // By chance a clock may ring after all is done; the others are there before.
  expect(signals.filter((_, i) => kills[i]?.[0] !== "time")).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"]);
  expect(run("hunted", "never", 0)).toMatchObject({ signal: null, stderr: "" });
  for (const file of ["model.safetensors", "result.json", "config.json", "task.json"]) {
    for (const place of [[], ["run-5"], ["run-6"]]) {
      const [hunted, left] = ["hunted", "calm"].map((output) => fixture.bytes(output, ...place, file));
      expect({ file, place, isEqual: left && hunted?.equals(left) }).toEqual({ file, place, isEqual: true });
    }
  }
  for (const seed of ["run-5", "run-6"]) {
    const [hunted, left] = await Promise.all(
      ["hunted", "calm"].map(async (output) => {
        const lines = await readMetrics(fixture.path(output, seed));
        return lines.map(({ step, loss, evaluation, average }) => ({ step, loss, evaluation, average }));
      }),
    );
    expect(hunted).toEqual(left);
  }
  const plain = (names: readonly string[]) => names.filter((name) => !/events\.out/.test(name));
  expect(plain(filesOf("hunted"))).toEqual(plain(filesOf("calm")));
}, 600_000);
