/**
 * The ways to choose and replace what is predicted, each under its name. A variant is three parts that others share: units (what
 * belongs together), runs (how many units are taken side by side), and replacement (what stands there instead).
 */
import { ArgumentError } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { dictionaryUnits } from "./masking-dictionary.ts";
import { type Replace, replaceRuns, replaceTokens } from "./masking-replacements.ts";
import { replaceBySimilarWords } from "./masking-similar.ts";
import { type FindUnits, noUnits, tokenUnits, wordUnits } from "./masking-units.ts";
import type { MaskingWords } from "./masking-words.ts";
import { MASKINGS, type Masking } from "./shards.ts";

/** One way of masking. */
export interface MaskingVariant {
  readonly findUnits: FindUnits;
  /** float64, ascending to 1; the chance that a run is at most i + 1 units long. */
  readonly runLengths: readonly number[];
  readonly replace: Replace;
}

/** What variants are made of. */
export interface VariantContext {
  readonly vocabulary: Vocabulary;
  readonly maskTokenProb: number;
  readonly randomTokenProb: number;
  readonly ngramWeights: readonly number[];
  readonly words: MaskingWords;
}

/** A variant and how often it is drawn. */
export interface MaskingShare {
  readonly masking: Masking;
  /** In (0, 1]; all shares of a mixture sum to 1. */
  readonly share: number;
}

/** MacBERT's weights of runs of one to four words. Source: Cui et al. 2020, section 3.1. */
export const MACBERT_NGRAM_WEIGHTS: readonly number[] = [0.4, 0.3, 0.2, 0.1];

/** SpanBERT's geometric law, cut off at ten words. Source: Joshi et al. 2020, section 3.1. */
const SPAN_STOP_PROB = 0.2;
const MAX_SPAN_WORDS = 10;
const SPAN_WEIGHTS = Array.from({ length: MAX_SPAN_WORDS }, (_, i) => SPAN_STOP_PROB * (1 - SPAN_STOP_PROB) ** i);
const SINGLE = [1];

type Named = Exclude<Masking, "mixed">;

const VARIANTS: Readonly<Record<Named, (context: VariantContext) => MaskingVariant>> = {
  /** Single tokens. Source: create_masked_lm_predictions of google-research/bert. */
  char: (context) => ({ findUnits: tokenUnits, runLengths: SINGLE, replace: replaceTokens(context) }),

  /** Words, 80/10/10 for each token by itself. Source: Cui et al. 2021, and ymcui/Chinese-BERT-wwm issues 4 and 13. */
  "whole-word": (context) => ({ findUnits: wordUnits, runLengths: SINGLE, replace: replaceTokens(context) }),

  /** Runs of words by weight. Source: Cui et al. 2020, section 3.1 (40/30/20/10 %); max_ngrams of PaddleNLP's ERNIE data (1/n). */
  ngram: (context) => ({
    findUnits: wordUnits,
    runLengths: cumulative(context.ngramWeights),
    replace: replaceTokens(context),
  }),

  /** Runs of words of geometric length, 80/10/10 for the run as one. Source: Joshi et al. 2020 (SpanBERT), section 3.1. */
  span: (context) => ({ findUnits: wordUnits, runLengths: cumulative(SPAN_WEIGHTS), replace: replaceRuns(context) }),

  /** Phrases of a dictionary, words elsewhere. Source: Sun et al. 2019 (ERNIE 1.0), section 3.2.2. */
  phrase: (context) => ({
    findUnits: dictionaryUnits(context.vocabulary, [context.words.phrases ?? []], "phrase"),
    runLengths: SINGLE,
    replace: replaceTokens(context),
  }),

  /** Entities of a dictionary, phrases and words elsewhere. Source: Sun et al. 2019 (ERNIE 1.0), section 3.2.3. */
  entity: (context) => ({
    findUnits: dictionaryUnits(
      context.vocabulary,
      [context.words.entities ?? [], context.words.phrases ?? []],
      "entity",
    ),
    runLengths: SINGLE,
    replace: replaceTokens(context),
  }),

  /** Runs of words by weight, similar words in place of [MASK]. Source: Cui et al. 2020 (MacBERT), section 3.1. */
  macbert: (context) => ({
    findUnits: wordUnits,
    runLengths: cumulative(context.ngramWeights),
    replace: replaceBySimilarWords(context),
  }),

  /** Nothing: for shards whose masks are drawn while training. */
  none: (context) => ({ findUnits: noUnits, runLengths: SINGLE, replace: replaceTokens(context) }),
};

/** The names that can be asked for, alone or mixed. */
export const MASKING_NAMES = MASKINGS.filter((name): name is Named => name !== "mixed");

/** Makes the variant of a name. @throws {ArgumentError} when it needs words that are not there. */
export function createVariant(masking: Masking, context: VariantContext): MaskingVariant {
  const create = masking === "mixed" ? undefined : VARIANTS[masking];
  if (create === undefined) throw unknownName(masking);
  return create(context);
}

/**
 * Reads the name of a variant, or several with their shares, `whole-word:0.7,char:0.3`. One is drawn for each sequence.
 * @throws {ArgumentError} for an unknown name, one named twice, or shares that are not above 0 or do not sum to 1.
 */
export function parseMasking(text: string): readonly MaskingShare[] {
  const parts = text.split(",").map((part) => {
    const [name = "", share, ...rest] = part.split(":").map((field) => field.trim());
    const masking = MASKING_NAMES.find((known) => known === name);
    if (masking === undefined || rest.length > 0) throw unknownName(part);
    return { masking, share: share === undefined && !text.includes(",") ? 1 : parseShare(share, part) };
  });
  const sum = parts.reduce((total, { share }) => total + share, 0);
  const isTwice = new Set(parts.map(({ masking }) => masking)).size < parts.length;
  if (isTwice || Math.abs(sum - 1) > 1e-6) {
    const hint = "for example whole-word:0.7,char:0.3";
    throw new ArgumentError({ where: "masking", expected: "each name once, shares that sum to 1", got: text, hint });
  }
  return parts;
}

/** What a shard's header says of a mixture. */
export function maskingCode(text: string): Masking {
  const parts = parseMasking(text);
  return parts.length === 1 ? (parts[0] as MaskingShare).masking : "mixed";
}

function parseShare(text: string | undefined, part: string): number {
  const share = text === undefined || text === "" ? Number.NaN : Number(text);
  if (share > 0 && share <= 1) return share;
  throw new ArgumentError({ where: "masking", expected: "name:share with a share above 0, at most 1", got: part });
}

function unknownName(got: string): ArgumentError {
  const hint = "several by share: whole-word:0.7,char:0.3";
  return new ArgumentError({ where: "masking", expected: `one of ${MASKING_NAMES.join(", ")}`, got, hint });
}

/** The chances that a run is at most so long, the last exactly 1. */
function cumulative(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const chances = weights.map((weight) => {
    sum += weight;
    return sum / total;
  });
  return [...chances.slice(0, -1), 1];
}
