/** What training measures: sums over steps, and the means that are logged. */
import type { CommonSums, Rates } from "./run-meter.ts";

/** Sums over micro-batches of pre-training. */
export type MetricSums = CommonSums & {
  mlmLoss: number;
  nspLoss: number;
  /** Predictions that were right, and all of them. */
  mlmCorrect: number;
  predictions: number;
  /** Words of several tokens that were masked whole, and those with all tokens right; 0 while training. */
  words: number;
  wordsCorrect: number;
  nspCorrect: number;
  sequences: number;
};

/** Where a run stands after an update. */
export interface RunPosition {
  /** Updates done. */
  readonly step: number;
  /** 1 or 2, in a run of two phases. */
  readonly phase?: number;
  readonly epoch: number;
  /** The share of the run that is done, in [0, 1]: of its steps, or of its hours. */
  readonly progress: number;
  /** Of the last update. */
  readonly learningRate: number;
  /** Global norm of the last update's gradient, before clipping. */
  readonly gradientNorm: number;
  /** Sequences of the last update, over all its micro-batches. */
  readonly batchSize: number;
}

/** Means of pre-training's sums. */
export interface PretrainingMeans {
  readonly loss: number;
  readonly mlmLoss: number;
  readonly nspLoss: number;
  /** In [0, 1]. */
  readonly mlmAccuracy: number;
  readonly nspAccuracy: number;
}

/** What one line of metrics.jsonl holds of any training: where it stands, means and rates since the last line. */
export type LoggedLine<Means> = RunPosition & Means & Rates;

/** Means that one line of metrics.jsonl holds. */
export type LoggedMetrics = LoggedLine<PretrainingMeans>;

/** Loss and accuracy on held-out data, without dropout. */
export interface EvaluationMetrics {
  readonly loss: number;
  /** Mean over predictions, in nats. */
  readonly mlmLoss: number;
  readonly nspLoss: number;
  readonly mlmAccuracy: number;
  readonly nspAccuracy: number;
  /** The accuracy of always answering the label that is most frequent here: what a model must beat. */
  readonly mostFrequentAccuracy: number;
  /** The share of words of several tokens, masked whole, whose tokens are all right; left out where there are none. */
  readonly wordAccuracy?: number;
  readonly predictions: number;
  /** Of `wordAccuracy`. */
  readonly words: number;
  readonly sequences: number;
}

/** Sums of nothing. */
export function emptySums(): MetricSums {
  return {
    microBatches: 0,
    loss: 0,
    mlmLoss: 0,
    nspLoss: 0,
    mlmCorrect: 0,
    predictions: 0,
    words: 0,
    wordsCorrect: 0,
    nspCorrect: 0,
    sequences: 0,
    tokens: 0,
    places: 0,
    flops: 0,
  };
}

/** The means of sums; 0 where nothing was counted. */
export function means(sums: Readonly<MetricSums>): PretrainingMeans {
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    loss: share(sums.loss, sums.microBatches),
    mlmLoss: share(sums.mlmLoss, sums.microBatches),
    nspLoss: share(sums.nspLoss, sums.microBatches),
    mlmAccuracy: share(sums.mlmCorrect, sums.predictions),
    nspAccuracy: share(sums.nspCorrect, sums.sequences),
  };
}
