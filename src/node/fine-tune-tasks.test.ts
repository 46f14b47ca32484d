/** What single tasks have of their own in a fine-tuning: further splits that are scored, the learning rate of a CRF. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fineTuningFixture } from "../../test/fine-tuning-data.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { type FineTuneOptions, fineTune } from "./fine-tune.ts";

let fixture: ReturnType<typeof fineTuningFixture>;
beforeAll(() => {
  fixture = fineTuningFixture();
});
afterAll(() => fixture.remove());

describe("reading comprehension", () => {
  const squad = (ids: readonly string[], isLabelled = true) => {
    const context = "北京天气很好";
    const answers = isLabelled ? { answers: [{ text: "北京", answer_start: 0 }] } : {};
    const qas = ids.map((id) => ({ id, question: "在中大？", ...answers }));
    return JSON.stringify({ data: [{ paragraphs: [{ context, qas }] }] });
  };

  test("every labelled split that the data set has is scored at the end", async () => {
    const folder = fixture.path("cmrc");
    mkdirSync(folder);
    const splits = { train: ["a", "b"], dev: ["c"], trial: ["d"], challenge: ["e", "f"] };
    for (const [split, ids] of Object.entries(splits)) {
      writeFileSync(`${folder}/cmrc2018_${split}.json`, squad(ids));
    }
    writeFileSync(`${folder}/cmrc2018_test_2k.json`, squad(["g"], false));
    const data = { name: "cmrc2018", folder };
    const { best } = await fineTune(fixture.options("cmrc-model", { data, epochs: 1, batchSize: 2 }));
    expect(Object.keys(best.scores)).toEqual(["dev", "trial", "challenge"]);
    expect(best.scores["challenge"]).toMatchObject({ exactMatch: expect.any(Number), f1: expect.any(Number) });
    // Where splits are said, they are all.
    const said = { data: { ...data, splits: ["train", "dev"] }, epochs: 1, batchSize: 2 };
    expect(Object.keys((await fineTune(fixture.options("cmrc-said", said))).best.scores)).toEqual(["dev"]);
  });
});

describe("a CRF", () => {
  const trained = async (name: string, more: Partial<FineTuneOptions>) => {
    const train = fixture.path("train.conll");
    writeFileSync(train, "今 O\n天 O\n在 O\n北 B-LOC\n京 I-LOC\n\n我 O\n爱 O\n北 B-LOC\n京 I-LOC\n".repeat(4));
    const data = { name: "ner", train };
    const task = { maxSeqLength: 12, crf: true };
    const one = { data, task, steps: 1, warmupShare: 0, dropout: 0, weightDecay: 0, keepLast: true };
    await fineTune(fixture.options(name, { ...one, ...more }));
    return readSafetensors(new Uint8Array(fixture.bytes(name, "model.safetensors")), name);
  };

  test("has a learning rate of its own, by which the rest does not change", async () => {
    const begun = await trained("crf-begun", { learningRate: 1e-30 });
    const plain = await trained("crf-plain", { learningRate: 1e-4 });
    const faster = await trained("crf-faster", { learningRate: 1e-4, crfLearningRate: 1e-2 });
    const names = [...begun.keys()].filter((name) => name.startsWith("crf."));
    expect(names).toHaveLength(3);
    for (const [name, { data }] of begun) {
      const [before, one, other] = [data, plain.get(name)?.data, faster.get(name)?.data] as Float32Array[];
      if (!names.includes(name)) {
        expect({ name, other }).toEqual({ name, other: one });
        continue;
      }
      const steps = [one, other].map((after) =>
        Math.max(...(after ?? []).map((x, i) => Math.abs(x - (before?.[i] ?? 0)))),
      );
      expect(steps[0]).toBeCloseTo(1e-4, 5);
      expect(steps[1]).toBeCloseTo(1e-2, 4);
    }
  });

  test("is needed for its rate, which is above 0", async () => {
    const attempt = (name: string, task: object, crfLearningRate: number) =>
      trained(name, { task: { maxSeqLength: 12, ...task }, crfLearningRate });
    await expect(attempt("crf-none", {}, 1e-3)).rejects.toMatchObject({
      message: "learning rate of the CRF: expected a model of ner with a CRF, got a task without one",
      hint: "Give --crf, or leave --crf-learning-rate out.",
    });
    await expect(attempt("crf-zero", { crf: true }, 0)).rejects.toThrow(
      "rate factor of crf.: expected a number above 0",
    );
  });
});
