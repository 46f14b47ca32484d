/** What training measures: sums over steps, and the means that are logged. */

/** Sums over micro-batches; losses are summed as means of their micro-batch. */
export interface MetricSums {
  microBatches: number;
  loss: number;
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
  /** Tokens without padding. */
  tokens: number;
  /** Places in the batches, padding among them. */
  places: number;
  /** Floating-point operations of the graphs. */
  flops: number;
}

/** Means that one line of metrics.jsonl holds. */
export interface LoggedMetrics {
  /** Updates done. */
  readonly step: number;
  readonly epoch: number;
  /** The share of the run that is done, in [0, 1]: of its steps, or of its hours. */
  readonly progress: number;
  readonly loss: number;
  readonly mlmLoss: number;
  readonly nspLoss: number;
  /** In [0, 1]. */
  readonly mlmAccuracy: number;
  readonly nspAccuracy: number;
  /** Of the last update. */
  readonly learningRate: number;
  /** Global norm of the last update's gradient, before clipping. */
  readonly gradientNorm: number;
  /** Sequences of the last update, over all its micro-batches. */
  readonly batchSize: number;
  /** 1 or 2, in a run of two phases. */
  readonly phase?: number;
  /** The share of places in the batches that held no token, in [0, 1). */
  readonly paddingShare: number;
  /** Tokens without padding. */
  readonly tokensPerSecond: number;
  /** 1e9 floating-point operations of the graphs a second, with those that padding costs; 0 where they are not counted. */
  readonly gigaflopsPerSecond: number;
}

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

/** Adds sums to others in place. */
export function addSums(to: MetricSums, from: Readonly<MetricSums>): void {
  for (const key of Object.keys(to) as (keyof MetricSums)[]) to[key] += from[key];
}

/** The means of sums; 0 where nothing was counted. */
export function means(sums: Readonly<MetricSums>) {
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    loss: share(sums.loss, sums.microBatches),
    mlmLoss: share(sums.mlmLoss, sums.microBatches),
    nspLoss: share(sums.nspLoss, sums.microBatches),
    mlmAccuracy: share(sums.mlmCorrect, sums.predictions),
    nspAccuracy: share(sums.nspCorrect, sums.sequences),
  };
}
