/** Evaluation of a pre-trained model on a data folder: the masked language model and, over pairs, next sentences. */
import { readTensors } from "../checkpoint/format.ts";
import { Batches } from "../data/batches.ts";
import { selectInstances } from "../data/dataset.ts";
import { dynamicMasking } from "../data/dynamic-masking.ts";
import type { PretrainingBatch } from "../data/instance.ts";
import { ArgumentError, DataError, InterruptedError, verbatim } from "../errors.ts";
import { parameterShapes } from "../model/initialize.ts";
import { expectNoFurtherLayers, expectNoneMissing, matchWeights } from "../model/match-weights.ts";
import { inspectMlmHead, mlmHeadWarning } from "../model/mlm-head.ts";
import { notNumbers } from "../runtime/checks.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { checkConfigFitsData } from "../train/check-inputs.ts";
import { compilePretraining } from "../train/compile-pretraining.ts";
import { evaluatePretraining } from "../train/evaluate.ts";
import type { EvaluationMetrics } from "../train/metrics.ts";
import { PretrainingStep } from "../train/pretraining-step.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import { loadPretrained } from "./bert-model.ts";
import { type OpenedDataset, openDataset } from "./dataset.ts";
import type { DownloadOptions } from "./hub.ts";
import { engineOf } from "./run-hooks.ts";
import { type EngineChoice, type OpenedRuntime, openRuntime } from "./runtimes.ts";

/** Which model is evaluated on which data, and how their masks are drawn. */
export interface EvaluatePretrainingOptions extends EngineChoice {
  /** A model by path or name. */
  readonly model: string;
  /** The folder that `zhbert data` wrote. */
  readonly data: string;
  /** The name of a way of masking, or a mixture, by which masks are drawn anew; the stored masks when left out. */
  readonly masking?: string;
  /** The share of tokens to predict where masks are drawn anew, in (0, 1]; the data's. */
  readonly maskedLmProb?: number;
  /** Of masks that are drawn anew: the same seed draws the same masks, whatever the model; 0. */
  readonly seed?: number;
  /** The held-out part, or what models were trained on; the held-out part, where the data have one. */
  readonly split?: "train" | "held-out";
  /** The most instances, the first ones; all when left out. */
  readonly maxInstances?: number;
  /** Sequences in a batch; 32. The metrics do not depend on it. */
  readonly batchSize?: number;
  readonly download?: DownloadOptions;
  readonly signal?: AbortSignal;
  /** What was repaired or is amiss, for people. */
  readonly onNote?: (text: string) => void;
  readonly onProgress?: (doneBatches: number, batches: number) => void;
}

/** What was measured, and on what. */
export interface PretrainingEvaluation extends EvaluationMetrics {
  /** exp of the mean loss over predictions. */
  readonly perplexity: number;
  readonly split: "train" | "held-out";
  readonly instances: number;
  /** How the masks were drawn. */
  readonly masking: string;
  /** Of masks that were drawn anew. */
  readonly seed?: number;
  /** What computed it. */
  readonly engine: EngineIdentity;
}

/**
 * Evaluates a pre-trained model on a data folder, without dropout.
 * @throws {ConfigError} when the model has no MLM head or is too short for the data.
 * @throws {DataError} when the data were made with another vocabulary, or have no such part.
 * @throws {ArgumentError} when the data hold no masks and no way of masking is named.
 * @throws {RuntimeError} when the loss is not a number.
 * Source: the eval_metrics of google-research/bert run_pretraining.py.
 */
export async function evaluateOnData(options: EvaluatePretrainingOptions): Promise<PretrainingEvaluation> {
  const dataset = await openDataset(options.data);
  let engine: OpenedRuntime | undefined;
  try {
    // One batch is computed after the other: with several streams each would have a share of the threads.
    engine = await openRuntime({ ...options, streams: 1 }, { mode: "inference", onNote: options.onNote });
    const { runtime } = engine;
    const drawn = evaluationBatches(dataset, options);
    const step = await openStep(dataset, runtime, options);
    const metrics = await evaluatePretraining(step, inOrder(drawn.batches, options)).finally(() => step.dispose());
    if (!Number.isFinite(metrics.loss)) throw notNumbers(`${options.model}: loss`, runtime.precision);
    const { split, instances, masking, seed } = drawn;
    const perplexity = Math.exp(metrics.mlmLoss);
    const drawnBy = { split, instances, masking, ...(seed === undefined ? {} : { seed }) };
    return { ...metrics, perplexity, ...drawnBy, engine: engineOf(runtime) };
  } finally {
    await dataset.close();
    await engine?.release();
  }
}

/** The model as a graph over batches of the data; next sentences only where both data and model have them. */
async function openStep(
  { description }: OpenedDataset,
  runtime: Runtime,
  { model, download, onNote = () => undefined }: EvaluatePretrainingOptions,
): Promise<PretrainingStep> {
  const { config, tokenizer, named, notes, where } = await loadPretrained(model, download);
  for (const note of notes) onNote(note);
  checkConfigFitsData(config, description.settings, tokenizer.vocabulary);
  const hasHead = ["bert.pooler.dense.weight", "cls.seq_relationship.weight"].every((name) => named.tensors.has(name));
  const nextSentence = description.settings.nextSentence && hasHead;
  if (description.settings.nextSentence && !hasHead) {
    onNote(`${model} has no head for next sentences: the masked language model alone is evaluated`);
  }
  const { weights, report } = matchWeights(named.tensors, parameterShapes(config, { nextSentence }), where);
  expectNoFurtherLayers(report, config, where);
  expectNoneMissing(report, where);
  const warning = mlmHeadWarning(inspectMlmHead(named.tensors, config), model);
  if (warning !== undefined) onNote(`warning: ${warning}`);
  return new PretrainingStep(new Map(), compilePretraining(runtime, config, { nextSentence }), 0, readTensors(weights));
}

interface DrawnBatches extends Pick<PretrainingEvaluation, "split" | "instances" | "masking" | "seed"> {
  readonly batches: Batches;
}

/** Masks hang on the seed and the instance's number alone, so that every model gets the same ones. */
function evaluationBatches(dataset: OpenedDataset, options: EvaluatePretrainingOptions): DrawnBatches {
  const { seed = 0, masking, maskedLmProb, batchSize = 32 } = options;
  const { split, source } = partOf(dataset, options);
  const { settings, generation } = dataset.description;
  const isStored = masking === undefined && maskedLmProb === undefined && source.predictionCounts.some((n) => n > 0);
  const ratio = maskedLmProb === undefined ? undefined : { from: maskedLmProb, to: maskedLmProb, steps: 1 };
  const anew = { ...(masking === undefined ? {} : { masking }), ...(ratio === undefined ? {} : { ratio }) };
  const batches = new Batches(source, {
    batchSize: Math.min(batchSize, source.count),
    maxSeqLength: settings.maxSeqLength,
    seed,
    shuffle: false,
    ...(isStored ? {} : dynamicMasking(dataset, anew)),
  });
  const stored = generation.masking ?? settings.masking;
  return {
    batches,
    split,
    instances: source.count,
    masking: masking ?? stored,
    ...(isStored ? {} : { seed }),
  };
}

function partOf(dataset: OpenedDataset, { data, split, maxInstances }: EvaluatePretrainingOptions) {
  const chosen = split ?? (dataset.heldOut.count > 0 ? "held-out" : "train");
  const source = chosen === "held-out" ? dataset.heldOut : dataset.train;
  if (source.count === 0) {
    throw new DataError({
      where: data,
      expected: chosen === "held-out" ? "a held-out part" : "instances",
      got: verbatim("none"),
      hint: "make data with zhbert data --held-out 0.01",
    });
  }
  if (maxInstances === undefined || maxInstances >= source.count) return { split: chosen, source };
  if (!Number.isSafeInteger(maxInstances) || maxInstances < 1) {
    throw new ArgumentError({ where: "evaluation: maxInstances", expected: "an integer above 0", got: maxInstances });
  }
  const first = Uint32Array.from({ length: maxInstances }, (_, index) => index);
  return { split: chosen, source: selectInstances(source, first) };
}

async function* inOrder(
  batches: Batches,
  { signal, onProgress }: EvaluatePretrainingOptions,
): AsyncGenerator<PretrainingBatch> {
  const count = batches.batchesPerEpoch;
  for (let i = 0; i < count; i++) {
    if (signal?.aborted) {
      throw new InterruptedError({
        where: "evaluation",
        expected: `to measure ${count} batches`,
        got: verbatim(`an interruption after ${i}`),
      });
    }
    yield await batches.batch(i);
    onProgress?.(i + 1, count);
  }
}
