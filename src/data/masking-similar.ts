/**
 * MacBERT's replacement: similar words of equal length instead of [MASK], which fine-tuning never sees.
 * Source: Cui et al. 2020 (MacBERT), section 3.1, and issue 13 of ymcui/MacBERT.
 */
import { ArgumentError, verbatim } from "../errors.ts";
import type { Random } from "../util/random.ts";
import { ordinaryIds, type Replace, type ReplacementShares } from "./masking-replacements.ts";
import { type MaskingWords, wordIds } from "./masking-words.ts";

type Ids = readonly number[];

/**
 * Draws for each word: a similar word of equal length (80 %), a random word of equal length (10 %), or the word itself. Where a word
 * has no similar one, each of its tokens is replaced by a similar token; where that has none either, by a random one.
 * @throws {ArgumentError} when there are no similar words.
 */
export function replaceBySimilarWords(options: ReplacementShares & { readonly words: MaskingWords }): Replace {
  const { vocabulary, maskTokenProb, randomTokenProb } = options;
  const randomIds = ordinaryIds(vocabulary);
  const { similar, byLength } = readTable(options, new Set(randomIds));
  const copy = (ids: Int32Array, word: Ids, at: number) => {
    for (let i = 0; i < word.length; i++) ids[at + i] = word[i]!;
  };
  const putSimilar = (ids: Int32Array, start: number, end: number, random: Random) => {
    const words = similar.get(ids.subarray(start, end).join());
    if (words !== undefined) copy(ids, words[random.integer(words.length)]!, start);
    else if (end - start > 1) for (let i = start; i < end; i++) putSimilar(ids, i, i + 1, random);
    else ids[start] = randomIds[random.integer(randomIds.length)]!;
  };
  const putRandom = (ids: Int32Array, start: number, end: number, random: Random) => {
    const words = byLength.get(end - start);
    if (words !== undefined) copy(ids, words[random.integer(words.length)]!, start);
    else for (let i = start; i < end; i++) ids[i] = randomIds[random.integer(randomIds.length)]!;
  };
  return (ids, { starts, ends }, first, last, random) => {
    for (let unit = first; unit < last; unit++) {
      const drawn = random.uniform();
      if (drawn < maskTokenProb) putSimilar(ids, starts[unit]!, ends[unit]!, random);
      else if (drawn < maskTokenProb + randomTokenProb) putRandom(ids, starts[unit]!, ends[unit]!, random);
    }
  };
}

/**
 * Similar words by the word's ids, and all words by their number of tokens.
 * @param ordinary - other ids, such as [MASK], are in no word.
 */
function readTable(
  { vocabulary, words }: ReplacementShares & { readonly words: MaskingWords },
  ordinary: ReadonlySet<number>,
) {
  const idsOf = (word: string) => {
    const ids = wordIds(vocabulary, word);
    return ids?.every((id) => ordinary.has(id)) ? ids : undefined;
  };
  const similar = new Map<string, Ids[]>();
  const byLength = new Map<number, Ids[]>();
  for (const [word = "", ...others] of words.similarWords ?? []) {
    const ids = idsOf(word);
    if (ids === undefined) continue;
    const list = byLength.get(ids.length) ?? [];
    list.push(ids);
    byLength.set(ids.length, list);
    const found = others.flatMap((other) => {
      const otherIds = idsOf(other);
      return otherIds?.length === ids.length ? [otherIds] : [];
    });
    if (found.length > 0) similar.set(ids.join(), found);
  }
  if (similar.size > 0) return { similar, byLength };
  const hint = "give word vectors that hold words of the text, in word2vec's text format";
  throw new ArgumentError({ where: "masking macbert", expected: "similar words", got: verbatim("none"), hint });
}
