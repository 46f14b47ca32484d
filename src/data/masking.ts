/**
 * Draws the tokens to predict: characters, whole words, n-grams or spans of words; once when data is made, or anew at each
 * step of training. Follows create_masked_lm_predictions of google-research/bert, with the words of Chinese-BERT-wwm.
 *
 * (The order of random numbers is our own; google-compatible.ts has Google's.)
 */
import { ArgumentError } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { CONTINUATION_PREFIX, SPECIAL_TOKENS } from "../text/vocabulary.ts";
import { roundHalfEven } from "../util/python-random.ts";
import type { Random } from "../util/random.ts";
import type { Masking } from "./shards.ts";

/** How masks are drawn. */
export interface MaskingOptions {
  /** What is masked together: a token, a word, or a run of words. */
  readonly masking: Masking;
  /** The most tokens to predict in a sequence; 20 unless said. */
  readonly maxPredictionsPerSeq?: number;
  /** The share of tokens to predict, in [0, 1]; 0.15 unless said. */
  readonly maskedLmProb?: number;
  /** The share of predicted tokens that become [MASK]; 0.8 unless said. */
  readonly maskTokenProb?: number;
  /** The share that become a random token; 0.1 unless said. What remains stays as it is. */
  readonly randomTokenProb?: number;
}

/** Masking options with all that is drawn from, made once by {@link createMasking}. */
export interface MaskingPlan extends Required<MaskingOptions> {
  readonly maskId: number;
  /** uint8 [vocabulary]; 1 for tokens that are never predicted: [PAD], [CLS], [SEP], [MASK]. */
  readonly isSpecial: Uint8Array;
  /** int32; the tokens that a random replacement is drawn from. */
  readonly randomIds: Int32Array;
  /** float64; the chance that a run is at most i + 1 words long. */
  readonly runLengths: readonly number[];
}

/** A masked sequence. */
export interface DrawnMasks {
  /** int32 [seq]; the ids with masks applied. */
  readonly inputIds: Int32Array;
  /** int32 [predictions]; ascending. */
  readonly positions: Int32Array;
  /** int32 [predictions]; the original ids there. */
  readonly labels: Int32Array;
}

/** SpanBERT's geometric law, p = 0.2, cut off at ten words. Source: Joshi et al. 2020, section 3.1. */
const SPAN_STOP_PROB = 0.2;
const MAX_SPAN_WORDS = 10;

/** The cumulative chances of run lengths. MacBERT: one to four words, 40, 30, 20, 10 %. Source: Cui et al. 2020, section 3.1. */
const RUN_LENGTHS: Readonly<Record<Masking, readonly number[]>> = {
  char: [1],
  "whole-word": [1],
  ngram: [0.4, 0.7, 0.9, 1],
  span: Array.from(
    { length: MAX_SPAN_WORDS },
    (_, i) => (1 - (1 - SPAN_STOP_PROB) ** (i + 1)) / (1 - (1 - SPAN_STOP_PROB) ** MAX_SPAN_WORDS),
  ),
};

/**
 * Prepares masking for a vocabulary.
 * @throws {ArgumentError} when a share is outside [0, 1] or there is nothing to predict.
 */
export function createMasking(vocabulary: Vocabulary, options: MaskingOptions): MaskingPlan {
  const { masking, maxPredictionsPerSeq = 20, maskedLmProb = 0.15 } = options;
  const { maskTokenProb = 0.8, randomTokenProb = 0.1 } = options;
  if (!(masking in RUN_LENGTHS)) throw wrong("masking", `one of ${Object.keys(RUN_LENGTHS).join(", ")}`, masking);
  if (!Number.isInteger(maxPredictionsPerSeq) || maxPredictionsPerSeq < 1) {
    throw wrong("maxPredictionsPerSeq", "an integer of at least 1", maxPredictionsPerSeq);
  }
  for (const [name, share] of Object.entries({ maskedLmProb, maskTokenProb, randomTokenProb })) {
    if (!(share >= 0 && share <= 1)) throw wrong(name, "a share from 0 to 1", share);
  }
  if (maskTokenProb + randomTokenProb > 1 + 1e-9) {
    throw wrong("maskTokenProb + randomTokenProb", "at most 1", maskTokenProb + randomTokenProb);
  }
  const { pad, cls, sep, mask } = vocabulary.ids;
  const isSpecial = new Uint8Array(vocabulary.size);
  for (const id of [pad, cls, sep, mask]) isSpecial[id] = 1;
  return {
    masking,
    maxPredictionsPerSeq,
    maskedLmProb,
    maskTokenProb,
    randomTokenProb,
    maskId: mask,
    isSpecial,
    randomIds: ordinaryIds(vocabulary),
    runLengths: RUN_LENGTHS[masking],
  };
}

/** How many tokens of a sequence (special ones counted, as Google's program does) are to be predicted. */
export function predictionBudget(
  seqLength: number,
  { maxPredictionsPerSeq, maskedLmProb }: { readonly maxPredictionsPerSeq: number; readonly maskedLmProb: number },
): number {
  return Math.min(maxPredictionsPerSeq, Math.max(1, roundHalfEven(seqLength * maskedLmProb)));
}

/**
 * Masks a sequence. Words are taken in random order until the budget is full; one that would overflow it is skipped
 * whole (a run of several words is shortened instead). Each token of a taken word becomes [MASK], random, or stays, by itself.
 * @param ids - int32 [seq]; original ids with their special tokens. Not changed.
 * @param wordStarts - uint8 [seq]; 1 where a word begins. Words end at special tokens.
 * @param random - the source of randomness; equal states give equal masks.
 */
export function drawMasks(ids: Int32Array, wordStarts: Uint8Array, plan: MaskingPlan, random: Random): DrawnMasks {
  const drawer = new MaskDrawer(plan, ids.length);
  const inputIds = ids.slice();
  const count = drawer.draw(inputIds, wordStarts, ids.length, random);
  return { inputIds, positions: drawer.positions.slice(0, count), labels: drawer.labels.slice(0, count) };
}

/** Draws masks for one sequence after the other in the same memory; see {@link drawMasks}. */
export class MaskDrawer {
  /** int32; the first of them, as many as `draw` says, are those of the last sequence. */
  readonly positions: Int32Array;
  readonly labels: Int32Array;
  readonly #plan: MaskingPlan;
  readonly #isTaken: Uint8Array;
  /** Each word's first token, the token after its last, and its number; in the order in which words are drawn. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #order: Int32Array;

  /** @param maxLength - tokens of the longest sequence. */
  constructor(plan: MaskingPlan, maxLength: number) {
    this.#plan = plan;
    this.positions = new Int32Array(maxLength);
    this.labels = new Int32Array(maxLength);
    this.#isTaken = new Uint8Array(maxLength);
    this.#starts = new Int32Array(maxLength);
    this.#ends = new Int32Array(maxLength);
    this.#order = new Int32Array(maxLength);
  }

  /** Masks the first `length` ids in place. @returns the number of predictions. */
  draw(ids: Int32Array, wordStarts: Uint8Array, length: number, random: Random): number {
    const plan = this.#plan;
    const isTaken = this.#isTaken.fill(0, 0, length);
    const words = this.#findWords(ids, wordStarts, length);
    const count = this.#takeWords(words, predictionBudget(length, plan), random);
    for (let i = 0, at = 0; at < count; i++) {
      if (isTaken[i] === 0) continue;
      this.positions[at] = i;
      this.labels[at++] = ids[i]!;
      ids[i] = replacement(ids[i]!, plan, random);
    }
    return count;
  }

  /** @returns the number of words. */
  #findWords(ids: Int32Array, wordStarts: Uint8Array, length: number): number {
    const { isSpecial, masking } = this.#plan;
    const [starts, ends] = [this.#starts, this.#ends];
    const isSingle = masking === "char";
    let count = 0;
    let isOpen = false;
    for (let i = 0; i < length; i++) {
      if (isSpecial[ids[i]!] === 1) {
        isOpen = false;
        continue;
      }
      if (!isOpen || isSingle || wordStarts[i] === 1) starts[count++] = i;
      ends[count - 1] = i + 1;
      isOpen = true;
    }
    return count;
  }

  /** Marks the tokens of the words taken and returns their number. */
  #takeWords(count: number, budget: number, random: Random): number {
    const [isTaken, starts, ends, order] = [this.#isTaken, this.#starts, this.#ends, this.#order];
    for (let i = 0; i < count; i++) order[i] = i;
    let taken = 0;
    for (let i = 0; i < count && taken < budget; i++) {
      const j = i + random.integer(count - i);
      const word = order[j]!;
      order[j] = order[i]!;
      if (isTaken[starts[word]!] === 1) continue;
      const last = Math.min(count, word + drawRunLength(this.#plan.runLengths, random));
      // Words of a run lie side by side, are free, and fit into what is left of the budget.
      for (let next = word; next < last; next++) {
        const start = starts[next]!;
        const end = ends[next]!;
        if (next > word && (start !== ends[next - 1] || isTaken[start] === 1)) break;
        if (taken + end - start > budget) break;
        isTaken.fill(1, start, end);
        taken += end - start;
      }
    }
    return taken;
  }
}

function drawRunLength(runLengths: readonly number[], random: Random): number {
  if (runLengths.length === 1) return 1;
  const drawn = random.uniform();
  let words = 1;
  while (words < runLengths.length && drawn >= (runLengths[words - 1] as number)) words += 1;
  return words;
}

function replacement(id: number, plan: MaskingPlan, random: Random): number {
  const drawn = random.uniform();
  if (drawn < plan.maskTokenProb) return plan.maskId;
  if (drawn >= plan.maskTokenProb + plan.randomTokenProb) return id;
  return plan.randomIds[random.integer(plan.randomIds.length)] as number;
}

/** Placeholders of the published vocabularies: [unused1], [PAD], <S>. */
const PLACEHOLDER = /^(\[(unused\d+|[A-Z]+)\]|<[A-Z]>)$/;
/** `##` and one Chinese character: entries that no tokenizer produces. */
const CONTINUED_CHINESE = /^##\p{Script=Han}$/u;

/** The tokens that real text can have: no placeholders, no Chinese character with `##`, nothing blank. */
function ordinaryIds(vocabulary: Vocabulary): Int32Array {
  const isOrdinary = (token: string) =>
    !PLACEHOLDER.test(token) &&
    !CONTINUED_CHINESE.test(token) &&
    token.trim() !== "" &&
    token.trim() !== CONTINUATION_PREFIX &&
    !Object.values<string>(SPECIAL_TOKENS).includes(token);
  const ids = vocabulary.tokens.flatMap((token, id) => (isOrdinary(token) ? [id] : []));
  return Int32Array.from(ids.length > 0 ? ids : [vocabulary.ids.mask]);
}

function wrong(where: string, expected: string, got: unknown): ArgumentError {
  return new ArgumentError({ where, expected, got });
}
