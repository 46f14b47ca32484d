/** Texts as rows of a batch: one row each, or overlapping windows where a text has more tokens than the model has positions. */
import { ArgumentError, verbatim } from "../errors.ts";
import { addedTokenCount, type Pieces } from "../text/encoding.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { truncatedLengths, windowsOver } from "../text/truncation.ts";

/** A text, or two that enter the model together: `[CLS] A [SEP] B [SEP]`. */
export type TextOrPair = string | readonly [string, string];

/** What a token of a row is to the text. */
export const Role = {
  /** In the overlap with a window that knows more of its surroundings, or a window's inner [CLS] or [SEP]. */
  Context: 0,
  /** A token of the text, in this row only. */
  Text: 1,
  /** [CLS] at the text's start, or a [SEP] at an end. */
  Special: 2,
} as const;

/** A text or a window of it, as a row of a batch. */
export interface TokenRow {
  /** int32 [tokens]. */
  readonly ids: Int32Array;
  /** int32 [tokens]; 0 for A, 1 for B. */
  readonly typeIds: Int32Array;
  /** uint8 [tokens]; a `Role` each. Over all rows of a text, each of its tokens is `Role.Text` once. */
  readonly roles: Uint8Array;
  /** Which piece of the text stands at position 1. */
  readonly firstPiece: number;
}

/** How long a row is. */
export function tokensOf({ ids }: Pick<TokenRow, "ids">): number {
  return ids.length;
}

/** A text's rows. */
export interface EncodedText {
  readonly rows: readonly TokenRow[];
  /** The pieces of the text; of A where it is a pair. */
  readonly pieces: Pieces;
  /** Whether tokens were cut off. */
  readonly isTruncated: boolean;
}

/** How texts are laid into rows. */
export interface RowOptions {
  /** The most tokens of a row, [CLS] and [SEP] included. */
  readonly maxLength: number;
  /** Tokens that a window shares with the one before it. */
  readonly overlap: number;
  /** Cuts what does not fit, as Google's code does, instead of making windows. */
  readonly truncate: boolean;
}

/**
 * The rows of a text.
 * @param where - names the text in messages.
 * @throws {ArgumentError} for a pair that does not fit and may not be cut: windows are made of single texts only.
 */
export function encodeRows(
  tokenizer: BertTokenizer,
  text: TextOrPair,
  options: RowOptions,
  where = "text",
): EncodedText {
  if (typeof text !== "string") return encodePair(tokenizer, text, options, where);
  return pieceRows(tokenizer, tokenizer.encodePieces(text), options);
}

/** The rows of a text's pieces, which may come from its parts. */
export function pieceRows(tokenizer: BertTokenizer, pieces: Pieces, options: RowOptions): EncodedText {
  const room = options.maxLength - addedTokenCount(1);
  const { length } = pieces.ids;
  if (length <= room || options.truncate) {
    const end = Math.min(length, room);
    const row = windowRow(tokenizer, pieces, [0, end], [0, end], length > room);
    return { rows: [row], pieces, isTruncated: length > room };
  }
  const windows = windowsOver(length, room, options.overlap, "right");
  // In an overlap each window answers for the half that lies deeper inside of it.
  const borders = windows.slice(1).map(([start], i) => (start + (windows[i]?.[1] as number)) >> 1);
  const rows = windows.map((window, i) =>
    windowRow(tokenizer, pieces, window, [borders[i - 1] ?? 0, borders[i] ?? length]),
  );
  return { rows, pieces, isTruncated: false };
}

/** `[CLS] pieces [SEP]`; [CLS] belongs to the first window of a text, [SEP] to the last. */
function windowRow(
  { vocabulary }: BertTokenizer,
  pieces: Pieces,
  [start, end]: readonly [number, number],
  [ownStart, ownEnd]: readonly [number, number],
  isCut = false,
): TokenRow {
  const ids = new Int32Array(end - start + 2);
  const roles = new Uint8Array(ids.length);
  ids[0] = vocabulary.ids.cls;
  ids.set(pieces.ids.subarray(start, end), 1);
  ids[ids.length - 1] = vocabulary.ids.sep;
  roles.fill(Role.Text, ownStart - start + 1, ownEnd - start + 1);
  if (start === 0) roles[0] = Role.Special;
  // A text that is cut is taken for whole.
  if (end === pieces.ids.length || isCut) roles[ids.length - 1] = Role.Special;
  return { ids, typeIds: new Int32Array(ids.length), roles, firstPiece: start };
}

function encodePair(
  tokenizer: BertTokenizer,
  [a, b]: readonly [string, string],
  { maxLength, truncate }: RowOptions,
  where: string,
): EncodedText {
  const sides = [a, b].map((side) => tokenizer.encodePieces(side)) as [Pieces, Pieces];
  const lengths = sides.map(({ ids }) => ids.length);
  const kept = truncatedLengths(lengths, maxLength - addedTokenCount(2), "google") as readonly [number, number];
  const isTruncated = kept[0] + kept[1] < (lengths[0] as number) + (lengths[1] as number);
  if (isTruncated && !truncate) {
    throw new ArgumentError({
      where,
      expected: `a pair of at most ${maxLength} tokens with [CLS] and [SEP]`,
      got: verbatim(`${(lengths[0] as number) + (lengths[1] as number) + addedTokenCount(2)}`),
      hint: "only single texts are cut into windows: shorten the pair, or let it be cut (truncate, --truncate)",
    });
  }
  const { cls, sep } = tokenizer.vocabulary.ids;
  const [idsA, idsB] = [sides[0].ids.subarray(0, kept[0]), sides[1].ids.subarray(0, kept[1])];
  const ids = Int32Array.from([cls, ...idsA, sep, ...idsB, sep]);
  const roles = new Uint8Array(ids.length).fill(Role.Text);
  for (const at of [0, kept[0] + 1, ids.length - 1]) roles[at] = Role.Special;
  const typeIds = new Int32Array(ids.length).fill(1, kept[0] + 2);
  return { rows: [{ ids, typeIds, roles, firstPiece: 0 }], pieces: sides[0], isTruncated };
}

/** Tokens that windows share when nothing else is said; a quarter of a window where that is less. */
const DEFAULT_OVERLAP = 64;

/**
 * Checks how texts are laid into rows, and fills in what is not said.
 * @param maxPositions - what the model has; also the default of maxLength.
 * @throws {ArgumentError} when maxLength is not in 3 .. maxPositions, or the overlap leaves no way forward.
 */
export function rowOptions(
  { maxLength, overlap, truncate = false }: Partial<RowOptions>,
  maxPositions: number,
): RowOptions {
  const length = maxLength ?? maxPositions;
  // [CLS], [SEP] twice for a pair, and a token.
  if (!Number.isInteger(length) || length < 4 || length > maxPositions) {
    const expected = `a whole number in 4 .. ${maxPositions}, the model's positions`;
    throw new ArgumentError({ where: "maximum length", expected, got: maxLength });
  }
  const room = length - addedTokenCount(1);
  const shared = overlap ?? Math.min(DEFAULT_OVERLAP, room >> 2);
  if (Number.isInteger(shared) && shared >= 0 && shared < room) return { maxLength: length, overlap: shared, truncate };
  const expected = `a whole number in 0 .. ${room - 1}, below the tokens of a window`;
  throw new ArgumentError({ where: "window overlap", expected, got: overlap });
}
