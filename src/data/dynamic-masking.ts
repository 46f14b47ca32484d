/** Masks drawn anew in each epoch: the options of the data, or others, for batches that are made while training. */
import { ArgumentError } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import type { BatchOptions } from "./batches.ts";
import type { DatasetDescription } from "./dataset.ts";
import { createMasking } from "./masking.ts";
import type { MaskingRatio } from "./masking-ratio.ts";
import type { MaskingWords } from "./masking-words.ts";

/** What dynamic masking draws from; a data folder that is opened is such a thing. */
export interface MaskableData {
  readonly description: DatasetDescription;
  readonly vocabulary: Vocabulary;
  readonly maskingWords: MaskingWords;
}

/** What is done otherwise than when the data was made. */
export interface DynamicMaskingChoices {
  /** The name of a variant, or a mixture; the data's unless said. Must be said where the data is not masked. */
  readonly masking?: string;
  /** A share of tokens to predict that changes; the data's share unless said. It lifts the bound on predictions to what it needs. */
  readonly ratio?: MaskingRatio;
}

/**
 * The options by which {@link Batches} draws masks anew; every variant can, since words are bits of the shards, and entities and
 * similar words are found in the ids.
 * @throws {ArgumentError} when the data was made without masks and no variant is named, or it lacks the words of the variant.
 */
export function dynamicMasking(
  { description, vocabulary, maskingWords }: MaskableData,
  { masking, ratio }: DynamicMaskingChoices = {},
): Pick<BatchOptions, "dynamicMasking" | "maskingRatio"> {
  const { settings, generation } = description;
  const { maskedLmProb, maskTokenProb, randomTokenProb, ngramWeights } = generation;
  const named = masking ?? generation.masking ?? settings.masking;
  if (named === "none") {
    const hint = "the data was made without masks: say which to draw, such as whole-word";
    throw new ArgumentError({ where: "dynamic masking", expected: "the name of a way of masking", got: named, hint });
  }
  const most = ratio === undefined ? 0 : Math.ceil(Math.max(ratio.from, ratio.to) * settings.maxSeqLength);
  const plan = createMasking(vocabulary, {
    masking: named,
    maskedLmProb,
    maxPredictionsPerSeq: Math.max(settings.maxPredictionsPerSeq, most),
    words: maskingWords,
    ...(maskTokenProb === undefined ? {} : { maskTokenProb }),
    ...(randomTokenProb === undefined ? {} : { randomTokenProb }),
    ...(ngramWeights === undefined ? {} : { ngramWeights }),
  });
  return { dynamicMasking: plan, ...(ratio === undefined ? {} : { maskingRatio: ratio }) };
}
