/** What each update does: phases with one schedule or two, and the ramp of batches. */
import { describe, expect, test } from "vitest";
import { microBatchesIn, phaseAt, planUpdate, totalSteps } from "./course.ts";
import { checkSettings, scheduleFor, type TrainingSettings } from "./settings.ts";

const settings: TrainingSettings = {
  steps: 6,
  seed: 1,
  optimizer: "adamw",
  learningRate: 1,
  warmupSteps: 2,
  weightDecay: 0,
  maxGradientNorm: 1,
  gradientAccumulationSteps: 4,
};
const check = (changes: Partial<TrainingSettings>) => checkSettings({ ...settings, ...changes }, { loggingSteps: 1 });
const course = (changes: Partial<TrainingSettings>) => {
  const all = { ...settings, ...changes };
  return Array.from({ length: totalSteps(all) }, (_, step) => planUpdate(all, step));
};
const rates = (changes: Partial<TrainingSettings>) => course(changes).map(({ learningRate }) => learningRate);

describe("two phases", () => {
  const secondPhase = { steps: 4, gradientAccumulationSteps: 3 };

  test("one schedule spans both, as in Google's recipe", () => {
    expect(rates({ secondPhase })).toEqual(rates({ steps: 10 }));
    expect(course({ secondPhase }).map(({ microBatches }) => microBatches)).toEqual([4, 4, 4, 4, 4, 4, 3, 3, 3, 3]);
    expect([5, 6].map((step) => phaseAt({ ...settings, secondPhase }, step))).toEqual([0, 1]);
    expect(phaseAt(settings, 6)).toBe(0);
  });

  test("the second has a schedule of its own, as in NVIDIA's recipe", () => {
    const own = { ...secondPhase, learningRate: 0.5, warmupSteps: 2 };
    expect(rates({ secondPhase: own })).toEqual([...rates({}), 0, 0.25, 0.5, 0.25]);
    const nvidia = { optimizer: "lamb-nvidia", schedule: "nvidia", secondPhase: own } as const;
    expect(scheduleFor({ ...settings, ...nvidia }, 1).schedule).toMatchObject({
      name: "nvidia",
      peak: 0.5,
      totalSteps: 4,
    });
  });

  test("is refused where it cannot be meant", () => {
    expect(() => check({ secondPhase: { ...secondPhase, steps: 0 } })).toThrow("steps of the second phase");
    expect(() => check({ secondPhase: { ...secondPhase, warmupSteps: 1 } })).toThrow("warm-up of the second phase");
    expect(() => check({ hours: 1, warmupSteps: 0, secondPhase })).toThrow("second phase: expected a run by steps");
    const late = { ...secondPhase, learningRate: 1, warmupSteps: 4 };
    expect(() => check({ secondPhase: late })).toThrow("warm-up steps: expected an integer from 0 to 3");
    check({ secondPhase });
  });
});

describe("the ramp of batches", () => {
  const sizes = (changes: Partial<TrainingSettings>) => course(changes).map(({ microBatches }) => microBatches);

  test("grows in equal steps from one micro-batch to all, within its share of the first phase", () => {
    expect(sizes({ steps: 16, batchRamp: 0.5 })).toEqual([1, 1, 2, 2, 3, 3, ...new Array(10).fill(4)]);
    expect(sizes({ steps: 4, batchRamp: 1 })).toEqual([1, 2, 3, 4]);
    const secondPhase = { steps: 2, gradientAccumulationSteps: 2 };
    expect(sizes({ steps: 4, batchRamp: 1, secondPhase })).toEqual([1, 2, 3, 4, 2, 2]);
  });

  test.each([{ steps: 17, batchRamp: 0.5 }, { steps: 7, batchRamp: 1 }, { steps: 5 }, { steps: 3, batchRamp: 0.1 }])(
    "the micro-batches of a phase are known beforehand: %j",
    (changes) => {
      const secondPhase = { steps: 2, gradientAccumulationSteps: 3 };
      const all = { ...settings, ...changes, secondPhase };
      const counts = course({ ...changes, secondPhase }).map(({ microBatches }) => microBatches);
      const sum = (part: number[]) => part.reduce((total, count) => total + count, 0);
      expect(microBatchesIn(all, 0)).toBe(sum(counts.slice(0, changes.steps)));
      expect(microBatchesIn(all, 1)).toBe(6);
    },
  );

  test("follows the time in a run by hours", () => {
    const byHours = { ...settings, steps: 1e9, hours: 1, warmupSteps: 0, batchRamp: 0.5 };
    expect([0, 124, 125, 499, 900].map((parts) => planUpdate(byHours, 7, parts).microBatches)).toEqual([1, 1, 2, 4, 4]);
  });

  test("is a share", () => expect(() => check({ batchRamp: 1.5 })).toThrow("batch ramp: expected a share from 0 to 1"));
});
