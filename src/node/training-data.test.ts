/** Batches of a run's phases: how many tokens are masked when, and data that come without masks. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { pretrainingFixture, writeData } from "../../test/pretraining-data.ts";
import type { PretrainingBatch } from "../data/instance.ts";
import { completePlan, type PretrainingChoices } from "./pretraining-plan.ts";
import { closePhases, openPhases, type PhasesData } from "./training-data.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
  await writeData(fixture.path("unmasked"), { isMasked: false });
});
afterAll(() => fixture.remove());

async function open(choices: PretrainingChoices, data = "data"): Promise<PhasesData> {
  return openPhases(fixture.root, completePlan({ batchSize: 16, ...choices }, data));
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
/** As the option counts it: of all tokens, [CLS] and [SEP] among them. */
const share = ({ maskedLmWeights, attentionMask }: PretrainingBatch) => sum(maskedLmWeights) / sum(attentionMask);

test("the share of predictions changes in a straight line over both phases", async () => {
  const phases = await open({
    steps: 30,
    gradientAccumulationSteps: 2,
    maskingRatio: "0.5:0.1",
    secondPhase: { steps: 10, gradientAccumulationSteps: 1 },
  });
  const { data, secondData } = phases;
  const shares = async (source: typeof data, indexes: number[]) => {
    const measured = await Promise.all(indexes.map(async (index) => share(await source.batches.batch(index))));
    return sum(measured) / measured.length;
  };
  // 0.5 to 0.2 over 60 micro-batches, then 0.2 to 0.1 over 10.
  expect(await shares(data, [0, 1, 2])).toBeCloseTo(0.5, 1);
  expect(await shares(data, [29, 30, 31])).toBeCloseTo(0.35, 1);
  expect(await shares(data, [57, 58, 59])).toBeCloseTo(0.2, 1);
  expect(await shares(secondData!, [7, 8, 9])).toBeCloseTo(0.12, 1);
  await closePhases(phases);
});

test("the phases draw apart from each other, also from the same data", async () => {
  const phases = await open({ dynamicMasking: true, steps: 10, secondPhase: { steps: 10 } });
  const [first, second] = await Promise.all([phases.data, phases.secondData!].map(({ batches }) => batches.batch(0)));
  expect(first!.inputIds).not.toEqual(second!.inputIds);
  await closePhases(phases);
});

test("data without masks are masked in the way that is named, held-out ones always alike", async () => {
  await expect(open({}, "unmasked")).rejects.toThrow("expected instances with predictions, got none");
  const phases = await open({ masking: "char" }, "unmasked");
  const batches = async () => {
    const held: PretrainingBatch[] = [];
    for await (const batch of phases.data.heldOut!()) held.push(batch);
    return held;
  };
  const [once, again] = [await batches(), await batches()];
  expect(once).toEqual(again);
  expect(share(once[0]!)).toBeGreaterThan(0.1);
  expect(share(await phases.data.batches.batch(0))).toBeGreaterThan(0.1);
  await closePhases(phases);
});

test.each<[PretrainingChoices, string]>([
  [{ maskingRatio: "0.3:0" }, "masking ratio: expected a share above 0, or two"],
  [{ maskingRatio: "0.3:0.1", hours: 1 }, "masking ratio: expected one share, or a run by steps"],
  [{ masking: "words" }, "words"],
])("what cannot be drawn is refused: %j", async (choices, message) => {
  await expect(open(choices)).rejects.toThrow(message);
});
