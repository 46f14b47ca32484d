/** The prediction of memory, against peaks (VmHWM) measured after some steps with ONNX Runtime 1.30 on Linux. */
import { describe, expect, test } from "vitest";
import { graphCost } from "../graph/cost.ts";
import { type BuiltinSize, builtinConfig } from "../model/config.ts";
import { pretrainingGraph } from "../model/pretraining.ts";
import { stepCosts, trainingMemory } from "./training-cost.ts";

const VOCAB_SIZE = 12_000;
const shapeOf = (seqLength: number, recompute: boolean) => ({
  seqLength,
  maxPredictions: Math.ceil(0.15 * seqLength),
  recompute,
  nextSentence: true,
});

describe("memory of batches of one length", () => {
  const measured: [size: BuiltinSize, batchSize: number, seqLength: number, recompute: boolean, megabytes: number][] = [
    ["tiny", 32, 128, false, 1104],
    ["tiny", 32, 64, false, 653],
    ["tiny", 8, 512, false, 1949],
    ["tiny", 64, 128, true, 1082],
    ["tiny", 8, 512, true, 1095],
    ["rbt3", 8, 128, false, 1140],
    ["rbt3", 16, 128, true, 1183],
    ["rbt3", 4, 512, false, 1746],
    ["base", 8, 128, false, 2995],
    ["base", 8, 128, true, 2344],
  ];
  test.each(measured)(
    "%s, batch %i of %i, recompute %s: %i MB, by less than 6 percent",
    (size, batchSize, seqLength, ...rest) => {
      const [recompute, megabytes] = rest;
      const { parameters, at } = stepCosts(builtinConfig(size, VOCAB_SIZE), shapeOf(seqLength, recompute));
      const { total } = trainingMemory({ parameters, step: at(batchSize), recompute, accumulates: false });
      expect(Math.abs(total / 1e6 / megabytes - 1)).toBeLessThan(0.06);
    },
  );
});

test("a run with batches of several lengths: those of 96 tokens come on top of those of 128", () => {
  const config = builtinConfig("tiny", VOCAB_SIZE);
  const [step, shorter] = [128, 96].map((length) => stepCosts(config, shapeOf(length, false)).at(32));
  const { parameters } = stepCosts(config, shapeOf(128, false));
  const { total } = trainingMemory({ parameters, step: step!, shorter, recompute: false, accumulates: false });
  // zhbert pretrain, 24 steps, evaluation and checkpoints included.
  expect(Math.abs(total / 1e6 / 1540 - 1)).toBeLessThan(0.06);
});

test("accumulation holds one more number for each weight", () => {
  const { parameters, at } = stepCosts(builtinConfig("tiny", 99), shapeOf(32, false));
  const total = (accumulates: boolean) =>
    trainingMemory({ parameters, step: at(2), recompute: false, accumulates }).total;
  expect(total(true) - total(false)).toBe(4 * parameters);
});

test("costs between and beyond the counted batch sizes are those of the graph", () => {
  const config = builtinConfig("tiny", 99);
  const costs = stepCosts(config, shapeOf(64, false));
  for (const batchSize of [1, 20, 64]) {
    const graph = pretrainingGraph(config, { ...shapeOf(64, false), batchSize, gradients: true, dropout: true });
    const counted = graphCost(graph);
    expect(costs.at(batchSize).flops / counted.flops).toBeCloseTo(1, 6);
    expect(costs.at(batchSize).inputBytes).toBeCloseTo(counted.inputBytes, 3);
    expect(Math.abs(costs.at(batchSize).activationBytes / counted.peakActivationBytes - 1)).toBeLessThan(0.25);
    expect(costs.at(batchSize).productFlops).toBeLessThan(counted.flops);
  }
});
