/** The options of masking, the same for `mask`, which shows it, and `data`, which does it. */
import type { MaskingOptions } from "../data/masking.ts";
import { MASKING_NAMES, parseMasking } from "../data/masking-variants.ts";
import { UsageError } from "../errors.ts";
import { readMaskingWords } from "../node/masking-words.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { probability, wholeNumber } from "./numbers.ts";

/** Options that say how masks are drawn, but for --masking itself, whose default is the command's. */
export const maskingOptions: readonly CommandOption[] = [
  {
    flags: "--masked-lm-prob <share>",
    description: "share of tokens to predict",
    default: 0.15,
    parse: probability("--masked-lm-prob"),
  },
  {
    flags: "--max-predictions-per-seq <n>",
    description: "the most tokens to predict (default: --masked-lm-prob of --max-seq-length, at least 20)",
    parse: wholeNumber("--max-predictions-per-seq", 1),
  },
  {
    flags: "--mask-token-prob <share>",
    description: "share of predicted tokens that become [MASK]; macbert: similar words (default: 0.8)",
    parse: probability("--mask-token-prob"),
  },
  {
    flags: "--random-token-prob <share>",
    description: "share that become random tokens; macbert: random words (default: 0.1)",
    parse: probability("--random-token-prob"),
  },
  {
    flags: "--ngram-weights <list>",
    description:
      "ngram, macbert: weights of runs of 1, 2, ... words (default: 0.4,0.3,0.2,0.1; ERNIE's 1/n: 1,1/2,1/3)",
    parse: parseWeights,
  },
  { flags: "--entities <path>", description: "entity, phrase: a word a line, after a tab entity or phrase" },
  { flags: "--word-vectors <path>", description: "macbert: word vectors in word2vec's text format" },
];

/** The option --masking. @param usual - what is said of the default. */
export function maskingOption(usual: string, more: Partial<CommandOption> = {}): CommandOption {
  const description = `${MASKING_NAMES.join(", ")}, or several: whole-word:0.7,char:0.3${usual}`;
  return { flags: "--masking <name>", description, parse: checkName, ...more };
}

/**
 * What was said of masking; reads the files of words.
 * @throws {FileError} @throws {CorpusError} as `readMaskingWords`.
 */
export async function readMaskingOptions(
  { options, output, signal }: Pick<CommandContext, "options" | "output" | "signal">,
  tokenizer: BertTokenizer,
): Promise<Omit<MaskingOptions, "masking"> & { readonly maskedLmProb: number; readonly maxPredictionsPerSeq: number }> {
  const { maskedLmProb, maskTokenProb, randomTokenProb, ngramWeights } = options;
  const [dictionary, wordVectors] = [options["entities"], options["wordVectors"]];
  if (wordVectors) output.note(`finding similar words by ${wordVectors}; this can take a minute`);
  const files = { ...(dictionary && { dictionary }), ...(wordVectors && { wordVectors }), signal };
  return {
    maskedLmProb,
    maxPredictionsPerSeq: options["maxPredictionsPerSeq"] ?? usualPredictions(options),
    ...(maskTokenProb === undefined ? {} : { maskTokenProb }),
    ...(randomTokenProb === undefined ? {} : { randomTokenProb }),
    ...(ngramWeights === undefined ? {} : { ngramWeights }),
    ...(dictionary || wordVectors ? { words: await readMaskingWords(tokenizer, files) } : {}),
  };
}

/** What Google's program takes, for sequences of whatever length. */
const GOOGLE_PREDICTIONS = 20;

/** Enough for the share of a whole sequence: 20 of 512 would be 4 % of it. */
function usualPredictions({ googleCompatible, maskedLmProb, maxSeqLength = 0 }: CommandContext["options"]): number {
  return googleCompatible ? GOOGLE_PREDICTIONS : Math.max(GOOGLE_PREDICTIONS, Math.ceil(maskedLmProb * maxSeqLength));
}

/** Fails at the command line, not when the data is made. */
function checkName(text: string): string {
  parseMasking(text);
  return text;
}

/** `0.4,0.3,0.2,0.1` or `1,1/2,1/3`. */
function parseWeights(text: string): number[] {
  return text.split(",").map((field) => {
    const [, top, bottom = "1"] = /^\s*(\d*\.?\d+)(?:\/(\d+))?\s*$/.exec(field) ?? [];
    const weight = Number(top ?? "x") / Number(bottom);
    if (Number.isFinite(weight)) return weight;
    throw new UsageError({ where: "--ngram-weights", expected: "weights such as 0.4,0.3 or 1,1/2", got: text });
  });
}
