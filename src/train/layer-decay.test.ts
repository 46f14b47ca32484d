/** The factors of layer-wise decay, against ELECTRA's own table where it is there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { layerRateFactor, namedRateFactor } from "./layer-decay.ts";

test("one decay for each step down from the heads", () => {
  const names = ["cls.predictions.bias", "bert.pooler.dense.bias", "bert.encoder.layer.2.output.dense.bias"];
  const lower = ["bert.encoder.layer.0.output.dense.bias", "bert.embeddings.word_embeddings.weight"];
  expect([...names, ...lower].map((name) => layerRateFactor(name, 0.5, 3))).toEqual([1, 0.5, 0.25, 0.0625, 0.03125]);
  expect(layerRateFactor("bert.embeddings.word_embeddings.weight", 1, 3)).toBe(1);
});

test("factors by the beginnings of names", () => {
  const factors = { "crf.": 100, "bert.pooler.": 0.5 };
  const names = ["crf.transitions", "bert.pooler.dense.bias", "classifier.weight", "bert.crf.x"];
  expect(names.map((name) => namedRateFactor(name, factors))).toEqual([100, 0.5, 1, 1]);
});

describeShared("reference/optim/schedules.json", "ELECTRA's table", (path) => {
  const { layerwise_decay: tables } = JSON.parse(readFileSync(path, "utf8"));
  test.each([
    [12, 0.8],
    [12, 0.95],
    [4, 0.9],
  ])("%i layers, %f", (layers, decay) => {
    const table: Record<string, number> = tables[`L${layers}_d${decay}`];
    expect(layerRateFactor("bert.embeddings.x", decay, layers)).toBeCloseTo(table["/embeddings/"]!, 12);
    expect(layerRateFactor("cls.seq_relationship.weight", decay, layers)).toBe(table["task_specific/"]);
    for (let layer = 0; layer < layers; layer++) {
      const name = `bert.encoder.layer.${layer}.attention.self.query.weight`;
      expect(layerRateFactor(name, decay, layers)).toBeCloseTo(table[`encoder/layer_${layer}/`]!, 12);
    }
  });
});
