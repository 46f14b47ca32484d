/** Integrated gradients add up to what they explain, and stand where their characters do; attention sums to 1. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SMALL_LENGTH, smallTaskFolder } from "../../../test/small-task.ts";
import { ArgumentError } from "../../errors.ts";
import { loadPretrained } from "../../node/bert-model.ts";
import { createOnnxRuntime } from "../../node/onnxruntime.ts";
import type { TaskSettings } from "../task.ts";
import { attentionMaps, explain } from "./explain.ts";
import { taskModel } from "./pipeline.ts";

const runtime = createOnnxRuntime({ threads: 1 });
const folders: { remove(): void }[] = [];
async function modelOf(settings: TaskSettings) {
  const folder = smallTaskFolder(settings);
  folders.push(folder);
  return taskModel(await loadPretrained(folder.path), { runtime, name: "small" });
}
let classifier: Awaited<ReturnType<typeof modelOf>>;
beforeAll(async () => {
  classifier = await modelOf({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
});
afterAll(async () => {
  for (const folder of folders) folder.remove();
  await runtime.dispose();
});

describe("integrated gradients", () => {
  test("add up to the score less that of the baseline; more steps come nearer", async () => {
    const text = "我爱北京的天气";
    const coarse = await explain(classifier, { text }, { steps: 4 });
    const fine = await explain(classifier, { text }, { steps: 200 });
    const sum = fine.tokens.reduce((total, { attribution }) => total + attribution, 0);
    expect(sum).toBeCloseTo(fine.score - fine.baselineScore, 4);
    expect(fine.completenessError).toBeLessThan(1e-4);
    expect(fine.completenessError).toBeLessThan(coarse.completenessError);
    expect(fine.tokens.some(({ attribution }) => Math.abs(attribution) > 1e-3)).toBe(true);
    for await (const prediction of classifier.predict([{ text }])) {
      expect({ label: fine.label, score: fine.score }).toEqual({
        label: prediction.labels[0].label,
        score: expect.closeTo(prediction.labels[0].score, 5),
      });
    }
  });

  test("stand at the characters of both texts of a pair, cut where the row is", async () => {
    const pair = { text: "我爱 北京", textPair: "天气很好".repeat(5) };
    const { tokens } = await explain(classifier, pair);
    for (const { text, start, end, side } of tokens) {
      expect((side === 0 ? pair.text : pair.textPair).slice(start, end)).toBe(text);
    }
    expect(tokens.filter(({ side }) => side === 0).map(({ text }) => text)).toEqual([..."我爱北京"]);
    expect(tokens).toHaveLength(SMALL_LENGTH - 3);
  });

  test("explain the label that is named: over all labels they cancel out", async () => {
    const all = await Promise.all(
      ["差", "中", "好"].map((label) => explain(classifier, { text: "天气不好" }, { label })),
    );
    const [first] = all;
    first?.tokens.forEach((_, i) => {
      expect(all.reduce((sum, { tokens }) => sum + (tokens[i]?.attribution as number), 0)).toBeCloseTo(0, 4);
    });
    expect(all.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
  });

  test("from another baseline they explain the way from there", async () => {
    const [mask, pad] = await Promise.all(
      (["mask", "pad"] as const).map((baseline) => explain(classifier, { text: "天气不好" }, { baseline, steps: 100 })),
    );
    expect(mask?.score).toBeCloseTo(pad?.score as number, 5);
    expect(mask?.baselineScore).not.toBeCloseTo(pad?.baselineScore as number, 4);
    expect(pad?.completenessError).toBeLessThan(1e-3);
  });

  test("of numbers and of several labels at once too", async () => {
    const regress = await modelOf({ task: "regress", maxSeqLength: SMALL_LENGTH });
    const number = await explain(regress, { text: "我爱北京", textPair: "天气" }, { steps: 100 });
    expect(number.completenessError).toBeLessThan(1e-2);
    const multilabel = await modelOf({ task: "multilabel", maxSeqLength: SMALL_LENGTH, labels: ["吃", "住"] });
    const one = await explain(multilabel, { text: "我爱北京" }, { label: "住", steps: 100 });
    for await (const { labels } of multilabel.predict([{ text: "我爱北京" }])) {
      expect(labels.find(({ label }: { label: string }) => label === "住").score).toBeCloseTo(one.score, 5);
    }
    expect(one.completenessError).toBeLessThan(1e-3);
  });

  test("refuses labels that are none, too few steps, and tasks without a score for the text", async () => {
    await expect(explain(classifier, { text: "好" }, { label: "极好" })).rejects.toThrow(ArgumentError);
    await expect(explain(classifier, { text: "好" }, { steps: 1 })).rejects.toThrow("steps");
    const qa = await modelOf({ task: "qa", maxSeqLength: SMALL_LENGTH });
    await expect(explain(qa, { text: "好" })).rejects.toThrow("classify, match, multilabel, regress");
    const long = await modelOf({ task: "regress", maxSeqLength: SMALL_LENGTH, longTexts: "windows" });
    await expect(explain(long, { text: "好".repeat(40) })).rejects.toThrow("windows");
  });
});

test("attention of every layer and head: from each token shares of all tokens", async () => {
  const { tokens, layers } = await attentionMaps(classifier, { text: "我爱北京" });
  expect(tokens).toEqual(["[CLS]", "我", "爱", "北", "京", "[SEP]"]);
  expect(layers.map((heads) => heads.length)).toEqual([3, 3]);
  for (const head of layers.flat()) {
    for (let row = 0; row < 6; row++) {
      const sum = head.subarray(6 * row, 6 * row + 6).reduce((total, share) => total + share, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  }
  expect(layers[0]?.[0]).not.toEqual(layers[0]?.[1]);
});
