/** The vocabulary of a model: tokens by id, and back. Reads and writes vocab.txt as BERT has it, one token a line. */
import { VocabularyError, verbatim } from "../errors.ts";
import { sha256 } from "../util/sha256.ts";

/** BERT's special tokens, by their part in a model. */
export const SPECIAL_TOKENS = { pad: "[PAD]", unk: "[UNK]", cls: "[CLS]", sep: "[SEP]", mask: "[MASK]" } as const;

/** The part that a special token plays. */
export type SpecialTokenName = keyof typeof SPECIAL_TOKENS;

/** The mark of a piece that continues a word. */
export const CONTINUATION_PREFIX = "##";

/** An immutable list of tokens; the id of a token is its place. */
export class Vocabulary {
  /** The tokens by id. */
  readonly tokens: readonly string[];
  /** The ids of [PAD], [UNK], [CLS], [SEP] and [MASK]. */
  readonly ids: Readonly<Record<SpecialTokenName, number>>;
  readonly #idOfToken: ReadonlyMap<string, number>;
  #hash: string | undefined;

  private constructor(tokens: readonly string[], where: string) {
    this.tokens = tokens;
    // As in the reference readers, the last of equal tokens has the id.
    this.#idOfToken = new Map(tokens.map((token, id) => [token, id]));
    const missing = Object.values(SPECIAL_TOKENS).filter((token) => !this.#idOfToken.has(token));
    if (missing.length > 0) {
      throw new VocabularyError({
        where,
        expected: `a BERT vocabulary with the lines ${Object.values(SPECIAL_TOKENS).join(" ")}`,
        got: verbatim(`${tokens.length} lines without ${missing.join(" ")}`),
        hint: "give the model's own vocab.txt (UTF-8, one token a line), or make one with `zhbert vocab`",
      });
    }
    this.ids = Object.fromEntries(
      Object.entries(SPECIAL_TOKENS).map(([name, token]) => [name, this.#idOfToken.get(token)]),
    ) as Record<SpecialTokenName, number>;
  }

  /**
   * A vocabulary from the text of a vocab.txt: split at \n only (U+2028 is a token of the published vocabularies);
   * a \r before it and one \n at the end are tolerated. Where every line ends in a tab and its number, as in ERNIE's
   * own file, the number is left out.
   * @param where - the file's name, for messages.
   * @throws {VocabularyError} when the text is empty or has no special tokens.
   */
  static fromText(text: string, where = "vocabulary"): Vocabulary {
    const lines = text.replace(/^\uFEFF/, "").split("\n");
    if (lines.at(-1) === "") lines.pop();
    const entries = lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
    const isNumbered = entries.every((entry, id) => entry.endsWith(`\t${id}`));
    return new Vocabulary(
      isNumbered ? entries.map((entry) => entry.slice(0, entry.lastIndexOf("\t"))) : entries,
      where,
    );
  }

  /**
   * A vocabulary of the given tokens, in their order.
   * @throws {VocabularyError} when a special token is missing.
   */
  static fromTokens(tokens: readonly string[], where = "vocabulary"): Vocabulary {
    return new Vocabulary([...tokens], where);
  }

  /** The number of tokens. */
  get size(): number {
    return this.tokens.length;
  }

  /** The id of a token, or undefined for one that is not here. */
  id(token: string): number | undefined {
    return this.#idOfToken.get(token);
  }

  /**
   * The token of an id.
   * @throws {VocabularyError} when the id is outside [0, size).
   */
  token(id: number): string {
    const token = this.tokens[id];
    if (token === undefined) {
      throw new VocabularyError({
        where: "vocabulary",
        expected: `a token id from 0 to ${this.size - 1}`,
        got: id,
        hint: "the ids come from another vocabulary; use the one that the model or the data was made with",
      });
    }
    return token;
  }

  /**
   * The tokens of ids.
   * @throws {VocabularyError} when an id is outside [0, size).
   */
  tokensOf(ids: ArrayLike<number>): string[] {
    // A loop, since Array.from with a function costs several times as much, and this runs for every token of a batch.
    const tokens = new Array<string>(ids.length);
    for (let i = 0; i < ids.length; i++) tokens[i] = this.token(ids[i] as number);
    return tokens;
  }

  /** Each token with the id that `id(token)` gives; of equal tokens one. */
  entries(): IterableIterator<[string, number]> {
    return this.#idOfToken.entries();
  }

  /** The text of a vocab.txt. */
  toText(): string {
    return `${this.tokens.join("\n")}\n`;
  }

  /** The SHA-256 of `toText()` in hexadecimal: equal for equal token lists. */
  hash(): string {
    this.#hash ??= sha256(new TextEncoder().encode(this.toText()));
    return this.#hash;
  }
}
