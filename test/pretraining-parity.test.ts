/**
 * Parity with PyTorch and transformers: losses, the gradient of every parameter, and ten training steps of a random model,
 * through the whole path (graph, autodiff, ONNX, ONNX Runtime, optimiser). Numbers: test/fixtures/bert-tiny.
 *
 * Tolerances are those of the fixtures' makers: float32 against float64 measures 1e-6 (losses), 6e-6 of the largest value
 * (gradients) and 2e-6 (final weights); another order of summation may multiply that.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { parseConfig } from "../src/model/config.ts";
import { parameterShapes } from "../src/model/initialize.ts";
import { compilePretraining } from "../src/train/compile-pretraining.ts";
import type { LoggedMetrics } from "../src/train/metrics.ts";
import { runPretraining } from "../src/train/pretrain.ts";
import { PretrainingStep } from "../src/train/pretraining-step.ts";
import type { NamedTensors } from "../src/util/tensor.ts";
import { storedBatch } from "./bert-tiny-batches.ts";
import { describeRuntimes } from "./runtimes.ts";

const folder = new URL("fixtures/bert-tiny/", import.meta.url);
const tensors = (name: string): NamedTensors =>
  readSafetensors(new Uint8Array(readFileSync(new URL(name, folder))), name);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));

const config = parseConfig(json("config.json"), "config.json");
const noise = new Set<string>(json("loss.json").gelu.noise_tensors);

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}
const largest = (values: ArrayLike<number>) => largestDifference(values, new Float32Array(values.length));

test("the model has the parameters of the reference, by name and shape", () => {
  const shapes = parameterShapes(config, { nextSentence: true });
  const reference = tensors("model.safetensors");
  expect([...shapes.keys()].sort()).toEqual([...reference.keys()].sort());
  for (const [name, shape] of shapes) expect([name, shape]).toEqual([name, reference.get(name)!.shape]);
});

describeRuntimes("training equals PyTorch's", (runtime) => {
  test.each([false, true])("losses and the gradient of every parameter (recompute: %s)", async (recompute) => {
    const step = new PretrainingStep(
      tensors("model.safetensors"),
      compilePretraining(runtime, config, { nextSentence: true, recompute }),
      0,
    );
    const sums = await step.train(storedBatch(0), 0);
    const { loss, masked_lm_loss, next_sentence_loss } = json("loss.json").gelu.float64;
    expect(Math.abs(sums.loss - loss)).toBeLessThan(1e-5);
    expect(Math.abs(sums.mlmLoss - masked_lm_loss)).toBeLessThan(1e-5);
    expect(Math.abs(sums.nspLoss - next_sentence_loss)).toBeLessThan(1e-5);
    const evaluated = await step.evaluate(storedBatch(0));
    expect(Math.abs(evaluated.loss - loss)).toBeLessThan(1e-5);
    const reference = tensors("gradients.safetensors");
    expect(step.gradients.size).toBe(reference.size);
    for (const [name, { data }] of reference) {
      const difference = largestDifference(step.gradients.get(name)!, data as Float32Array);
      const tolerance = noise.has(name) ? 1e-6 : 1e-4 * largest(data as Float32Array);
      expect({ name, difference }).toSatisfy(({ difference: d }) => d <= tolerance);
    }
    await step.dispose();
  });

  describe.each([
    ["adam-weight-decay", "adamw-bert"],
    ["adamw", "adamw"],
    ["lamb-ymcui", "lamb"],
    ["lamb-nvidia", "lamb-nvidia"],
  ] as const)("ten steps of %s", (reference, optimizer) => {
    test("learning rates, losses, gradient norms and final weights", async () => {
      const settings = json(`${reference}.json`);
      const weights = tensors("model.safetensors");
      const lines: LoggedMetrics[] = [];
      await runPretraining({
        config,
        weights,
        batches: { batchesPerEpoch: 10, batch: async (index) => storedBatch(index) },
        compile: compilePretraining(runtime, config, { nextSentence: true }),
        settings: {
          steps: settings.steps,
          seed: 1,
          optimizer,
          learningRate: settings.peak,
          warmupSteps: settings.warmup,
          weightDecay: settings.weight_decay,
          maxGradientNorm: settings.clip,
          gradientAccumulationSteps: 1,
        },
        hooks: {
          loggingSteps: 1,
          onLog: (metrics) => void lines.push(metrics),
          saveSteps: 0,
          onSave: async () => {},
          evalSteps: 0,
          clock: () => performance.now(),
        },
      });
      const { learning_rate, loss, gradient_norm } = settings.float64;
      expect(
        largestDifference(
          lines.map((line) => line.learningRate),
          learning_rate,
        ),
      ).toBeLessThan(1e-12);
      expect(
        largestDifference(
          lines.map((line) => line.loss),
          loss,
        ),
      ).toBeLessThan(2e-5);
      lines.forEach((line, i) => void expect(Math.abs(line.gradientNorm / gradient_norm[i] - 1)).toBeLessThan(1e-5));
      for (const [name, { data }] of tensors(`${reference}.final.safetensors`)) {
        if (noise.has(name)) continue;
        const difference = largestDifference(weights.get(name)!.data as Float32Array, data as Float32Array);
        expect({ name, difference }).toSatisfy(({ difference: d }) => d <= 2e-5);
      }
    });
  });
});
