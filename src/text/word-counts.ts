/** Counts the words and characters of a corpus as the tokeniser would split it, text by text, in bounded memory. */
import { CharacterKind, CODE_POINTS, characterRules, codePointsOf, type TokenizationRules } from "./characters.ts";

/** How the words of a corpus are counted. */
export interface WordCounterOptions {
  /** "huggingface". */
  readonly rules?: TokenizationRules;
  /** true; false for a cased vocabulary. */
  readonly lowercase?: boolean;
  /** As `lowercase`. */
  readonly stripAccents?: boolean;
  /** 4,000,000: above this many different words those seen once are forgotten. */
  readonly maxDistinctWords?: number;
}

/** Longer words are unknown to every BERT tokeniser: they teach nothing. */
const MAX_WORD_LENGTH = 100;

/** Collects counts; `add` is called with any pieces of text that do not cut a word. */
export class WordCounter {
  /** How often each run of letters and digits occurs, normalised. */
  readonly words = new Map<string, number>();
  /** float64 [code points]; how often each Chinese character and punctuation mark occurs. */
  readonly characters = new Float64Array(CODE_POINTS);
  readonly options: Required<WordCounterOptions>;

  constructor(options: WordCounterOptions = {}) {
    const { rules = "huggingface", lowercase = true, maxDistinctWords = 4_000_000 } = options;
    this.options = { rules, lowercase, stripAccents: options.stripAccents ?? lowercase, maxDistinctWords };
  }

  /** Counts the words of a text. */
  add(text: string): void {
    const rules = characterRules(this.options.rules);
    let word = "";
    const endWord = (): void => {
      if (word !== "" && word.length <= MAX_WORD_LENGTH) this.words.set(word, (this.words.get(word) ?? 0) + 1);
      word = "";
    };
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i) as number;
      if (code > 0xffff) i++;
      const kind = rules.kind(code);
      if (kind === CharacterKind.dropped) continue;
      if (kind === CharacterKind.space) {
        endWord();
        continue;
      }
      for (const part of rules.isFolded(code, this.options) ? rules.fold(code, this.options) : [code]) {
        if (kind === CharacterKind.chinese || rules.kind(part) === CharacterKind.punctuation) {
          endWord();
          this.characters[part] = (this.characters[part] as number) + 1;
        } else word += String.fromCodePoint(part);
      }
    }
    endWord();
    if (this.words.size > this.options.maxDistinctWords) this.#forgetRare();
  }

  /** How often each character begins a word, and how often it continues one. */
  wordCharacters(): {
    readonly initial: ReadonlyMap<number, number>;
    readonly continuing: ReadonlyMap<number, number>;
  } {
    const initial = new Map<number, number>();
    const continuing = new Map<number, number>();
    for (const [word, count] of this.words) {
      codePointsOf(word).forEach((code, i) => {
        const counts = i === 0 ? initial : continuing;
        counts.set(code, (counts.get(code) ?? 0) + count);
      });
    }
    return { initial, continuing };
  }

  #forgetRare(): void {
    for (const [word, count] of this.words) if (count === 1) this.words.delete(word);
  }
}
