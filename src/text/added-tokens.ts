/** Tokens that are found in the raw text, before it is normalised: [MASK] and its like. Follows AddedVocabulary of tokenizers. */

/** A token that is matched as it is written. */
export interface AddedToken {
  readonly content: string;
  readonly id: number;
  /** Left out by `decode(..., { skipSpecialTokens: true })`. */
  readonly special: boolean;
  /** Takes the white space on its left with it. */
  readonly lstrip: boolean;
  /** Takes the white space on its right with it. */
  readonly rstrip: boolean;
  /** Found only where no letter or digit touches it. */
  readonly singleWord: boolean;
}

/** Where an added token stands in a text; UTF-16 offsets. */
export interface AddedTokenMatch {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** Whether added tokens are more than some others, by content. */
export function exceedTokens(added: readonly AddedToken[], others: readonly string[]): boolean {
  return added.some(({ content }) => !others.includes(content));
}

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}\p{Pc}]/u;

/** Finds added tokens; the longest at a place wins. */
export class AddedTokenMatcher {
  /** The code points with which an added token begins. */
  readonly heads: ReadonlySet<number>;
  readonly tokens: readonly AddedToken[];
  readonly #utf8: readonly Uint8Array[];

  constructor(tokens: readonly AddedToken[]) {
    this.tokens = [...tokens].sort((a, b) => b.content.length - a.content.length);
    this.heads = new Set(tokens.map((token) => token.content.codePointAt(0) as number));
    this.#utf8 = this.tokens.map((token) => new TextEncoder().encode(token.content));
  }

  /** The added token that begins at `index` of a text, or undefined. */
  matchAt(text: string, index: number): AddedTokenMatch | undefined {
    for (const token of this.tokens) {
      if (!text.startsWith(token.content, index)) continue;
      const end = index + token.content.length;
      if (token.singleWord && (isWordCharacter(text, index - 1) || isWordCharacter(text, end))) continue;
      return {
        id: token.id,
        start: token.lstrip ? text.slice(0, index).trimEnd().length : index,
        end: token.rstrip ? text.length - text.slice(end).trimStart().length : end,
      };
    }
    return undefined;
  }

  /** Whether UTF-8 text holds the content of an added token at a byte. */
  mayBeginAt(bytes: Uint8Array, index: number): boolean {
    return this.#utf8.some((content) => content.every((byte, k) => bytes[index + k] === byte));
  }
}

function isWordCharacter(text: string, index: number): boolean {
  return index >= 0 && index < text.length && WORD_CHARACTER.test(text[index] as string);
}
