/** What decides the pre-training examples of a corpus: the options with their defaults, checked. */
import { ArgumentError } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { createMasking, type MaskingOptions, type MaskingPlan } from "./masking.ts";
import type { TextCounts } from "./token-block.ts";
import type { PieceTokenizer } from "./word-alignment.ts";

/** Tokens of a block: some 12 MB of Chinese text, 20 MB of memory, and 30 bytes more for each of its examples. */
export const BLOCK_TOKENS = 1 << 22;
/** Room for [CLS], two [SEP] and something to predict. */
const MIN_SEQ_LENGTH = 8;
/** The examples of all passes over a block are in memory together, in 30 bytes each; nobody wants so many. */
const MAX_DUPE_FACTOR = 1000;

/** Options of {@link createPretrainingInstances}; the defaults are those of Google's program. */
export interface CreateInstancesOptions extends MaskingOptions {
  readonly tokenizer: PieceTokenizer;
  readonly segmenter: Segmenter;
  /** Tokens of a sequence, special ones counted; 128 unless said. */
  readonly maxSeqLength?: number;
  /** The share of examples packed to a random shorter length; 0.1 unless said. */
  readonly shortSeqProb?: number;
  /** Passes over the text, each masked anew; 10 unless said. */
  readonly dupeFactor?: number;
  /** 12345 unless said. */
  readonly randomSeed?: number;
  /** Pairs with a next sentence label (true unless said), or full sentences in one segment. */
  readonly nextSentence?: boolean;
  /** With nextSentence: label 1 stands for B before A instead of a random B (sentence order prediction); false unless said. */
  readonly swapSegments?: boolean;
  /** Without nextSentence: examples go on over the ends of documents, with [SEP] there; false unless said. */
  readonly crossDocuments?: boolean;
  /** Google's order and random numbers, bit for bit; holds all text in memory. */
  readonly googleCompatible?: boolean;
  /** Tokens of a block; BLOCK_TOKENS unless said. Part of what decides the examples. */
  readonly blockTokens?: number;
  /** Called when the text of a block is read, with the number of examples that it will give. */
  readonly onBlock?: (examples: number) => void;
  /** Called now and then in long stretches of work without an example: lets others have their turn, or throws to stop. */
  readonly pause?: () => Promise<void>;
  /** Called after each block and at the end, with the counts so far. */
  readonly onStats?: (stats: InstanceStats) => void;
}

/** What was read and made so far. */
export interface InstanceStats extends Readonly<TextCounts> {
  readonly instances: number;
  /** Tokens of all examples, special ones counted. */
  readonly instanceTokens: number;
  /** Tokens to predict. */
  readonly maskedTokens: number;
  /** Examples whose B is random. */
  readonly randomNext: number;
}

/** Options with their defaults filled in, and the masking prepared. */
export type InstanceSettings = Required<Omit<CreateInstancesOptions, "onBlock" | "onStats" | keyof MaskingOptions>> & {
  readonly masking: MaskingPlan;
  readonly onStats: (stats: InstanceStats) => void;
};

/**
 * Fills in defaults.
 * @throws {ArgumentError} when an option is out of range or does not go with the others.
 */
export function completeSettings(options: CreateInstancesOptions): InstanceSettings {
  const settings = {
    tokenizer: options.tokenizer,
    segmenter: options.segmenter,
    maxSeqLength: options.maxSeqLength ?? 128,
    shortSeqProb: options.shortSeqProb ?? 0.1,
    dupeFactor: options.dupeFactor ?? 10,
    randomSeed: options.randomSeed ?? 12345,
    nextSentence: options.nextSentence ?? true,
    swapSegments: options.swapSegments ?? false,
    crossDocuments: options.crossDocuments ?? false,
    googleCompatible: options.googleCompatible ?? false,
    blockTokens: options.blockTokens ?? BLOCK_TOKENS,
    onStats: options.onStats ?? (() => undefined),
    pause: options.pause ?? (() => Promise.resolve()),
    masking: createMasking(options.tokenizer.vocabulary, options),
  };
  check("maxSeqLength", `an integer of at least ${MIN_SEQ_LENGTH}`, settings.maxSeqLength, (length) =>
    isAtLeast(length, MIN_SEQ_LENGTH),
  );
  check(
    "dupeFactor",
    `an integer from 1 to ${MAX_DUPE_FACTOR}`,
    settings.dupeFactor,
    (factor) => isAtLeast(factor, 1) && factor <= MAX_DUPE_FACTOR,
  );
  check("blockTokens", "an integer of at least 1", settings.blockTokens, (tokens) => isAtLeast(tokens, 1));
  check("shortSeqProb", "a share from 0 to 1", settings.shortSeqProb, (share) => share >= 0 && share <= 1);
  checkSentences(settings);
  if (settings.googleCompatible) checkGoogle(settings);
  else check("randomSeed", "an integer from 0 to 2^53 - 1", settings.randomSeed, (seed) => isAtLeast(seed, 0));
  return settings;
}

function isAtLeast(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

function checkSentences({ nextSentence, swapSegments, crossDocuments }: InstanceSettings): void {
  if (swapSegments && !nextSentence) throw new ArgumentError({ where: "swapSegments", expected: "pairs", got: "none" });
  if (!crossDocuments || !nextSentence) return;
  throw new ArgumentError({ where: "crossDocuments", expected: "no pairs (nextSentence false)", got: "pairs" });
}

/** Google's program knows pairs, characters and whole words, and fixed shares. */
function checkGoogle({ nextSentence, swapSegments, masking }: InstanceSettings): void {
  const hint = "leave out googleCompatible";
  if (!nextSentence) throw new ArgumentError({ where: "googleCompatible", expected: "nextSentence", got: false, hint });
  if (swapSegments)
    throw new ArgumentError({ where: "googleCompatible", expected: "no swapSegments", got: true, hint });
  if (masking.masking !== "char" && masking.masking !== "whole-word") {
    throw new ArgumentError({
      where: "googleCompatible",
      expected: "masking char or whole-word",
      got: masking.masking,
      hint,
    });
  }
  if (masking.maskTokenProb !== 0.8 || masking.randomTokenProb !== 0.1) {
    const got = [masking.maskTokenProb, masking.randomTokenProb];
    throw new ArgumentError({
      where: "googleCompatible",
      expected: "maskTokenProb 0.8 and randomTokenProb 0.1",
      got,
      hint,
    });
  }
}

function check(where: string, expected: string, got: number, isRight: (value: number) => boolean): void {
  if (!isRight(got)) throw new ArgumentError({ where, expected, got });
}
