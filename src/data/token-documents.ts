/**
 * Documents as tokens that are not masked yet: between the text of a corpus, the id files of Megatron and PaddleNLP, and the
 * instances of training data.
 */
import { CharacterKind, characterRules } from "../text/characters.ts";
import { CONTINUATION_PREFIX, type Vocabulary } from "../text/vocabulary.ts";
import { originalIds, type PretrainingInstance } from "./instance.ts";

/** A sentence, without special tokens. */
export interface TokenSentence {
  /** int32 [tokens]. */
  readonly ids: Int32Array;
  /** uint8 [tokens]; 1 where a word begins. */
  readonly wordStarts: Uint8Array;
}

/** Sentences that follow each other. */
export type TokenDocument = readonly TokenSentence[];

const isChineseCharacter = (token: string): boolean => {
  const codePoint = token.codePointAt(0);
  return (
    codePoint !== undefined &&
    token.length === String.fromCodePoint(codePoint).length &&
    characterRules("huggingface").kind(codePoint) === CharacterKind.chinese
  );
};

/** From ids in which `##字` says that a character continues its word, as PaddleNLP stores them, to the plain ids; and back. */
export class WordMarks {
  /** int32 [vocabulary]; the plain character of each `##字`, -1 for all other tokens. */
  readonly #plain: Int32Array;
  /** int32 [vocabulary]; the `##字` of each Chinese character, -1 where there is none. */
  readonly #marked: Int32Array;
  readonly #continues: Uint8Array;

  constructor(vocabulary: Vocabulary) {
    const { size } = vocabulary;
    this.#plain = new Int32Array(size).fill(-1);
    this.#marked = new Int32Array(size).fill(-1);
    this.#continues = new Uint8Array(size);
    for (const [token, id] of vocabulary.entries()) {
      if (!token.startsWith(CONTINUATION_PREFIX)) continue;
      this.#continues[id] = 1;
      const character = token.slice(CONTINUATION_PREFIX.length);
      const plain = vocabulary.id(character);
      if (plain === undefined || !isChineseCharacter(character)) continue;
      this.#plain[id] = plain;
      this.#marked[plain] = id;
    }
  }

  /** The sentence of ids that may carry marks; `hasMarks` says whether a Chinese character did. */
  unmark(ids: Int32Array): TokenSentence & { readonly hasMarks: boolean } {
    let hasMarks = false;
    const plain = ids.map((id) => {
      const character = this.#plain[id] ?? -1;
      if (character < 0) return id;
      hasMarks = true;
      return character;
    });
    const wordStarts = Uint8Array.from(ids, (id, i) => (i > 0 && this.#continues[id] === 1 ? 0 : 1));
    return { ids: plain, wordStarts, hasMarks };
  }

  /** The ids with marks; `lost` counts tokens that continue a word but have no `##` form, such as [UNK]. */
  mark({ ids, wordStarts }: TokenSentence): { readonly ids: Int32Array; readonly lost: number } {
    let lost = 0;
    const marked = ids.map((id, i) => {
      if (wordStarts[i] === 1 || this.#continues[id] === 1) return id;
      const continuing = this.#marked[id] as number;
      if (continuing < 0) lost += 1;
      return continuing < 0 ? id : continuing;
    });
    return { ids: marked, lost };
  }
}

/** A text that is read as these tokens again, and where each of them begins in it. */
export interface TokenText {
  readonly text: string;
  /** int32 [tokens]; UTF-16 offsets. */
  readonly starts: Int32Array;
}

/** Letters and digits, which run together unless a space parts them. */
const RUNS_ON = /[\p{L}\p{N}]/u;

/** The text of tokens: a space where two words of letters would become one, otherwise nothing between. */
export function textOfTokens(ids: Int32Array, vocabulary: Vocabulary): TokenText {
  const starts = new Int32Array(ids.length);
  let text = "";
  let runsOn = false;
  for (const [i, id] of ids.entries()) {
    const token = vocabulary.token(id);
    const continues = token.length > CONTINUATION_PREFIX.length && token.startsWith(CONTINUATION_PREFIX);
    const surface = continues ? token.slice(CONTINUATION_PREFIX.length) : token;
    if (!continues && runsOn && beginsRun(surface)) text += " ";
    starts[i] = text.length;
    text += surface;
    runsOn = endsRun(surface);
  }
  return { text, starts };
}

function beginsRun(surface: string): boolean {
  const first = String.fromCodePoint(surface.codePointAt(0) ?? 0x20);
  return RUNS_ON.test(first) && !isChineseCharacter(first);
}

function endsRun(surface: string): boolean {
  const last = [...surface].at(-1) ?? " ";
  return RUNS_ON.test(last) && !isChineseCharacter(last);
}

/** The text of a sentence with a space between its words, as the segmenter "spaces" reads it. */
export function spacedText({ ids, wordStarts }: TokenSentence, vocabulary: Vocabulary): string {
  const words: string[] = [];
  for (let begin = 0; begin < ids.length; ) {
    let end = begin + 1;
    while (end < ids.length && wordStarts[end] === 0) end += 1;
    words.push(textOfTokens(ids.subarray(begin, end), vocabulary).text);
    begin = end;
  }
  return words.join(" ");
}

/** The line of a reference file: positions, [CLS] being 0, of Chinese characters that continue a word. */
export function referenceOf({ ids, wordStarts }: TokenSentence, vocabulary: Vocabulary): number[] {
  return Array.from(ids.keys())
    .filter((i) => wordStarts[i] === 0 && isChineseCharacter(vocabulary.token(ids[i] as number)))
    .map((i) => i + 1);
}

/**
 * What an instance was made of, masks undone: its sentences without special tokens. A pair whose B is random is two documents.
 * The first token of a sentence begins a word.
 */
export function documentsOfInstance(instance: PretrainingInstance, vocabulary: Vocabulary): TokenDocument[] {
  const { cls, sep } = vocabulary.ids;
  const ids = originalIds(instance);
  const sentences: TokenSentence[] = [];
  let begin = 0;
  for (let i = 0; i <= ids.length; i++) {
    if (i < ids.length && ids[i] !== cls && ids[i] !== sep) continue;
    if (i > begin) {
      const wordStarts = instance.wordStarts.slice(begin, i);
      wordStarts[0] = 1;
      sentences.push({ ids: ids.slice(begin, i), wordStarts });
    }
    begin = i + 1;
  }
  return instance.nextSentenceLabel === 0 ? [sentences] : sentences.map((sentence) => [sentence]);
}
