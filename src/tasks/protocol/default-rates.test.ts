/** The defaults of fine-tuning are the published ones, by data set and by the family that a model's config tells. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import {
  defaultLearningRate,
  fineTuningDefaults,
  learningRateGrid,
  type RateModel,
  rateFamilyOf,
  rateNotes,
} from "./default-rates.ts";

const base: RateModel = { vocabSize: 21_128, hiddenSize: 768, numHiddenLayers: 12, hiddenAct: "gelu" };
const ernie: RateModel = { ...base, vocabSize: 18_000, hiddenAct: "relu" };
const rbt3: RateModel = { ...base, numHiddenLayers: 3 };

describe("defaults of fine-tuning", () => {
  test("the family is read from the config", () => {
    expect(rateFamilyOf(base)).toBe("wwm");
    expect(rateFamilyOf(ernie)).toBe("ernie");
    expect(rateFamilyOf(rbt3)).toBe("small");
    expect(rateFamilyOf({ ...base, hiddenSize: 256 })).toBe("small");
    expect(rateFamilyOf({ ...base, hiddenSize: 1024, numHiddenLayers: 24 })).toBe("wwm");
  });

  test("known data sets have their own rates, others those of their task", () => {
    expect(defaultLearningRate({ task: "qa", dataset: "CJRC", model: base })).toBe(4e-5);
    expect(defaultLearningRate({ task: "qa", dataset: "CMRC 2018", model: rbt3 })).toBe(1e-4);
    expect(defaultLearningRate({ task: "classify", model: base })).toBe(2e-5);
    expect(defaultLearningRate({ task: "qa", dataset: "unheard of", model: ernie })).toBe(8e-5);
    expect(defaultLearningRate({ task: "ner", model: rbt3 })).toBe(1e-4);
  });

  test("batch size, epochs and source come along; small models train longer", () => {
    const large = fineTuningDefaults({ task: "classify", dataset: "ChnSentiCorp", model: base });
    expect(large).toMatchObject({ batchSize: 64, epochs: 3, warmupShare: 0.1 });
    expect(large.source).toContain("published");
    // Reading comprehension was published with longer rows than its data sets take where nothing is said.
    expect(fineTuningDefaults({ task: "qa", dataset: "CMRC 2018", model: base }).publishedLength).toBe(512);
    expect(fineTuningDefaults({ task: "qa", model: base }).publishedLength).toBeUndefined();
    expect(fineTuningDefaults({ task: "classify", dataset: "ChnSentiCorp", model: rbt3 }).epochs).toBe(5);
    const own = fineTuningDefaults({ task: "classify", model: base });
    expect(own).toMatchObject({ batchSize: 32, epochs: 3 });
    expect(own.source).toContain("none is published");
  });

  test("the grid is every rate of the tables, ascending", () => {
    expect(learningRateGrid()).toEqual([2e-5, 3e-5, 4e-5, 5e-5, 8e-5, 1e-4]);
  });
});

describe("advice", () => {
  const choice = { task: "classify", dataset: "ChnSentiCorp", model: base } as const;
  const batches = (batchSize: number, gradientAccumulationSteps = 1) => ({ batchSize, gradientAccumulationSteps });

  test("nothing is said of what is near the published runs", () => {
    expect(rateNotes(choice, 2e-5, batches(64))).toEqual([]);
    expect(rateNotes(choice, 5e-5, batches(64))).toEqual([]);
    expect(rateNotes({ task: "classify", model: base }, 2e-5, batches(4))).toEqual([]);
  });

  test("a far learning rate and a small batch are", () => {
    const [rate, batch] = rateNotes(choice, 1e-3, batches(8));
    expect(rate?.message).toContain("50 times above 2e-5");
    expect(batch).toMatchObject({ kind: "batch-size", run: "--gradient-accumulation-steps 8" });
    const [more] = rateNotes(choice, 2e-5, batches(8, 2));
    expect(more).toMatchObject({ measured: { batchSize: 16 }, run: "--gradient-accumulation-steps 8" });
    expect(rateNotes(choice, 2e-5, batches(8, 8))).toEqual([]);
    expect(rateNotes(choice, 1e-6, batches(64))[0]?.message).toContain("20 times below 2e-5");
  });
});

describeShared("data/published.json", "the published learning rates", (file) => {
  const { columns, ...byTask } = JSON.parse(readFileSync(file, "utf8")).bestLearningRates;

  test("are the defaults, on every data set and for every column", () => {
    expect(columns).toHaveLength(3);
    expect(Object.keys(byTask)).toHaveLength(8);
    for (const [dataset, rates] of Object.entries(byTask)) {
      const of = (model: RateModel): number => defaultLearningRate({ task: "classify", dataset, model });
      expect([dataset, of(base), of(ernie), of(base)]).toEqual([dataset, ...(rates as number[])]);
    }
  });
});
