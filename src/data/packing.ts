/**
 * Packs the sentences of a block into examples: pairs for next sentence prediction as in BERT or for sentence order prediction
 * as in ALBERT and MacBERT, or full sentences alone.
 * Follows create_instances_from_document of google-research/bert; the order of random numbers is our own.
 */
import type { Random } from "../util/random.ts";
import type { TokenBlock } from "./token-block.ts";

/** How sentences are packed. */
export interface PackingOptions {
  /** Tokens of a sequence, special ones counted. */
  readonly maxSeqLength: number;
  /** The share of examples that are packed to a random shorter length. */
  readonly shortSeqProb: number;
  /** Pairs with a next sentence label, or single segments. */
  readonly nextSentence: boolean;
  /** Pairs are always neighbours, in half of them the second first, with label 1. */
  readonly swapSegments: boolean;
}

/** Examples as ranges of a block, so that many can be held and shuffled. */
export interface PackedExamples {
  readonly count: number;
  /** int32 [examples, 5]; start and end of A, start and end of B (equal when there is none), label. */
  readonly ranges: Int32Array;
}

/** Tokens of a block from the first number up to the second. */
type Range = readonly [number, number];

/** Numbers that describe an example. */
export const RANGE_FIELDS = 5;

/** The tokens that are left when [CLS] and each [SEP] have their place. */
export function maxTextTokens({ maxSeqLength, nextSentence }: PackingOptions): number {
  return maxSeqLength - (nextSentence ? 3 : 2);
}

/** Packs every document of a block once. */
export function packBlock(block: TokenBlock, options: PackingOptions, random: Random): PackedExamples {
  const packer = new Packer(block, options, random);
  for (let document = 0; document + 1 < block.documentStarts.length; document++) {
    if (options.nextSentence) packer.packPairs(document);
    else packer.packSingles(document);
  }
  return packer.examples();
}

class Packer {
  readonly #block: TokenBlock;
  readonly #options: PackingOptions;
  readonly #random: Random;
  readonly #maxTokens: number;
  #ranges: number[] = [];

  constructor(block: TokenBlock, options: PackingOptions, random: Random) {
    this.#block = block;
    this.#options = options;
    this.#random = random;
    this.#maxTokens = maxTextTokens(options);
  }

  examples(): PackedExamples {
    return { count: this.#ranges.length / RANGE_FIELDS, ranges: Int32Array.from(this.#ranges) };
  }

  /** Sentences in a row, as many as fit; none is cut (the block holds no sentence longer than a sequence). */
  packSingles(document: number): void {
    const { ids, documentStarts, sentenceStarts, separatorId } = this.#block;
    const end = documentStarts[document + 1] as number;
    for (let first = documentStarts[document] as number; first < end; ) {
      const start = sentenceStarts[first] as number;
      const target = this.#drawTarget();
      let last = first + 1;
      while (last < end && (sentenceStarts[last + 1] as number) - start <= target) last += 1;
      const stop = sentenceStarts[last] as number;
      this.#ranges.push(start, ids[stop - 1] === separatorId ? stop - 1 : stop, 0, 0, 0);
      first = last;
    }
  }

  /** Chunks of sentences cut into A and B; in half of them B comes from elsewhere and the cut-off rest is used again. */
  packPairs(document: number): void {
    const { documentStarts, sentenceStarts } = this.#block;
    const end = documentStarts[document + 1] as number;
    for (let first = documentStarts[document] as number; first < end; ) {
      const start = sentenceStarts[first] as number;
      const target = this.#drawTarget();
      let last = first + 1;
      while (last < end && (sentenceStarts[last] as number) - start < target) last += 1;
      first = this.#packPair(document, first, last, target);
    }
  }

  /** Emits the chunk of sentences [first, last) and returns the sentence at which the next one begins. */
  #packPair(document: number, first: number, last: number, target: number): number {
    const { sentenceStarts } = this.#block;
    const start = sentenceStarts[first] as number;
    const chunkEnd = sentenceStarts[last] as number;
    const middle = last - first >= 2 ? first + 1 + this.#random.integer(last - first - 1) : last;
    const aEnd = sentenceStarts[middle] as number;
    if (this.#options.swapSegments) {
      this.#emitInOrder(start, middle === last ? this.#middleWord(start, chunkEnd) : aEnd, chunkEnd);
      return last;
    }
    if (middle === last || this.#random.uniform() < 0.5) {
      const next = this.#drawRandomNext(document, first, middle, target - (aEnd - start));
      if (next !== undefined) {
        this.#emit(start, aEnd, next[0], next[1], 1);
        return middle;
      }
    }
    // Nothing to pair with: a single sentence is its own pair, cut where a word begins.
    const cut = middle === last ? this.#middleWord(start, chunkEnd) : aEnd;
    if (cut > start) this.#emit(start, cut, cut, chunkEnd, 0);
    return last;
  }

  /** The two parts of a range, swapped in half of the cases. Source: Lan et al. 2020 (ALBERT), section 3.1; MacBERT. */
  #emitInOrder(start: number, cut: number, end: number): void {
    if (cut === start) return;
    if (this.#random.uniform() < 0.5) this.#emit(cut, end, start, cut, 1);
    else this.#emit(start, cut, cut, end, 0);
  }

  /**
   * Sentences of another document, at least `wanted` tokens where it has them. Where there is no other document they come
   * from another place of this one, which neither overlaps A (sentences [first, middle)) nor follows it.
   */
  #drawRandomNext(document: number, first: number, middle: number, wanted: number): Range | undefined {
    const { documentStarts } = this.#block;
    const documents = documentStarts.length - 1;
    if (documents > 1) {
      const chosen = this.#otherThan(document, documents);
      const from = documentStarts[chosen] as number;
      const end = documentStarts[chosen + 1] as number;
      return this.#sentencesFrom(from + this.#random.integer(end - from), end, wanted);
    }
    const from = documentStarts[document] as number;
    const end = documentStarts[document + 1] as number;
    const before = first - from;
    const after = end - middle - 1;
    if (before + after < 1) return undefined;
    const drawn = this.#random.integer(before + after);
    return drawn < before
      ? this.#sentencesFrom(from + drawn, first, wanted)
      : this.#sentencesFrom(middle + 1 + drawn - before, end, wanted);
  }

  /** The tokens of sentences from `first`, before `end`, until there are `wanted`. */
  #sentencesFrom(first: number, end: number, wanted: number): Range {
    const { sentenceStarts } = this.#block;
    const start = sentenceStarts[first] as number;
    let last = first + 1;
    while (last < end && (sentenceStarts[last] as number) - start < wanted) last += 1;
    return [start, sentenceStarts[last] as number];
  }

  #otherThan(one: number, count: number): number {
    const drawn = this.#random.integer(count - 1);
    return drawn < one ? drawn : drawn + 1;
  }

  /** The beginning of the word nearest after the middle of [start, end); `start` when there is but one word. */
  #middleWord(start: number, end: number): number {
    const { wordStarts } = this.#block;
    const middle = start + Math.ceil((end - start) / 2);
    for (let at = middle; at < end; at++) if (at > start && wordStarts[at] === 1) return at;
    for (let at = middle - 1; at > start; at--) if (wordStarts[at] === 1) return at;
    return start;
  }

  #drawTarget(): number {
    const { shortSeqProb } = this.#options;
    if (this.#random.uniform() >= shortSeqProb) return this.#maxTokens;
    return 2 + this.#random.integer(this.#maxTokens - 1);
  }

  /** Cuts the longer segment, at its front or its back, until both fit. Source: truncate_seq_pair. */
  #emit(aStart: number, aEnd: number, bStart: number, bEnd: number, label: number): void {
    let [fromA, toA, fromB, toB] = [aStart, aEnd, bStart, bEnd];
    while (toA - fromA + toB - fromB > this.#maxTokens) {
      const isFront = this.#random.uniform() < 0.5;
      if (toA - fromA > toB - fromB) {
        if (isFront) fromA += 1;
        else toA -= 1;
      } else if (isFront) fromB += 1;
      else toB -= 1;
    }
    this.#ranges.push(fromA, toA, fromB, toB, label);
  }
}
