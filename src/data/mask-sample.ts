/** Masks single texts so that people can see what the data will look like: words, what was masked, and with what. */
import type { Segmenter } from "../text/segmenter.ts";
import { Random } from "../util/random.ts";
import type { PretrainingInstance } from "./instance.ts";
import { createMasking, drawMasks, type MaskingOptions } from "./masking.ts";
import { alignWords, continuationTable, type PieceTokenizer } from "./word-alignment.ts";

/** Options of {@link createSampler}. */
export interface SampleOptions extends MaskingOptions {
  readonly tokenizer: PieceTokenizer;
  readonly segmenter: Segmenter;
  /** Tokens of a sequence, special ones counted; 128 unless said. Longer texts are cut before a word. */
  readonly maxSeqLength?: number;
}

/** One masked text. */
export interface MaskedSample {
  /** The text, without the marks of a segmenter. */
  readonly text: string;
  /** The segmenter's words, without white space; of the whole text, even when the example holds less. */
  readonly words: readonly string[];
  /** [CLS] text [SEP], masked. */
  readonly instance: PretrainingInstance;
  /** Tokens of the example that are [UNK]. */
  readonly unknownTokens: number;
  /** Lines of the text whose words do not spell it. */
  readonly unalignedLines: number;
}

/** A function that masks one text after the other. */
export function createSampler(options: SampleOptions): (text: string, random: Random) => MaskedSample {
  const { tokenizer, segmenter, maxSeqLength = 128 } = options;
  const { vocabulary } = tokenizer;
  const plan = createMasking(vocabulary, options);
  const continues = continuationTable(vocabulary);
  return (given, random) => {
    const { text, wordEnds, unalignedLines } = segmenter.segment(given);
    const pieces = tokenizer.encodePieces(text);
    const starts = alignWords(pieces, wordEnds, continues);
    const length = lengthThatFits(starts, maxSeqLength - 2);
    const { cls, sep, unk } = vocabulary.ids;
    const ids = Int32Array.of(cls, ...pieces.ids.subarray(0, length), sep);
    const wordStarts = Uint8Array.of(1, ...starts.subarray(0, length), 1);
    const { inputIds, positions, labels } = drawMasks(ids, wordStarts, plan, random);
    const instance = {
      inputIds,
      tokenTypeIds: new Uint8Array(ids.length),
      wordStarts,
      maskedLmPositions: positions,
      maskedLmIds: labels,
      nextSentenceLabel: 0,
    } as const;
    const words = Array.from(wordEnds, (end, i) => text.slice(i === 0 ? 0 : wordEnds[i - 1], end).trim());
    return {
      text,
      words: words.filter((word) => word !== ""),
      instance,
      unknownTokens: ids.filter((id) => id === unk).length,
      unalignedLines,
    };
  };
}

function lengthThatFits(wordStarts: Uint8Array, most: number): number {
  if (wordStarts.length <= most) return wordStarts.length;
  let length = most;
  while (length > 0 && wordStarts[length] === 0) length -= 1;
  return length > 0 ? length : most;
}

/** The same text masked by character and by word, for people to compare. */
export interface MaskingComparison {
  readonly text: string;
  readonly words: readonly string[];
  /** Tokens, characters masked without regard to words. */
  readonly characterMasking: readonly string[];
  /** Tokens, words masked whole. */
  readonly wholeWordMasking: readonly string[];
}

/**
 * Masks a text by character and by word; each token taken becomes [MASK], so that one sees which.
 * Source: the table in the README of ymcui/Chinese-BERT-wwm.
 * @param seed - an integer from 0 to 2^53 - 1.
 */
export function compareMasking(text: string, options: Omit<SampleOptions, "masking">, seed: number): MaskingComparison {
  const [byCharacter, byWord] = (["char", "whole-word"] as const).map((masking, i) =>
    createSampler({ ...options, masking, maskTokenProb: 1, randomTokenProb: 0 })(text, Random.derive(seed, i)),
  ) as [MaskedSample, MaskedSample];
  const tokensOf = ({ instance }: MaskedSample) =>
    Array.from(instance.inputIds.subarray(1, -1), (id) => options.tokenizer.vocabulary.token(id));
  return {
    text: byWord.text,
    words: byWord.words,
    characterMasking: tokensOf(byCharacter),
    wholeWordMasking: tokensOf(byWord),
  };
}
