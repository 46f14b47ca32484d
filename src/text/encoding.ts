/** What a tokeniser gives a model: ids with their masks and offsets; and how pieces become one. */
import type { Vocabulary } from "./vocabulary.ts";

/** One text or pair of texts as a model takes it. */
export interface Encoding {
  /** int32 [seq]. */
  readonly ids: Int32Array;
  readonly tokens: readonly string[];
  /** int32 [seq, 2], flat; start and end of each token in UTF-16 units of its own text; 0, 0 for added tokens. */
  readonly offsets: Int32Array;
  /** int32 [seq]; 0 for the first text, 1 for the second. */
  readonly typeIds: Int32Array;
  /** int32 [seq]; 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** int32 [seq]; 1 for added [CLS], [SEP] and padding. */
  readonly specialTokensMask: Int32Array;
  /** int32 [seq]; which word of its text a token belongs to; -1 for added tokens. */
  readonly wordIds: Int32Array;
  /** int32 [seq]; 0 or 1, the text that a token is from; -1 for added tokens. */
  readonly sequenceIds: Int32Array;
  /** The further windows over a text that was cut; only where a stride was asked for. */
  readonly overflowing: readonly Encoding[];
}

/** The pieces of one text: int32 [pieces] each. */
export interface Pieces {
  readonly ids: Int32Array;
  /** UTF-16 offsets in the text. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** The index of the word that a piece belongs to: a Chinese character, a punctuation mark, a run of letters. */
  readonly words: Int32Array;
}

/** A part of one text's pieces. */
export interface PieceSpan {
  readonly pieces: Pieces;
  readonly from: number;
  readonly to: number;
}

/** How one encoding is put together. */
export interface AssembleOptions {
  readonly addSpecialTokens: boolean;
  /** Pad up to this many tokens; 0 for none. */
  readonly padTo: number;
  readonly paddingSide: "left" | "right";
}

/** `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`, padded. */
export function assembleEncoding(
  vocabulary: Vocabulary,
  spans: readonly PieceSpan[],
  options: AssembleOptions,
  overflowing: readonly Encoding[],
): Encoding {
  const added = options.addSpecialTokens ? addedTokenCount(spans.length) : 0;
  const length = spans.reduce((sum, span) => sum + span.to - span.from, added);
  const writer = new EncodingWriter(Math.max(length, options.padTo));
  const padding = Math.max(0, options.padTo - length);
  if (options.paddingSide === "left") writer.pad(vocabulary.ids.pad, padding);
  spans.forEach((span, sequence) => {
    if (options.addSpecialTokens && sequence === 0) writer.special(vocabulary.ids.cls, 0);
    writer.span(span, sequence);
    if (options.addSpecialTokens) writer.special(vocabulary.ids.sep, sequence);
  });
  if (options.paddingSide === "right") writer.pad(vocabulary.ids.pad, padding);
  return writer.finish(vocabulary, overflowing);
}

/** How many special tokens are added to one text, or to a pair. */
export function addedTokenCount(texts: number): number {
  return texts + 1;
}

class EncodingWriter {
  readonly #ids: Int32Array;
  readonly #offsets: Int32Array;
  readonly #typeIds: Int32Array;
  readonly #attentionMask: Int32Array;
  readonly #specialTokensMask: Int32Array;
  readonly #wordIds: Int32Array;
  readonly #sequenceIds: Int32Array;
  #at = 0;

  constructor(length: number) {
    this.#ids = new Int32Array(length);
    this.#offsets = new Int32Array(2 * length);
    this.#typeIds = new Int32Array(length);
    this.#attentionMask = new Int32Array(length);
    this.#specialTokensMask = new Int32Array(length).fill(1);
    this.#wordIds = new Int32Array(length).fill(-1);
    this.#sequenceIds = new Int32Array(length).fill(-1);
  }

  special(id: number, typeId: number): void {
    this.#ids[this.#at] = id;
    this.#typeIds[this.#at] = typeId;
    this.#attentionMask[this.#at++] = 1;
  }

  pad(id: number, count: number): void {
    this.#ids.fill(id, this.#at, this.#at + count);
    this.#at += count;
  }

  span({ pieces, from, to }: PieceSpan, sequence: number): void {
    const at = this.#at;
    const end = at + to - from;
    this.#ids.set(pieces.ids.subarray(from, to), at);
    this.#wordIds.set(pieces.words.subarray(from, to), at);
    this.#typeIds.fill(sequence, at, end);
    this.#sequenceIds.fill(sequence, at, end);
    this.#attentionMask.fill(1, at, end);
    this.#specialTokensMask.fill(0, at, end);
    for (let i = from; i < to; i++) {
      this.#offsets[2 * (at + i - from)] = pieces.starts[i] as number;
      this.#offsets[2 * (at + i - from) + 1] = pieces.ends[i] as number;
    }
    this.#at = end;
  }

  finish(vocabulary: Vocabulary, overflowing: readonly Encoding[]): Encoding {
    return {
      ids: this.#ids,
      tokens: vocabulary.tokensOf(this.#ids),
      offsets: this.#offsets,
      typeIds: this.#typeIds,
      attentionMask: this.#attentionMask,
      specialTokensMask: this.#specialTokensMask,
      wordIds: this.#wordIds,
      sequenceIds: this.#sequenceIds,
      overflowing,
    };
  }
}
