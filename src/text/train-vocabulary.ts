/**
 * Makes a vocabulary from counted words: special tokens, required and frequent characters, then merged pieces.
 * Chinese characters stay single and have no `##` form: no tokeniser rule ever joins them into a word.
 */
import { ArgumentError, CorpusError, verbatim } from "../errors.ts";
import { CharacterKind, characterRules, codePointsOf } from "./characters.ts";
import { type CountedWord, mergePairs } from "./pair-merges.ts";
import { CONTINUATION_PREFIX, SPECIAL_TOKENS, Vocabulary } from "./vocabulary.ts";
import type { WordCounter } from "./word-counts.ts";

/** What the vocabulary shall hold. */
export interface TrainVocabularyOptions {
  /** The most tokens, all counted. */
  readonly size: number;
  /** 2: pieces whose parts meet less often are not merged. */
  readonly minFrequency?: number;
  /** 2: characters that are rarer are left out unless they are required. */
  readonly minCharacterFrequency?: number;
  /** Characters that are in whatever their frequency, letters and digits among them also as `##` pieces. */
  readonly requiredCharacters?: Iterable<string>;
  /** [PAD], [UNK], [CLS], [SEP], [MASK]: the first tokens, in this order. */
  readonly specialTokens?: readonly string[];
  /** 0: tokens [unused1] and so on, after the first special token, for users to give a meaning. */
  readonly unusedTokens?: number;
}

/**
 * Trains a vocabulary.
 * @throws {CorpusError} when nothing was counted.
 * @throws {ArgumentError} when the characters alone are more than `size`.
 */
export function trainVocabulary(counter: WordCounter, options: TrainVocabularyOptions): Vocabulary {
  const { size, minFrequency = 2, specialTokens = Object.values(SPECIAL_TOKENS), unusedTokens = 0 } = options;
  if (counter.words.size === 0 && counter.characters.every((count) => count === 0)) {
    throw new CorpusError({
      where: "vocabulary training",
      expected: "a corpus with words in it",
      got: verbatim("none"),
    });
  }
  if (!Number.isInteger(unusedTokens) || unusedTokens < 0 || unusedTokens > size) {
    throw new ArgumentError({
      where: "vocabulary training: unusedTokens",
      expected: `a whole number from 0 to the size, ${size}`,
      got: unusedTokens,
      hint: "ask for fewer unused tokens, or raise the size",
    });
  }
  const unused = Array.from({ length: unusedTokens }, (_, i) => `[unused${i + 1}]`);
  const tokens = [...specialTokens.slice(0, 1), ...unused, ...specialTokens.slice(1), ...alphabet(counter, options)];
  if (tokens.length > size) {
    throw new ArgumentError({
      where: "vocabulary training: size",
      expected: `at least ${tokens.length}, the special tokens and the characters`,
      got: size,
      hint: "raise the size or the least frequency of characters, or require fewer characters",
    });
  }
  addMergedPieces(tokens, counter, size, minFrequency);
  return Vocabulary.fromTokens(tokens, "vocabulary training");
}

/** All single characters: by code point, first those that begin a word or stand alone, then the `##` forms. */
function alphabet(counter: WordCounter, options: TrainVocabularyOptions): string[] {
  const rules = characterRules(counter.options.rules);
  const leastCount = options.minCharacterFrequency ?? 2;
  const { initial, continuing } = counter.wordCharacters();
  const single = new Set<number>();
  const joined = new Set<number>();
  for (const character of options.requiredCharacters ?? []) {
    const [code, ...rest] = rules.fold(character.codePointAt(0) as number, counter.options);
    if (code === undefined || rest.length > 0) continue;
    const kind = rules.kind(code);
    if (kind === CharacterKind.space || kind === CharacterKind.dropped) continue;
    single.add(code);
    if (kind === CharacterKind.word && /[\p{L}\p{N}]/u.test(String.fromCodePoint(code))) joined.add(code);
  }
  counter.characters.forEach((count, code) => {
    if (count >= leastCount) single.add(code);
  });
  for (const [code, count] of initial) if (count >= leastCount) single.add(code);
  for (const [code, count] of continuing) if (count >= leastCount) joined.add(code);
  const characters = (codes: Set<number>) => [...codes].sort((a, b) => a - b).map((code) => String.fromCodePoint(code));
  return [...characters(single), ...characters(joined).map((character) => CONTINUATION_PREFIX + character)];
}

/** Appends merged pieces, the most frequent first, until the list is full. */
function addMergedPieces(tokens: string[], counter: WordCounter, size: number, minFrequency: number): void {
  const numbers = new Map(tokens.map((token, number) => [token, number]));
  mergePairs(splitWords(counter.words, numbers), minFrequency, (left, right) => {
    const piece = `${tokens[left]}${(tokens[right] as string).slice(CONTINUATION_PREFIX.length)}`;
    const known = numbers.get(piece);
    if (known !== undefined) return known;
    if (tokens.length >= size) return undefined;
    numbers.set(piece, tokens.length);
    return tokens.push(piece) - 1;
  });
}

/** Words as single characters; those with a character outside the alphabet are left out: they are unknown as a whole. */
function splitWords(words: ReadonlyMap<string, number>, numbers: ReadonlyMap<string, number>): CountedWord[] {
  const split: CountedWord[] = [];
  for (const [word, count] of words) {
    const pieces = codePointsOf(word).map((code, i) =>
      numbers.get((i === 0 ? "" : CONTINUATION_PREFIX) + String.fromCodePoint(code)),
    );
    if (pieces.every((piece) => piece !== undefined)) split.push({ pieces: pieces as number[], count });
  }
  return split;
}
