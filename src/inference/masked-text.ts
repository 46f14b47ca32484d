/** Texts with [MASK]: where the masks stand, which of them are one word, and how a filled text reads. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { CONTINUATION_PREFIX } from "../text/vocabulary.ts";

/** A mask, or a run of masks that touch: one word slot. */
export interface MaskSlot {
  /** The token position of its first mask. */
  readonly position: number;
  /** Masks in it. */
  readonly length: number;
  /** UTF-16 offsets of its first mask's start and its last mask's end. */
  readonly start: number;
  readonly end: number;
}

/** A text as it enters the model, and where its masks are. */
export interface MaskedText {
  readonly text: string;
  /** int32 [seq]; with [CLS] and [SEP]. */
  readonly ids: Int32Array;
  /** A slot for each mask, in order. */
  readonly masks: readonly MaskSlot[];
}

/**
 * Encodes a text that holds at least one [MASK].
 * @throws {ArgumentError} when there is no [MASK], or the text is longer than the model's positions.
 */
export function encodeMasked(tokenizer: BertTokenizer, text: string, maxPositions: number): MaskedText {
  const { ids, offsets } = tokenizer.encode(text);
  const { mask } = tokenizer.vocabulary.ids;
  const positions = Array.from(ids.keys()).filter((i) => ids[i] === mask);
  if (positions.length === 0) {
    throw new ArgumentError({
      where: "fill-mask",
      expected: "a text with at least one [MASK]",
      got: text,
      hint: "write [MASK] once for each character to fill in: 今天天[MASK]很好。",
    });
  }
  expectRoom(ids.length, maxPositions);
  const masks = positions.map((position) => ({
    position,
    length: 1,
    start: offsets[2 * position] as number,
    end: offsets[2 * position + 1] as number,
  }));
  return { text, ids, masks };
}

/** @throws {ArgumentError} when a row is longer than the model's positions. */
export function expectRoom(length: number, maxPositions: number): void {
  if (length <= maxPositions) return;
  throw new ArgumentError({
    where: "fill-mask",
    expected: `at most ${maxPositions} tokens with [CLS] and [SEP], as the model has positions`,
    got: verbatim(`${length}`),
    hint: "shorten the text around the [MASK]",
  });
}

/** Masks that touch as one slot: a word of so many tokens. */
export function wordSlots({ masks }: MaskedText): MaskSlot[] {
  const slots: MaskSlot[] = [];
  for (const mask of masks) {
    const last = slots.at(-1);
    if (last !== undefined && last.end === mask.start && last.position + last.length === mask.position) {
      slots[slots.length - 1] = { ...last, length: last.length + 1, end: mask.end };
    } else slots.push(mask);
  }
  return slots;
}

/** The text with slots filled, given with what fills them, in order; a continuation joins what stands before it. */
export function fillText(text: string, fillings: readonly (readonly [MaskSlot, string])[]): string {
  let filled = "";
  let at = 0;
  for (const [{ start, end }, token] of fillings) {
    filled += text.slice(at, start);
    const isContinuation = token.startsWith(CONTINUATION_PREFIX);
    filled = isContinuation ? filled.trimEnd() + token.slice(CONTINUATION_PREFIX.length) : filled + token;
    at = end;
  }
  return filled + text.slice(at);
}

/** Slots with what fills each. */
export function pairSlots(slots: readonly MaskSlot[], tokens: readonly string[]): [MaskSlot, string][] {
  return slots.map((slot, i) => [slot, tokens[i] as string]);
}
