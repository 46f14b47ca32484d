/** What the instances of a data folder come to: lengths, masks, words, unknown tokens. */
import type { Vocabulary } from "../text/vocabulary.ts";
import type { PretrainingInstance } from "./instance.ts";

/** Counts of something by a whole number, such as its length. */
export type Histogram = Map<number, number>;

/** Longer words are counted with these. */
const LONGEST_WORD = 12;

/** Adds instances up. */
export class DataStatistics {
  readonly #vocabulary: Vocabulary;
  instances = 0;
  tokens = 0;
  predictions = 0;
  /** Of the predictions: seen as [MASK], and as they were; the rest is another token. */
  masked = 0;
  kept = 0;
  unknown = 0;
  words = 0;
  /** Instances with next sentence label 1. */
  labelled = 0;
  /** Instances by tokens, words by tokens, instances by percent of tokens to predict. */
  readonly lengths: Histogram = new Map();
  readonly wordLengths: Histogram = new Map();
  readonly maskRates: Histogram = new Map();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  add({ inputIds, wordStarts, maskedLmPositions, maskedLmIds, nextSentenceLabel }: PretrainingInstance): void {
    const { unk, mask, cls, sep } = this.#vocabulary.ids;
    const length = inputIds.length;
    this.instances += 1;
    this.tokens += length;
    this.predictions += maskedLmPositions.length;
    this.labelled += nextSentenceLabel;
    for (const [i, position] of maskedLmPositions.entries()) {
      const seen = inputIds[position];
      if (seen === mask) this.masked += 1;
      else if (seen === maskedLmIds[i]) this.kept += 1;
      // What a mask hides is counted as what it is.
      if (maskedLmIds[i] === unk) this.unknown += 1;
      if (seen === unk) this.unknown -= 1;
    }
    for (let begin = 0; begin < length; ) {
      let end = begin + 1;
      while (end < length && wordStarts[end] === 0) end += 1;
      const isSpecial = inputIds[begin] === cls || inputIds[begin] === sep;
      for (let i = begin; i < end; i++) if (inputIds[i] === unk) this.unknown += 1;
      if (!isSpecial) {
        this.words += 1;
        count(this.wordLengths, Math.min(LONGEST_WORD, end - begin));
      }
      begin = end;
    }
    count(this.lengths, length);
    count(this.maskRates, Math.round((100 * maskedLmPositions.length) / length));
  }
}

function count(histogram: Histogram, value: number): void {
  histogram.set(value, (histogram.get(value) ?? 0) + 1);
}

/** A histogram in bins of equal width, as pairs [first value of the bin, count], empty bins between others too. */
export function binned(histogram: Histogram, width: number): [number, number][] {
  const bins = new Map<number, number>();
  for (const [value, times] of histogram) {
    const bin = Math.floor(value / width);
    bins.set(bin, (bins.get(bin) ?? 0) + times);
  }
  if (bins.size === 0) return [];
  const [first, last] = [Math.min(...bins.keys()), Math.max(...bins.keys())];
  return Array.from({ length: last - first + 1 }, (_, i) => [(first + i) * width, bins.get(first + i) ?? 0]);
}
