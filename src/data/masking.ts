/**
 * Draws the tokens to predict and what stands in their place, by one of the variants of masking-variants.ts or several mixed; once
 * when data is made, or anew at each step of training. Follows create_masked_lm_predictions of google-research/bert.
 *
 * (The order of random numbers is our own; google-compatible.ts has Google's.)
 */
import { ArgumentError } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { roundHalfEven } from "../util/python-random.ts";
import type { Random } from "../util/random.ts";
import type { Units } from "./masking-units.ts";
import { createVariant, MACBERT_NGRAM_WEIGHTS, type MaskingVariant, parseMasking } from "./masking-variants.ts";
import type { MaskingWords } from "./masking-words.ts";

/** How masks are drawn. */
export interface MaskingOptions {
  /** The name of a variant (docs/data.md has the table), or several with their shares: `whole-word:0.7,char:0.3`. */
  readonly masking: string;
  /** The most tokens to predict in a sequence; 20 unless said. */
  readonly maxPredictionsPerSeq?: number;
  /** The share of tokens to predict, in [0, 1]; 0.15 unless said. */
  readonly maskedLmProb?: number;
  /** The share of predicted tokens that become [MASK] (with macbert: of words that become similar ones); 0.8 unless said. */
  readonly maskTokenProb?: number;
  /** The share that become a random token (with macbert: word); 0.1 unless said. What remains stays as it is. */
  readonly randomTokenProb?: number;
  /** For ngram and macbert: weights of runs of one word, two words, and so on; 0.4, 0.3, 0.2, 0.1 unless said. */
  readonly ngramWeights?: readonly number[];
  /** What phrase, entity and macbert need. */
  readonly words?: MaskingWords;
}

/** Masking options with all that is drawn from, made once by {@link createMasking}. */
export interface MaskingPlan extends Required<MaskingOptions> {
  /** uint8 [vocabulary]; 1 for tokens that are never predicted: [PAD], [CLS], [SEP], [MASK]. */
  readonly isSpecial: Uint8Array;
  /** The variants, each with the chance that it or one before it is drawn for a sequence. */
  readonly variants: readonly { readonly variant: MaskingVariant; readonly upTo: number }[];
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

/** Longer runs would be whole sentences. */
const MAX_NGRAM = 32;

/**
 * Prepares masking for a vocabulary.
 * @throws {ArgumentError} when a name is unknown, a share is outside [0, 1], there is nothing to predict, or a variant needs words
 * that are not there.
 */
export function createMasking(vocabulary: Vocabulary, options: MaskingOptions): MaskingPlan {
  const settings = {
    maxPredictionsPerSeq: 20,
    maskedLmProb: 0.15,
    maskTokenProb: 0.8,
    randomTokenProb: 0.1,
    ngramWeights: MACBERT_NGRAM_WEIGHTS,
    words: {},
    ...options,
  };
  checkOptions(settings);
  const { pad, cls, sep, mask } = vocabulary.ids;
  const isSpecial = new Uint8Array(vocabulary.size);
  for (const id of [pad, cls, sep, mask]) isSpecial[id] = 1;
  let upTo = 0;
  const variants = parseMasking(settings.masking).map(({ masking, share }) => {
    upTo += share;
    return { variant: createVariant(masking, { ...settings, vocabulary }), upTo };
  });
  return { ...settings, isSpecial, variants };
}

function checkOptions(options: Required<MaskingOptions>): void {
  const { maxPredictionsPerSeq, maskedLmProb, maskTokenProb, randomTokenProb, ngramWeights } = options;
  if (!Number.isInteger(maxPredictionsPerSeq) || maxPredictionsPerSeq < 1) {
    throw wrong("maxPredictionsPerSeq", "an integer of at least 1", maxPredictionsPerSeq);
  }
  for (const [name, share] of Object.entries({ maskedLmProb, maskTokenProb, randomTokenProb })) {
    if (!(share >= 0 && share <= 1)) throw wrong(name, "a share from 0 to 1", share);
  }
  if (maskTokenProb + randomTokenProb > 1 + 1e-9) {
    throw wrong("maskTokenProb + randomTokenProb", "at most 1", maskTokenProb + randomTokenProb);
  }
  const areWeights = ngramWeights.every((weight) => weight >= 0 && weight < Number.POSITIVE_INFINITY);
  const sum = ngramWeights.reduce((total, weight) => total + weight, 0);
  if (!areWeights || !(sum > 0) || ngramWeights.length > MAX_NGRAM) {
    throw wrong(
      "ngramWeights",
      `at most ${MAX_NGRAM} weights of at least 0, one of them above`,
      ngramWeights.join(","),
    );
  }
}

/** How many tokens of a sequence (special ones counted, as Google's program does) are to be predicted. */
export function predictionBudget(
  seqLength: number,
  { maxPredictionsPerSeq, maskedLmProb }: { readonly maxPredictionsPerSeq: number; readonly maskedLmProb: number },
): number {
  return Math.min(maxPredictionsPerSeq, Math.max(1, roundHalfEven(seqLength * maskedLmProb)));
}

/**
 * Masks a sequence. Units (tokens, words, entities) are taken in random order until the budget is full; one that would overflow
 * it is skipped whole (a run of several is shortened instead).
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

/** What a token is: free, in the first unit of a run, or in one further on. */
const FREE = 0;
const BEGINS = 1;
const GOES_ON = 2;

/** Draws masks for one sequence after the other in the same memory; see {@link drawMasks}. */
export class MaskDrawer {
  /** int32; the first of them, as many as `draw` says, are those of the last sequence. */
  readonly positions: Int32Array;
  readonly labels: Int32Array;
  readonly #plan: MaskingPlan;
  readonly #marks: Uint8Array;
  readonly #units: Units;
  /** The numbers of the units in the order in which they are drawn. */
  readonly #order: Int32Array;

  /** @param maxLength - tokens of the longest sequence. */
  constructor(plan: MaskingPlan, maxLength: number) {
    this.#plan = plan;
    this.positions = new Int32Array(maxLength);
    this.labels = new Int32Array(maxLength);
    this.#marks = new Uint8Array(maxLength);
    this.#units = { starts: new Int32Array(maxLength), ends: new Int32Array(maxLength) };
    this.#order = new Int32Array(maxLength);
  }

  /** Masks the first `length` ids in place. @returns the number of predictions. */
  draw(ids: Int32Array, wordStarts: Uint8Array, length: number, random: Random): number {
    const plan = this.#plan;
    const variant = drawVariant(plan, random);
    const [units, marks, { starts, ends }] = [this.#units, this.#marks.fill(FREE, 0, length), this.#units];
    const unitCount = variant.findUnits({ ids, wordStarts, length, isSpecial: plan.isSpecial }, units);
    const taken = this.#takeRuns(unitCount, variant.runLengths, predictionBudget(length, plan), random);
    for (let unit = 0, at = 0; at < taken; ) {
      const first = unit++;
      if (marks[starts[first]!] === FREE) continue;
      while (unit < unitCount && marks[starts[unit]!] === GOES_ON) unit += 1;
      for (let i = starts[first]!; i < ends[unit - 1]!; i++) {
        this.positions[at] = i;
        this.labels[at++] = ids[i]!;
      }
      variant.replace(ids, units, first, unit, random);
    }
    return taken;
  }

  /** Marks the tokens of the runs taken and returns their number. */
  #takeRuns(count: number, runLengths: readonly number[], budget: number, random: Random): number {
    const [marks, { starts, ends }, order] = [this.#marks, this.#units, this.#order];
    for (let i = 0; i < count; i++) order[i] = i;
    let taken = 0;
    for (let i = 0; i < count && taken < budget; i++) {
      const j = i + random.integer(count - i);
      const unit = order[j]!;
      order[j] = order[i]!;
      if (marks[starts[unit]!] !== FREE) continue;
      const last = Math.min(count, unit + drawRunLength(runLengths, random));
      // Units of a run lie side by side, are free, and fit into what is left of the budget.
      for (let next = unit; next < last; next++) {
        const start = starts[next]!;
        const end = ends[next]!;
        if (next > unit && (start !== ends[next - 1] || marks[start] !== FREE)) break;
        if (taken + end - start > budget) break;
        marks.fill(next === unit ? BEGINS : GOES_ON, start, end);
        taken += end - start;
      }
    }
    return taken;
  }
}

/** The variant of a sequence; no random number is spent where there is but one. */
function drawVariant({ variants }: MaskingPlan, random: Random): MaskingVariant {
  const [only] = variants as [MaskingPlan["variants"][number]];
  if (variants.length === 1) return only.variant;
  const drawn = random.uniform();
  return (variants.find(({ upTo }) => drawn < upTo) ?? variants.at(-1) ?? only).variant;
}

function drawRunLength(runLengths: readonly number[], random: Random): number {
  if (runLengths.length === 1) return 1;
  const drawn = random.uniform();
  let units = 1;
  while (units < runLengths.length && drawn >= runLengths[units - 1]!) units += 1;
  return units;
}

function wrong(where: string, expected: string, got: unknown): ArgumentError {
  return new ArgumentError({ where, expected, got });
}
