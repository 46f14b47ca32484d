/**
 * BERT's tokeniser: text to WordPiece ids with character offsets, pairs, windows and padding, and back to text.
 * Agrees with tokenizers' BertWordPieceTokenizer ("huggingface") or with tokenization.py of google-research/bert ("google").
 */
import { ArgumentError } from "../errors.ts";
import { AddedTokenMatcher } from "./added-tokens.ts";
import { BulkEncoder, type BulkEncoding } from "./bulk.ts";
import { joinTokens } from "./decode.ts";
import { addedTokenCount, assembleEncoding, type Encoding, type Pieces } from "./encoding.ts";
import { PieceEncoder } from "./piece-encoder.ts";
import { PieceTable } from "./piece-table.ts";
import { parseTokenizerJson, writeTokenizerJson } from "./tokenizer-json.ts";
import { completeOptions, type TokenizerOptions } from "./tokenizer-options.ts";
import { type TruncationStrategy, truncatedLengths, type Window, windowsOver } from "./truncation.ts";
import { SPECIAL_TOKENS, Vocabulary } from "./vocabulary.ts";

/** How `encode` makes an encoding of pieces. */
export interface EncodeOptions {
  /** The second text; an empty one counts as none, as in transformers. */
  readonly pair?: string;
  /** true: [CLS] and [SEP] are added. */
  readonly addSpecialTokens?: boolean;
  /** The most tokens, special ones included. */
  readonly maxLength?: number;
  /** longest_first where there is a maxLength. */
  readonly truncation?: TruncationStrategy | false;
  /** With a stride, what is cut comes in further windows, which overlap by so many tokens. */
  readonly stride?: number;
  /** false; "max_length" pads to maxLength, a number to that many tokens, "longest" (in `encodeBatch`) to the longest text. */
  readonly padding?: false | "max_length" | "longest" | number;
  /** "right": the side that is cut. */
  readonly truncationSide?: "left" | "right";
  /** "right": the side that is padded. */
  readonly paddingSide?: "left" | "right";
}

/** Text to tokens and back. */
export class BertTokenizer {
  readonly vocabulary: Vocabulary;
  readonly options: Required<TokenizerOptions>;
  readonly #encoder: PieceEncoder;
  readonly #bulk: BulkEncoder;
  readonly #special: ReadonlySet<string>;

  /** @throws {ArgumentError} when the word limit is not a whole number above 0, or curlyQuotes is no choice. */
  constructor(vocabulary: Vocabulary, options: TokenizerOptions = {}) {
    this.vocabulary = vocabulary;
    this.options = completeOptions(vocabulary, options);
    const { rules, lowercase, stripAccents, splitChinese, curlyQuotes, maxInputCharsPerWord, addedTokens } =
      this.options;
    const table = new PieceTable(vocabulary, {
      rules,
      lowercase,
      stripAccents,
      splitChinese,
      curlyQuotes,
      addedTokens: new AddedTokenMatcher(addedTokens),
    });
    this.#encoder = new PieceEncoder(table, maxInputCharsPerWord);
    this.#bulk = new BulkEncoder(table, this.#encoder, maxInputCharsPerWord);
    const added = addedTokens.filter((token) => token.special).map((token) => token.content);
    this.#special = new Set([...Object.values(SPECIAL_TOKENS), ...added]);
  }

  /**
   * A tokeniser from the text of a vocab.txt.
   * @throws {VocabularyError} when it is not a BERT vocabulary.
   */
  static fromVocabText(text: string, options: TokenizerOptions = {}): BertTokenizer {
    return new BertTokenizer(Vocabulary.fromText(text), options);
  }

  /**
   * A tokeniser from a parsed tokenizer.json; `options` override what the file says.
   * @throws {VocabularyError} when the file describes another kind of tokeniser.
   */
  static fromTokenizerJson(json: unknown, options: TokenizerOptions = {}): BertTokenizer {
    const parsed = parseTokenizerJson(json);
    return new BertTokenizer(parsed.vocabulary, { ...parsed.options, ...options });
  }

  /** The content of a tokenizer.json that Hugging Face's libraries load (Google's rules have no form there; theirs are used). */
  toTokenizerJson(): object {
    return writeTokenizerJson(this.vocabulary, this.options);
  }

  /** The tokens of a text, without special tokens at its ends. */
  tokenize(text: string): string[] {
    this.#encoder.encode(text);
    return this.vocabulary.tokensOf(this.#encoder.ids.subarray(0, this.#encoder.count));
  }

  /** The pieces of a text with their offsets and words, and nothing added: the fast path. */
  encodePieces(text: string): Pieces {
    const encoder = this.#encoder;
    encoder.encode(text);
    const { count } = encoder;
    return {
      ids: encoder.ids.slice(0, count),
      starts: encoder.starts.slice(0, count),
      ends: encoder.ends.slice(0, count),
      words: encoder.words.slice(0, count),
    };
  }

  /**
   * The ids of UTF-8 text, many lines at once: the fastest path.
   * @throws {CorpusError} when the bytes are not UTF-8; it names the offset.
   */
  encodeBytes(bytes: Uint8Array): BulkEncoding {
    return this.#bulk.encode(bytes);
  }

  /**
   * A text, or with `pair` two, as a model takes it.
   * @throws {ArgumentError} when the text cannot be cut as asked.
   */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { pair, addSpecialTokens = true, truncationSide = "right", paddingSide = "right", stride } = options;
    const sides = [text, ...(pair ? [pair] : [])].map((side) => this.encodePieces(side));
    const lengths = sides.map((side) => side.ids.length);
    const kept = keptLengths(lengths, addSpecialTokens, options);
    const assembleOptions = { addSpecialTokens, padTo: paddedLength(options), paddingSide };
    const windows = sides.map((_, i): readonly Window[] => {
      const [length, keep] = [lengths[i] as number, kept[i] as number];
      if (stride !== undefined) return windowsOver(length, keep, stride, truncationSide);
      return [truncationSide === "right" ? [0, keep] : [length - keep, length]];
    });
    const assemble = (choice: readonly number[], overflowing: readonly Encoding[]): Encoding => {
      const spans = sides.map((pieces, i) => {
        const [from, to] = windows[i]?.[choice[i] as number] ?? [0, 0];
        return { pieces, from, to };
      });
      return assembleEncoding(this.vocabulary, spans, assembleOptions, overflowing);
    };
    const [first, ...others] = windowChoices(windows.map((list) => list.length));
    return assemble(
      first as readonly number[],
      others.map((choice) => assemble(choice, [])),
    );
  }

  /**
   * Several texts; with padding "longest" all get the length of the longest.
   * @throws {ArgumentError} as `encode`.
   */
  encodeBatch(texts: readonly (string | readonly [string, string])[], options: EncodeOptions = {}): Encoding[] {
    const encodeAll = (padding: EncodeOptions["padding"]) =>
      texts.map((text) => {
        const shared = { ...options, ...(padding === undefined ? {} : { padding }) };
        return typeof text === "string"
          ? this.encode(text, shared)
          : this.encode(text[0], { ...shared, pair: text[1] });
      });
    if (options.padding !== "longest") return encodeAll(options.padding);
    const longest = Math.max(0, ...encodeAll(false).flatMap((e) => [e, ...e.overflowing].map((w) => w.ids.length)));
    return encodeAll(longest);
  }

  /**
   * The text of ids: Chinese joined without spaces, words of other scripts with them.
   * @throws {VocabularyError} when an id is out of range.
   */
  decode(ids: Iterable<number>, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    const tokens = this.convertIdsToTokens(ids);
    const isSpecial = (token: string) => this.#special.has(token);
    return joinTokens(options.skipSpecialTokens ? tokens.filter((token) => !isSpecial(token)) : tokens, isSpecial);
  }

  /** The ids of tokens; [UNK]'s for those that are not in the vocabulary. */
  convertTokensToIds(tokens: Iterable<string>): Int32Array {
    return Int32Array.from(tokens, (token) => this.vocabulary.id(token) ?? this.vocabulary.ids.unk);
  }

  /**
   * The tokens of ids.
   * @throws {VocabularyError} when an id is out of range.
   */
  convertIdsToTokens(ids: Iterable<number>): string[] {
    return this.vocabulary.tokensOf(Array.from(ids));
  }
}

/** How many pieces of each text stay. */
function keptLengths(
  lengths: readonly number[],
  addSpecialTokens: boolean,
  { maxLength, truncation = "longest_first", stride }: EncodeOptions,
): readonly number[] {
  if (maxLength === undefined || truncation === false) return lengths;
  const room = maxLength - (addSpecialTokens ? addedTokenCount(lengths.length) : 0);
  if (!Number.isInteger(maxLength) || room < 0) {
    throw new ArgumentError({
      where: "encode: maxLength",
      expected: `a whole number from ${maxLength - room}, the number of special tokens`,
      got: maxLength,
    });
  }
  const roomOfOne = maxLength - (addSpecialTokens ? addedTokenCount(1) : 0);
  if (stride !== undefined && (!Number.isInteger(stride) || stride < 0 || stride >= roomOfOne)) {
    throw new ArgumentError({
      where: "encode: stride",
      expected: `a whole number from 0 to ${roomOfOne - 1}, below the tokens that fit into a window`,
      got: stride,
      hint: "stride is the overlap of windows: lower it or raise maxLength",
    });
  }
  return truncatedLengths(lengths, room, truncation);
}

/** Far beyond any model; a longer row is a slip, and would fill the memory. */
const MAX_PADDED_LENGTH = 1 << 24;

function paddedLength({ padding = false, maxLength }: EncodeOptions): number {
  if (padding === false || padding === "longest") return 0;
  const length = padding === "max_length" ? maxLength : padding;
  if (Number.isInteger(length) && (length as number) >= 0 && (length as number) <= MAX_PADDED_LENGTH) {
    return length as number;
  }
  throw new ArgumentError({
    where: "encode: padding",
    expected: `a whole number from 0 to ${MAX_PADDED_LENGTH}, or "max_length" with a maxLength`,
    got: length,
    hint: "give maxLength, or a number of tokens as padding",
  });
}

/** Which windows are combined, the kept ones first: the order in which tokenizers merges a pair's overflow. */
function windowChoices(counts: readonly number[]): readonly (readonly number[])[] {
  const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  const [a = 1, b] = counts;
  if (b === undefined) return range(0, a).map((i) => [i]);
  return [[0, 0], ...range(1, a).flatMap((i) => range(0, b).map((j) => [i, j])), ...range(1, b).map((j) => [0, j])];
}
