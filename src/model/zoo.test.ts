import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { ArgumentError } from "../errors.ts";
import { elementCount } from "../util/tensor.ts";
import { builtinConfig } from "./config.ts";
import { parameterShapes } from "./initialize.ts";
import { findModel, learningRatesOf, parameterCount, resolveHubName, scoresOf, type ZooModel, zoo } from "./zoo.ts";
import { publishedScores } from "./zoo-scores.ts";

/** The parameters of embeddings, encoder and pooler as the graph of the model has them. */
function countInGraph(model: ZooModel): number {
  const config = {
    ...builtinConfig("base", model.vocabSize),
    hiddenSize: model.hiddenSize,
    numHiddenLayers: model.layers,
    numAttentionHeads: model.heads,
    intermediateSize: model.intermediateSize,
    maxPositionEmbeddings: model.maxPositions,
  };
  const shapes = [...parameterShapes(config, { nextSentence: true })].filter(([name]) => name.startsWith("bert."));
  return shapes.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
}

describe("the zoo", () => {
  test("has every family, each model once", () => {
    const names = zoo.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(zoo.map(({ hubName }) => hubName)).size).toBe(names.length);
    for (const family of [/^BERT-base-/, /wwm/, /^RBT/, /^MacBERT/, /^LERT/, /^PERT/, /^MiniRBT/, /^ERNIE/]) {
      expect(names.some((name) => family.test(name))).toBe(true);
    }
  });

  test("gives no two models the same alias", () => {
    for (const model of zoo) {
      const all = [model.name, model.hubName, ...model.aliases];
      if (model.modelScopeName !== undefined) all.push(model.modelScopeName);
      if (model.download !== undefined) all.push(model.download);
      for (const name of all) expect(findModel(name).name).toBe(model.name);
    }
  });

  test.each(zoo)("$name: its parameters are those of the graph", (model) => {
    expect(parameterCount(model)).toBe(countInGraph(model));
    expect(model.hiddenSize % model.heads).toBe(0);
  });

  test("counts as published", () => {
    expect(parameterCount(findModel("bert-base-chinese"))).toBe(102_267_648);
    // Google calls every base model 110M and every large one 340M, whatever the vocabulary.
    for (const model of zoo.filter(({ repository }) => !repository.includes("google"))) {
      if (model.publishedParameters === undefined) continue;
      const published = Number.parseFloat(model.publishedParameters) * 1e6;
      expect(Math.abs(parameterCount(model) / published - 1), model.name).toBeLessThan(0.08);
    }
  });

  test("has scores and learning rates only for models that it has", () => {
    const names = zoo.map(({ name }) => name);
    for (const name of Object.keys(publishedScores)) expect(names).toContain(name);
    expect(scoresOf(findModel("rbt3"))?.["CMRC 2018"]?.test?.em).toEqual([62.2]);
    expect(scoresOf(findModel("rbt4"))).toBeUndefined();
    expect(learningRatesOf(findModel("ernie"))?.["CMRC 2018"]).toBe(8e-5);
    expect(learningRatesOf(findModel("hfl/rbt6"))).toEqual(learningRatesOf(findModel("BERT-wwm")));
    expect(learningRatesOf(findModel("hfl/chinese-pert-base"))).toBeUndefined();
  });
});

describe("names", () => {
  test.each([
    ["bert-base-chinese", "google-bert/bert-base-chinese"],
    ["chinese-bert-wwm-ext", "hfl/chinese-bert-wwm-ext"],
    ["Chinese-RoBERTa-wwm-ext-large", "hfl/chinese-roberta-wwm-ext-large"],
    ["RBTL3", "hfl/rbtl3"],
    ["ernie", "nghuyong/ernie-1.0-base-zh"],
    ["hfl/rbt3", "hfl/rbt3"],
    ["someone/else", "someone/else"],
  ])("%s stands for %s", (name, hubName) => {
    expect(resolveHubName(name)).toBe(hubName);
  });

  test("a mistyped one is told the nearest", () => {
    expect(() => findModel("hfl/chinese-robert-wwm-ext")).toThrow(ArgumentError);
    try {
      findModel("hfl/chinese-robert-wwm-ext");
    } catch (error) {
      expect((error as ArgumentError).hint).toContain("hfl/chinese-roberta-wwm-ext");
    }
  });
});

describeShared("data/published.json", "published figures", (path) => {
  const published = JSON.parse(readFileSync(path, "utf8"));

  test("are the zoo's scores", () => {
    const names: Record<string, string> = { BERT: "BERT-base-Chinese", ERNIE: "ERNIE 1.0" };
    let compared = 0;
    for (const [task, { results }] of Object.entries<{ results: Record<string, object> }>(published.baselines)) {
      for (const [model, splits] of Object.entries(results)) {
        for (const [split, metrics] of Object.entries<Record<string, { max: number; mean: number }>>(splits as never)) {
          for (const [metric, { max, mean }] of Object.entries(metrics)) {
            // biome-ignore lint/suspicious/noExplicitAny: looked up by names from a file
            const ours = (publishedScores as any)[names[model] ?? model][task][split][metric];
            expect(ours, `${model} ${task} ${split} ${metric}`).toEqual([max, mean]);
            compared++;
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  test("are the zoo's learning rates and training", () => {
    const { columns, ...tasks } = published.bestLearningRates;
    expect(columns.length).toBe(3);
    for (const [task, rates] of Object.entries(tasks)) {
      expect(
        ["bert-base-chinese", "ernie", "BERT-wwm"].map((name) => learningRatesOf(findModel(name))?.[task]),
      ).toEqual(rates);
    }
    for (const [name, row] of Object.entries<string[]>(published.models)) {
      if (name === "columns") continue;
      const model = findModel(name === "BERT (Google)" ? "bert-base-chinese" : name);
      expect([model.corpusTokens, model.device, model.optimiser]).toEqual([row[3], row[4], row[7]]);
      expect((model.batchSize ?? "?").replaceAll(" ", "")).toBe(row[6]?.replaceAll(" ", ""));
      expect((model.steps ?? "?").replace(", ", " + ")).toBe(row[5]);
    }
  });
});
