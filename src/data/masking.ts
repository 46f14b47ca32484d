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
  const isTaken = new Uint8Array(ids.length);
  const count = takeWords(isTaken, findWords(ids, wordStarts, plan), predictionBudget(ids.length, plan), plan, random);
  const inputIds = ids.slice();
  const positions = new Int32Array(count);
  const labels = new Int32Array(count);
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    if (isTaken[i] === 0) continue;
    positions[at] = i;
    labels[at++] = ids[i] as number;
    inputIds[i] = replacement(ids[i] as number, plan, random);
  }
  return { inputIds, positions, labels };
}

interface Words {
  readonly count: number;
  /** int32; position of each word's first token. */
  readonly starts: Int32Array;
  /** int32; position after its last token. */
  readonly ends: Int32Array;
}

function findWords(ids: Int32Array, wordStarts: Uint8Array, { isSpecial, masking }: MaskingPlan): Words {
  const starts = new Int32Array(ids.length);
  const ends = new Int32Array(ids.length);
  const isSingle = masking === "char";
  let count = 0;
  let isOpen = false;
  for (let i = 0; i < ids.length; i++) {
    if (isSpecial[ids[i] as number] === 1) {
      isOpen = false;
      continue;
    }
    if (!isOpen || isSingle || wordStarts[i] === 1) starts[count++] = i;
    ends[count - 1] = i + 1;
    isOpen = true;
  }
  return { count, starts, ends };
}

/** Marks the tokens of the words taken and returns their number. */
function takeWords(isTaken: Uint8Array, words: Words, budget: number, plan: MaskingPlan, random: Random): number {
  const { count, starts, ends } = words;
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let taken = 0;
  for (let i = 0; i < count && taken < budget; i++) {
    const j = i + random.integer(count - i);
    const word = order[j] as number;
    order[j] = order[i] as number;
    if (isTaken[starts[word] as number] === 1) continue;
    const length = drawRunLength(plan.runLengths, random);
    // Words of a run lie side by side, are free, and fit into what is left of the budget.
    for (let next = word; next < Math.min(count, word + length); next++) {
      const start = starts[next] as number;
      const end = ends[next] as number;
      if (next > word && (start !== ends[next - 1] || isTaken[start] === 1)) break;
      if (taken + end - start > budget) break;
      isTaken.fill(1, start, end);
      taken += end - start;
    }
  }
  return taken;
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
