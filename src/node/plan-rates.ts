/**
 * Measures in seconds what a plan of weeks stands on: steps of the real graph with no layer and with two, and the loops over
 * all weights. The difference is what layers take; both are scaled by operations afterwards.
 */
import type { PretrainingBatch } from "../data/instance.ts";
import type { BertConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import type { StepCost } from "../report/training-cost.ts";
import type { MeasuredRates } from "../report/training-plan.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { accumulate, globalNorm } from "../train/clipping.ts";
import { compilePretraining } from "../train/compile-pretraining.ts";
import type { OptimizerName } from "../train/optimizers.ts";
import { createOptimizer } from "../train/optimizers.ts";
import type { PassRunner } from "../train/pass-runner.ts";
import { PretrainingStep } from "../train/pretraining-step.ts";
import { Random } from "../util/random.ts";
import { PassWorkers } from "./pass-workers.ts";

/** What is measured. */
export interface MeasureOptions {
  readonly config: BertConfig;
  readonly seqLength: number;
  readonly maxPredictions: number;
  readonly nextSentence: boolean;
  readonly optimizer: OptimizerName;
  /** What the graph of a number of layers costs, at some batch size. */
  readonly costOf: (layers: number, batchSize: number) => StepCost;
}

/** Layers of the measured model beside the one without. */
const LAYERS = 2;
/** Enough to be past what each run costs by itself, few enough for seconds: 16 sequences of 128. */
const TOKENS = 2048;
/** Runs of each side, in turn; more while there is time. */
const MIN_RUNS = 2;
const MAX_RUNS = 12;
const MILLISECONDS = 4000;

/** The rates of a machine on a model at one length: the best of some runs, as on a machine that does nothing else. */
export async function measureRates(runtime: Runtime, options: MeasureOptions): Promise<MeasuredRates> {
  const batchSize = Math.max(1, Math.floor(TOKENS / options.seqLength));
  const passes = new PassWorkers(runtime.threads);
  const bare = new MeasuredModel(runtime, passes, options, 0, batchSize);
  const layered = new MeasuredModel(runtime, passes, options, LAYERS, batchSize);
  try {
    // The first runs compile, and fill the engine's memory.
    await bare.run();
    await layered.run();
    const [without, withLayers] = await bestTimes(bare, layered);
    const [rest, all] = [options.costOf(0, batchSize).flops, options.costOf(LAYERS, batchSize).flops];
    return {
      rest: rest / without.step,
      // Noise must not make layers free.
      layers: (all - rest) / Math.max(withLayers.step - without.step, withLayers.step / 10),
      update: withLayers.update / layered.parameters,
      accumulate: withLayers.accumulate / layered.parameters,
    };
  } finally {
    await bare.dispose();
    await layered.dispose();
    await passes.close();
  }
}

/** Seconds. */
interface Times {
  readonly step: number;
  readonly update: number;
  readonly accumulate: number;
}

async function bestTimes(bare: MeasuredModel, layered: MeasuredModel): Promise<[Times, Times]> {
  const best: [Times, Times] = [await bare.run(), await layered.run()];
  const end = performance.now() + MILLISECONDS;
  for (let run = 1; run < MAX_RUNS && (run < MIN_RUNS || performance.now() < end); run++) {
    best[0] = least(best[0], await bare.run());
    best[1] = least(best[1], await layered.run());
  }
  return best;
}

function least(a: Times, b: Times): Times {
  return {
    step: Math.min(a.step, b.step),
    update: Math.min(a.update, b.update),
    accumulate: Math.min(a.accumulate, b.accumulate),
  };
}

/** A model of few layers in training on a batch of random tokens. */
class MeasuredModel {
  readonly parameters: number;
  readonly #step: PretrainingStep;
  readonly #update: () => Promise<void>;
  readonly #passes: PassRunner;
  readonly #sums: Map<string, Float32Array>;
  readonly #batch: PretrainingBatch;
  #runs = 0;

  constructor(runtime: Runtime, passes: PassRunner, options: MeasureOptions, layers: number, batchSize: number) {
    const { nextSentence, optimizer: name } = options;
    const config = { ...options.config, numHiddenLayers: layers };
    const weights = initializeWeights(config, new Random(0), { nextSentence });
    this.#step = new PretrainingStep(
      weights,
      compilePretraining(runtime, config, { nextSentence }),
      0,
      undefined,
      passes,
    );
    const optimizer = createOptimizer(name, weights, { passes });
    this.#passes = passes;
    this.#update = async () => {
      const norm = await globalNorm(this.#step.gradients, passes);
      // So small that the weights stay as they are: the speed of processors may depend on numbers.
      await optimizer.update(this.#step.gradients, 1e-9, Math.min(1, 1 / norm));
    };
    this.#sums = new Map([...this.#step.gradients].map(([key, { length }]) => [key, new Float32Array(length)]));
    this.#batch = randomBatch(options, batchSize);
    this.parameters = [...this.#sums.values()].reduce((sum, { length }) => sum + length, 0);
  }

  async run(): Promise<Times> {
    const began = performance.now();
    await this.#step.train(this.#batch, this.#runs++);
    const trained = performance.now();
    await accumulate(this.#sums, this.#step.gradients, this.#passes);
    const accumulated = performance.now();
    await this.#update();
    const seconds = (from: number, to: number) => (to - from) / 1000;
    return {
      step: seconds(began, trained),
      accumulate: seconds(trained, accumulated),
      update: seconds(accumulated, performance.now()),
    };
  }

  dispose(): Promise<void> {
    return this.#step.dispose();
  }
}

function randomBatch({ config, seqLength, maxPredictions }: MeasureOptions, batchSize: number): PretrainingBatch {
  const random = new Random(0);
  const tokens = (length: number) => Int32Array.from({ length }, () => random.integer(config.vocabSize));
  const [all, predictions] = [batchSize * seqLength, batchSize * maxPredictions];
  return {
    batchSize,
    seqLength,
    maxPredictions,
    inputIds: tokens(all),
    tokenTypeIds: new Int32Array(all),
    attentionMask: new Int32Array(all).fill(1),
    maskedLmPositions: Int32Array.from({ length: predictions }, (_, i) => i % maxPredictions),
    maskedLmIds: tokens(predictions),
    maskedLmWeights: new Float32Array(predictions).fill(1),
    nextSentenceLabels: new Int32Array(batchSize),
  };
}
