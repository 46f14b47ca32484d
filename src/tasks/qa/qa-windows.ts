/**
 * A question and its passage as rows: `[CLS] question [SEP] passage [SEP]`, the passage in overlapping windows where it is
 * longer than a row. Places are UTF-16 offsets of pieces; no text is searched.
 */
import { DataError, verbatim } from "../../errors.ts";
import type { Pieces } from "../../text/encoding.ts";
import type { BertTokenizer } from "../../text/tokenizer.ts";
import { windowsOver } from "../../text/truncation.ts";
import type { Span } from "../examples.ts";
import type { TokenSequence } from "../task.ts";

/** How a passage is cut into windows. */
export interface WindowOptions {
  /** Tokens of a row, with [CLS] and both [SEP]. */
  readonly maxSeqLength: number;
  /** Tokens that are kept of a question. */
  readonly maxQueryLength: number;
  /**
   * Passage tokens from the start of a window to the start of the next one: `doc_stride` of Google's run_squad.py and of the
   * Chinese baseline. At most a window; Transformers calls the overlap by this name.
   */
  readonly docStride: number;
  /** Passage tokens that windows share, `stride` in Transformers; instead of docStride where it is given. */
  readonly windowOverlap?: number;
}

/** A window over the passage, and the row that it makes. */
export interface PassageWindow {
  readonly sequence: TokenSequence;
  /** Pieces of the passage: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** The position of the window's first passage token in the row. */
  readonly offset: number;
}

/** A passage in windows. */
export interface PassageWindows {
  readonly windows: readonly PassageWindow[];
  /** Of the whole passage. */
  readonly pieces: Pieces;
  /** Whether tokens of the question were cut off. */
  readonly isQuestionCut: boolean;
}

/**
 * The rows of a question about a passage.
 * @param where - names the question in messages.
 * @throws {DataError} when the question leaves no room for the passage. @throws {ArgumentError} when the overlap is a window.
 * Source: run_squad.py (convert_examples_to_features) of google-research/bert.
 */
export function passageWindows(
  tokenizer: BertTokenizer,
  question: string,
  passage: string,
  { maxSeqLength, maxQueryLength, docStride, windowOverlap }: WindowOptions,
  where: string,
): PassageWindows {
  const query = tokenizer.encodePieces(question).ids;
  const kept = query.subarray(0, maxQueryLength);
  const room = maxSeqLength - kept.length - QUESTION_SPECIAL_TOKENS;
  if (room < 1) {
    throw new DataError({
      where,
      expected: `a question that leaves room for the passage in ${maxSeqLength} tokens`,
      got: verbatim(`${kept.length} tokens of question and ${QUESTION_SPECIAL_TOKENS} special ones`),
      hint: "lower the question's tokens (maxQueryLength) or raise maxSeqLength",
    });
  }
  const pieces = tokenizer.encodePieces(passage);
  const overlap = windowOverlap ?? room - Math.min(docStride, room);
  const windows = windowsOver(pieces.ids.length, room, overlap, "right").map(([from, to]): PassageWindow => {
    const sequence = rowOf(tokenizer, kept, pieces.ids.subarray(from, to));
    return { sequence, from, to, offset: kept.length + 2 };
  });
  return { windows, pieces, isQuestionCut: kept.length < query.length };
}

/** [CLS], and [SEP] after the question and after the passage. */
export const QUESTION_SPECIAL_TOKENS = 3;

function rowOf({ vocabulary }: BertTokenizer, query: Int32Array, passage: Int32Array): TokenSequence {
  const { cls, sep } = vocabulary.ids;
  const ids = new Int32Array(query.length + passage.length + QUESTION_SPECIAL_TOKENS);
  ids[0] = cls;
  ids.set(query, 1);
  ids[query.length + 1] = sep;
  ids.set(passage, query.length + 2);
  ids[ids.length - 1] = sep;
  return { ids, typeIds: new Int32Array(ids.length).fill(1, query.length + 2) };
}

/**
 * The pieces that an answer lies in: the first, and the last one; undefined where no piece has any of it (white space alone).
 */
export function piecesOfSpan({ starts, ends }: Pieces, [start, end]: Span): readonly [number, number] | undefined {
  const first = firstAbove(ends, start);
  const last = firstAbove(starts, end - 1) - 1;
  return first <= last ? [first, last] : undefined;
}

/** The place of the first number above a limit in an ascending list; its length where there is none. */
function firstAbove(ascending: Int32Array, limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The positions of an answer in a window's row; [0, 0], [CLS], where the window does not hold the whole answer. */
export function positionsIn(
  { from, to, offset }: PassageWindow,
  pieces: readonly [number, number] | undefined,
): readonly [number, number] {
  if (pieces === undefined || pieces[0] < from || pieces[1] >= to) return [0, 0];
  return [pieces[0] - from + offset, pieces[1] - from + offset];
}

/**
 * Which window sees a piece in the widest context: the smaller of what is left and right of it counts, then the window's size.
 * @returns int32 [pieces]; the place of the window.
 * Source: run_squad.py (_check_is_max_context) of google-research/bert.
 */
export function widestContext(windows: readonly PassageWindow[], pieces: number): Int32Array {
  const best = new Int32Array(pieces);
  const scores = new Float64Array(pieces).fill(-1);
  windows.forEach(({ from, to }, window) => {
    for (let piece = from; piece < to; piece++) {
      const score = Math.min(piece - from, to - 1 - piece) + 0.01 * (to - from);
      if (score <= (scores[piece] as number)) continue;
      scores[piece] = score;
      best[piece] = window;
    }
  });
  return best;
}
