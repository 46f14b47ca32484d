/** The learning rates of both schedules at every step, and numbers that cannot be meant. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { ArgumentError } from "../errors.ts";
import { checkSchedule, learningRate, type Schedule } from "./schedules.ts";

const schedule = (name: Schedule["name"]) => ({ name, peak: 1, warmupSteps: 2, totalSteps: 10 });
const rates = (name: Schedule["name"]) => Array.from({ length: 12 }, (_, step) => learningRate(schedule(name), step));

test("google falls from step 0, so that the rate jumps down after warm-up", () => {
  expect(rates("google").map((rate) => Number(rate.toFixed(6)))).toEqual([
    0, 0.5, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0,
  ]);
});

test("linear falls from the end of warm-up", () => {
  expect(rates("linear")).toEqual([0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0, 0]);
});

test("without warm-up the first step has the full rate", () => {
  expect(learningRate({ ...schedule("google"), warmupSteps: 0 }, 0)).toBe(1);
});

test("numbers that cannot be meant are refused", () => {
  const google = schedule("google");
  expect(() => checkSchedule({ ...google, peak: 0 })).toThrow("learning rate: expected a number above 0, got 0");
  expect(() => checkSchedule({ ...google, totalSteps: 0 })).toThrow("steps: expected an integer of 1 or more, got 0");
  expect(() => checkSchedule({ ...google, warmupSteps: 10 })).toThrow("warm-up steps: expected an integer from 0 to 9");
  expect(() => checkSchedule({ ...google, warmupSteps: 10 })).toThrow(ArgumentError);
  expect(() => checkSchedule({ ...google, power: 0 })).toThrow("power of the schedule: expected a number above 0");
  expect(() => checkSchedule({ ...google, end: 2 })).toThrow("end learning rate: expected a number from 0 to the peak");
  expect(() => checkSchedule({ ...google, name: "step" as never })).toThrow("schedule: expected one of google, nvidia");
});

describeShared("reference/optim/schedules.json", "schedules: the reference tables", (path) => {
  const { transformers, google, nvidia, steps, warmup, peak } = JSON.parse(readFileSync(path, "utf8"));
  /** Entries 0 to 20: past the end some of them rise again or are no numbers. */
  test.each<[Omit<Schedule, "peak" | "warmupSteps" | "totalSteps">, number[], number]>([
    [{ name: "google", power: 0.5 }, google["closed_form_power_0.5"], 12],
    [{ name: "polynomial", power: 1, end: 1e-7 }, transformers.polynomial_power_1, 12],
    [{ name: "polynomial", power: 0.5 }, transformers["polynomial_power_0.5"], 9],
    [{ name: "polynomial", power: 2, end: 1e-5 }, transformers["polynomial_power_2_end_1e-5"], 12],
    [{ name: "cosine" }, transformers.cosine, 12],
    [{ name: "cosine", end: 3e-5 }, transformers["cosine_with_min_lr_0.1"], 12],
    [{ name: "inverse-sqrt" }, transformers.inverse_sqrt, 12],
    [{ name: "constant" }, transformers.constant_with_warmup, 12],
    // float32 there
    [{ name: "nvidia" }, nvidia["poly_degree_0.5.warmup_0.2"], 9],
    [{ name: "nvidia", power: 1 }, nvidia["poly_degree_1.warmup_0.2"], 9],
  ])("%j", (shape, table, digits) => {
    for (let step = 0; step < steps; step++) {
      const got = learningRate({ ...shape, peak, warmupSteps: warmup, totalSteps: steps }, step);
      expect([step, got]).toEqual([step, expect.closeTo(table[step]!, digits)]);
    }
  });

  test("past the end the rates stay where they ended", () => {
    for (const name of ["google", "nvidia", "linear", "polynomial", "cosine"] as const)
      expect(learningRate({ name, peak, warmupSteps: warmup, totalSteps: steps, end: 1e-6 }, steps + 3)).toBeCloseTo(
        1e-6,
        12,
      );
  });

  test("google and transformers' linear", () => {
    const settings = { peak, warmupSteps: warmup, totalSteps: steps };
    const table: number[] = google.closed_form_power_1;
    for (let step = 0; step < table.length; step++) {
      expect(learningRate({ ...settings, name: "google" }, step)).toBeCloseTo(table[step]!, 11);
      expect(learningRate({ ...settings, name: "linear" }, step)).toBeCloseTo(transformers.linear[step], 11);
    }
  });
});
