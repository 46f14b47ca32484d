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
    ["tiny", 32, 128, false, 916],
    ["tiny", 32, 64, false, 576],
    ["tiny", 8, 512, false, 1540],
    ["tiny", 64, 128, true, 1092],
    ["tiny", 8, 512, true, 1117],
    ["rbt3", 8, 128, false, 1039],
    ["rbt3", 16, 128, true, 1161],
    ["rbt3", 4, 512, false, 1534],
    ["base", 8, 128, false, 2692],
    ["base", 8, 128, true, 2295],
  ];
  test.each(measured)(
    "%s, batch %i of %i, recompute %s: %i MB, by less than 4 percent",
    (size, batchSize, seqLength, ...rest) => {
      const [recompute, megabytes] = rest;
      const { parameters, at } = stepCosts(builtinConfig(size, VOCAB_SIZE), shapeOf(seqLength, recompute));
      const { total } = trainingMemory({ parameters, step: at(batchSize), recompute, accumulates: false });
      expect(Math.abs(total / 1e6 / megabytes - 1)).toBeLessThan(0.04);
    },
  );
});

test("a run with batches of several lengths, with evaluation and checkpoints", () => {
  const config = builtinConfig("tiny", 21_128);
  const shapeOf = (seqLength: number) => ({ seqLength, maxPredictions: 20, recompute: false, nextSentence: false });
  const [step, shorter] = [128, 96].map((length) => stepCosts(config, shapeOf(length)).at(32));
  const { parameters } = stepCosts(config, shapeOf(128));
  const { total } = trainingMemory({ parameters, step: step!, shorter, recompute: false, accumulates: false });
  // zhbert pretrain, 24 steps.
  expect(Math.abs(total / 1e6 / 1160 - 1)).toBeLessThan(0.04);
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
