/** A model that is simple enough to follow by hand, and a run over it: loss = sum over weights of (w - target of the batch)^2 / 2. */
import type { PretrainingBatch } from "../src/data/instance.ts";
import { builtinConfig } from "../src/model/config.ts";
import type { LoggedMetrics } from "../src/train/metrics.ts";
import type { PretrainingHooks, PretrainingRunOptions } from "../src/train/pretraining-run-options.ts";
import type { CompileStep } from "../src/train/pretraining-step.ts";
import type { TrainingSettings } from "../src/train/settings.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";

const config = builtinConfig("tiny", 100);

/** One row of two tokens; the target of the model is the first id. */
export function batch(target: number): PretrainingBatch {
  return {
    batchSize: 1,
    seqLength: 2,
    maxPredictions: 1,
    inputIds: Int32Array.of(target, 1),
    tokenTypeIds: new Int32Array(2),
    attentionMask: Int32Array.of(1, 1),
    maskedLmPositions: Int32Array.of(0),
    maskedLmIds: Int32Array.of(target),
    maskedLmWeights: Float32Array.of(1),
    nextSentenceLabels: new Int32Array(1),
  };
}

/** The model above as an executable; `log` records the dropout masks of each training run. */
export function quadratic(log: string[] = [], writesInPlace = true): CompileStep {
  return async (_, mode) => ({
    dropoutSites: mode === "train" ? [{ name: "dropout.x", shape: [8], rate: 0.5 }] : [],
    executable: {
      async run(inputs, outputs = {}) {
        if (mode === "train") log.push((inputs["dropout.x"] as HostTensor).data.join(""));
        const weight = (inputs["w"] as HostTensor).data as Float32Array;
        const target = Number((inputs["input_ids"] as HostTensor).data[0]);
        const gradient = weight.map((w) => w - target);
        const given = outputs["grad.w"]?.data as Float32Array | undefined;
        if (writesInPlace) given?.set(gradient);
        const scalar = (value: number) => hostTensor("float32", [], Float32Array.of(value));
        const loss = gradient.reduce((sum, g) => sum + (g * g) / 2, 0);
        return {
          "grad.w": hostTensor("float32", [2], writesInPlace && given ? given : gradient),
          loss: scalar(loss),
          mlm_loss: scalar(loss),
          mlm_correct: scalar(target % 2),
        };
      },
      dispose: async () => {},
    },
  });
}

const settings: TrainingSettings = {
  steps: 4,
  seed: 1,
  optimizer: "adamw",
  learningRate: 0.1,
  warmupSteps: 0,
  weightDecay: 0,
  maxGradientNorm: Number.POSITIVE_INFINITY,
  gradientAccumulationSteps: 1,
};

export function setUp(changes: Partial<TrainingSettings> = {}, hookChanges: Partial<PretrainingHooks> = {}) {
  const weights: NamedTensors = new Map([["w", hostTensor("float32", [2], Float32Array.of(3, -1))]]);
  const lines: LoggedMetrics[] = [];
  const saves: number[] = [];
  let time = 0;
  const hooks: PretrainingHooks = {
    loggingSteps: 2,
    onLog: (metrics) => void lines.push(metrics),
    saveSteps: 0,
    onSave: async ({ step }) => void saves.push(step),
    evalSteps: 0,
    clock: () => (time += 500),
    ...hookChanges,
  };
  const options: PretrainingRunOptions = {
    config,
    weights,
    batches: { batchesPerEpoch: 3, batch: async (index) => batch(index % 3) },
    compile: quadratic(),
    settings: { ...settings, ...changes },
    hooks,
  };
  return { options, weights: weights.get("w")!.data as Float32Array, lines, saves };
}
