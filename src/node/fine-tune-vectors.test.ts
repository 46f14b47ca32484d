/** Fine-tuning of sentence vectors and of texts read apart: what each objective takes, and what is measured. */
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fineTuningFixture } from "../../test/fine-tuning-data.ts";
import type { DataNote } from "../tasks/records/data-note.ts";
import { BertModel } from "./bert-model.ts";
import { fineTune } from "./fine-tune.ts";
import type { FineTuningStart } from "./fine-tuning-run.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { pipeline } from "./pipeline.ts";

const runtime = createOnnxRuntime({ threads: 1 });
let fixture: ReturnType<typeof fineTuningFixture>;
beforeAll(() => {
  fixture = fineTuningFixture();
});
afterAll(async () => {
  fixture.remove();
  await runtime.dispose();
});

const texts = ["今天很好", "我爱北京", "中国很大", "他在这里", "天气很好", "一大人来", "不是我的", "上有北京"];

function write(name: string, lines: readonly string[]): string {
  writeFileSync(fixture.path(name), `${lines.join("\n")}\n`);
  return fixture.path(name);
}

const scored = (name: string, scores: readonly number[]) =>
  write(name, ["text\ttextPair\tscore", ...scores.map((score, i) => `${texts[i]}\t${texts[(i + 3) % 8]}\t${score}`)]);

async function tuned(name: string, data: Parameters<typeof fineTune>[0]["data"], task = {}) {
  const notes: DataNote[] = [];
  let start: FineTuningStart | undefined;
  const result = await fineTune(
    fixture.options(name, {
      data,
      task: { maxSeqLength: 16, ...task },
      overwrite: true,
      ...{ steps: 2, batchSize: 4, onNote: (note) => void notes.push(note) },
      onStart: (run) => {
        start = run;
      },
    }),
  );
  return { ...result, notes, start: start as FineTuningStart };
}

test("SimCSE learns from texts alone: none are held out, nothing is measured, and people are told", async () => {
  const train = write("texts.tsv", ["text", ...texts]);
  const { best, notes, start } = await tuned("simcse", { name: "embed", train });
  expect(start.task.settings).toMatchObject({ objective: "simcse" });
  expect(best.scores).toEqual({});
  expect(notes.map(({ kind }) => kind)).toContain("no-dev");
  expect(notes.map(({ kind }) => kind)).not.toContain("unlabelled");
});

test("pairs without scores are learned from against each other, and measured on scored ones of any range", async () => {
  const train = write("pairs.tsv", ["text\ttextPair", ...texts.map((text) => `${text}\t${text}大`)]);
  const { best, start } = await tuned("pairs", { name: "embed", train, dev: scored("dev-scored.tsv", [0, 5, 3, 4]) });
  expect(start.task.settings).toMatchObject({ objective: "in-batch" });
  expect(best.scores["dev"]).toMatchObject({ spearman: expect.any(Number), pearson: expect.any(Number) });
});

test("SimCSE takes both texts of a pair; scores hold a part out", async () => {
  const train = scored("scored.tsv", [0, 1, 2, 3, 4, 5, 1, 2]);
  const { start, best } = await tuned(
    "simcse-pairs",
    { name: "embed", train, devShare: 0.25 },
    { objective: "simcse" },
  );
  // Six pairs are twelve texts: three batches of four.
  expect(start.plan.evalSteps).toBe(3);
  expect(Object.keys(best.scores)).toEqual(["dev"]);
});

test("the folder says how its vectors are made: embed pools as trained, without being told", async () => {
  const train = write("to-pool.tsv", ["text", ...texts]);
  for (const pooling of ["cls", "pooler", "mean"] as const) {
    await tuned("pooled", { name: "embed", train }, { pooling });
    const model = await BertModel.fromPretrained(fixture.path("pooled"), { runtime });
    expect(model.embedding.pooling).toBe(pooling);
    const [first, second] = await model.embed(["今天很好", "天气很好"]);
    expect([first, second]).toEqual(await model.embed(["今天很好", "天气很好"], { pooling }));
    await model.dispose();
    // The score of the task is the cosine of these vectors.
    const similarity = await pipeline("sentence-similarity", fixture.path("pooled"));
    const { score } = (await similarity("今天很好", "天气很好")) as { score: number };
    expect(score).toBeCloseTo(cosine(first as Float32Array, second as Float32Array), 5);
    await similarity.dispose();
    // The pooler is no module that sentence-transformers has alone.
    expect(existsSync(fixture.path("pooled", "modules.json"))).toBe(pooling !== "pooler");
  }
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test("an objective that the examples lack something for is refused", async () => {
  const train = write("alone.tsv", ["text", ...texts]);
  for (const objective of ["in-batch", "cosent"]) {
    await expect(tuned(`refused-${objective}`, { name: "embed", train }, { objective })).rejects.toThrow(
      /^training data: expected pairs of texts .*got 0 among 8 examples$/,
    );
  }
});

test("a data set by name is read for the task that is named", async () => {
  const train = write("cnsd-sts-train.txt", [
    ...texts.map((text, i) => `x-${i}||${text}||${texts[(i + 1) % 8]}||${i % 6}`),
  ]);
  const data = { name: "embed", dataset: "sts-b", train, devShare: 0.25 };
  const { start, title } = await tuned("sts", data);
  expect([title, start.task.settings.task]).toEqual(["STS-B", "embed"]);
  expect(start.task.settings).toMatchObject({ objective: "cosent", scoreRange: [0, 5] });
  await expect(tuned("wrong", { ...data, dataset: "cmrc2018" })).rejects.toThrow(/--dataset: expected a data set for/);
});

test("labels of 0 and 1 are scores to vectors", async () => {
  const train = write("lcqmc.tsv", [
    "text_a\ttext_b\tlabel",
    ...texts.map((text, i) => `${text}\t${texts[(i + 1) % 8]}\t${i % 2}`),
  ]);
  const { start } = await tuned("lcqmc", { name: "embed", dataset: "lcqmc", train });
  expect(start.task.settings).toMatchObject({ objective: "cosent", scoreRange: [0, 1] });
});

test("texts read apart are fine-tuned, weighted by label, and predicted", async () => {
  const train = write("apart.tsv", [
    "text_a\ttext_b\tlabel",
    ...texts.map((text, i) => `${text}\t${texts[(i + 1) % 8]}\t${i % 4 === 0 ? "yes" : "no"}`),
  ]);
  const options = fixture.options("siamese", { data: { name: "siamese", train, devShare: 0.25 }, steps: 2 });
  const { best, task } = await fineTune({ ...options, loss: { classWeights: "balanced" } });
  expect(task).toBe("siamese");
  expect(best.scores["dev"]?.["accuracy"]).toBeGreaterThanOrEqual(0);
  const classify = await pipeline("text-classification", fixture.path("siamese"));
  const [{ label = "" } = {}] = (await classify({ text: "今天很好", textPair: "天气很好" })) as { label?: string }[];
  expect(["yes", "no"]).toContain(label);
  await classify.dispose();
  expect(existsSync(fixture.path("siamese", "modules.json"))).toBe(false);
});
