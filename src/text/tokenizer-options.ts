/** What makes one BERT tokeniser treat text otherwise than another, and the defaults of each rule set. */
import { ArgumentError } from "../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import type { TokenizationRules } from "./characters.ts";
import { CURLY_QUOTES, type CurlyQuotes } from "./fold-plan.ts";
import { SPECIAL_TOKENS, type Vocabulary } from "./vocabulary.ts";

/** How a tokeniser treats text; what is left out takes the default. */
export interface TokenizerOptions {
  /** "huggingface". */
  readonly rules?: TokenizationRules;
  /** true; false for a cased model. */
  readonly lowercase?: boolean;
  /** As `lowercase`. */
  readonly stripAccents?: boolean;
  /** true: each Chinese character is a word of its own. */
  readonly splitChinese?: boolean;
  /** "keep", as the reference tokenisers; "map" reads “ ” as " and ‘ ’ as ', for vocabularies without them. */
  readonly curlyQuotes?: CurlyQuotes;
  /** Longer words are unknown: 100 in Hugging Face's rules, 200 in Google's. */
  readonly maxInputCharsPerWord?: number;
  /** Tokens found in raw text; the special tokens in Hugging Face's rules, none in Google's. */
  readonly addedTokens?: readonly AddedToken[];
}

/**
 * Options with their defaults filled in.
 * @throws {ArgumentError} when the word limit is not a whole number above 0, or curlyQuotes is no choice.
 */
export function completeOptions(vocabulary: Vocabulary, options: TokenizerOptions): Required<TokenizerOptions> {
  const { rules = "huggingface", lowercase = true, curlyQuotes = "keep" } = options;
  const maxInputCharsPerWord = options.maxInputCharsPerWord ?? (rules === "google" ? 200 : 100);
  if (!Number.isInteger(maxInputCharsPerWord) || maxInputCharsPerWord < 1) {
    throw new ArgumentError({
      where: "tokenizer: maxInputCharsPerWord",
      expected: "a whole number above 0",
      got: maxInputCharsPerWord,
    });
  }
  if (!CURLY_QUOTES.includes(curlyQuotes)) {
    throw new ArgumentError({
      where: "tokenizer: curlyQuotes",
      expected: CURLY_QUOTES.join(" or "),
      got: curlyQuotes,
    });
  }
  const special = Object.values(SPECIAL_TOKENS).map((content): AddedToken => {
    const id = vocabulary.id(content) as number;
    return { content, id, special: true, lstrip: false, rstrip: false, singleWord: false };
  });
  return {
    rules,
    lowercase,
    stripAccents: options.stripAccents ?? lowercase,
    splitChinese: options.splitChinese ?? true,
    curlyQuotes,
    maxInputCharsPerWord,
    addedTokens: options.addedTokens ?? (rules === "google" ? [] : special),
  };
}
