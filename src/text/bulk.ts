/**
 * UTF-8 bytes to ids, for corpora: the loop of the piece encoder without offsets and without strings. Lines with one of
 * the rare characters whose treatment depends on their place go through the piece encoder instead.
 */
import { CorpusError, verbatim } from "../errors.ts";
import { Action, TABLE_SIZE } from "./fold-plan.ts";
import type { PieceEncoder } from "./piece-encoder.ts";
import { FIRST_SYMBOL, type PieceTable } from "./piece-table.ts";
import { CONTINUATION_STATE, type PieceTrie, START_STATE } from "./piece-trie.ts";

/** The ids of a text, and where its lines end. */
export interface BulkEncoding {
  /** int32 [pieces]; the pieces of all lines, without special tokens at their ends. */
  readonly ids: Int32Array;
  /** int32 [lines]; the number of pieces up to the end of each line. */
  readonly lineEnds: Int32Array;
}

const LINE_FEED = 10;

/** Encodes byte arrays; one thread, not re-entrant. */
export class BulkEncoder {
  readonly #table: PieceTable;
  readonly #encoder: PieceEncoder;
  readonly #maxCharacters: number;
  readonly #symbols: Int32Array;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

  constructor(table: PieceTable, encoder: PieceEncoder, maxCharactersPerWord: number) {
    this.#table = table;
    this.#encoder = encoder;
    this.#maxCharacters = maxCharactersPerWord;
    this.#symbols = new Int32Array(maxCharactersPerWord);
  }

  /**
   * The ids of UTF-8 text.
   * @throws {CorpusError} when the bytes are not UTF-8; it names the offset.
   */
  encode(bytes: Uint8Array): BulkEncoding {
    const { trie, unkId, actions } = this.#table;
    const { addedTokens } = this.#table.options;
    const symbols = this.#symbols;
    const maxCharacters = this.#maxCharacters;
    const end = bytes.length;
    const lineEnds = new GrowingInts(1024);
    let ids = new Int32Array(Math.max(256, end >> 1));
    let count = 0;
    let pending = 0;
    let lineStart = 0;
    let lineFirst = 0;
    for (let i = 0; i < end; ) {
      // Room for the word before this character, the character and what it folds to.
      if (count + maxCharacters + 8 > ids.length) ids = grow(ids, count + maxCharacters + 8);
      const start = i;
      let code = bytes[i++] as number;
      if (code >= 0x80) {
        if (code >= 0xe0 && code < 0xf0 && i + 1 < end) {
          const second = bytes[i] as number;
          const third = bytes[i + 1] as number;
          code = ((code & 15) << 12) | ((second & 63) << 6) | (third & 63);
          if ((second & 0xc0) !== 0x80 || (third & 0xc0) !== 0x80 || code < 0x800 || code >> 11 === 27)
            refuse(bytes, start);
          i += 2;
        } else {
          code = decodeRare(bytes, start);
          i = start + (code < 0x800 ? 2 : 4);
        }
      }
      let action = code < TABLE_SIZE ? (actions[code] as number) : this.#table.action(code);
      if (action === Action.head && !addedTokens.mayBeginAt(bytes, start)) action = this.#table.plainAction(code);
      if (action >= 0) {
        if (pending > 0) count = endWord(trie, symbols, pending, maxCharacters, unkId, ids, count);
        pending = 0;
        ids[count++] = action;
      } else if (action <= FIRST_SYMBOL) {
        if (pending < maxCharacters) symbols[pending] = FIRST_SYMBOL - action;
        pending++;
      } else if (action === Action.space) {
        if (pending > 0) count = endWord(trie, symbols, pending, maxCharacters, unkId, ids, count);
        pending = 0;
        if (code === LINE_FEED) {
          lineEnds.push(count);
          lineStart = i;
          lineFirst = count;
        }
      } else if (action !== Action.dropped) {
        i = this.#encodeLine(bytes, lineStart, start);
        count = lineFirst + this.#encoder.count;
        if (count > ids.length) ids = grow(ids, count);
        ids.set(this.#encoder.ids.subarray(0, this.#encoder.count), lineFirst);
        pending = 0;
      }
    }
    if (pending > 0) count = endWord(trie, symbols, pending, maxCharacters, unkId, ids, count);
    if (lineStart < end) lineEnds.push(count);
    return { ids: ids.slice(0, count), lineEnds: lineEnds.finish() };
  }

  /** Encodes a whole line from its start with the piece encoder. @returns where the line ends. */
  #encodeLine(bytes: Uint8Array, lineStart: number, from: number): number {
    const found = bytes.indexOf(LINE_FEED, from);
    const lineEnd = found < 0 ? bytes.length : found;
    try {
      this.#encoder.encode(this.#decoder.decode(bytes.subarray(lineStart, lineEnd)));
    } catch (cause) {
      throw new CorpusError({ where: `bytes ${lineStart} to ${lineEnd}`, expected: "UTF-8 text", got: cause, cause });
    }
    return lineEnd;
  }
}

/** WordPiece over the symbols of one word. @returns the new count of ids. */
function endWord(
  trie: PieceTrie,
  symbols: Int32Array,
  length: number,
  maxCharacters: number,
  unkId: number,
  ids: Int32Array,
  first: number,
): number {
  const { base, check, value } = trie;
  let count = first;
  let position = 0;
  let root = START_STATE;
  if (length <= maxCharacters) {
    while (position < length) {
      let state = root;
      let id = -1;
      let next = position;
      for (let j = position; j < length; j++) {
        const to = (base[state] as number) + (symbols[j] as number);
        if (check[to] !== state) break;
        state = to;
        const found = value[to] as number;
        if (found >= 0) {
          id = found;
          next = j + 1;
        }
      }
      if (id < 0) break;
      ids[count++] = id;
      position = next;
      root = CONTINUATION_STATE;
    }
    if (position === length) return count;
  }
  ids[first] = unkId;
  return first + 1;
}

/** The code point of a sequence of two or four bytes. */
function decodeRare(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  const rest = (k: number): number => {
    const byte = bytes[at + k] ?? 0;
    if ((byte & 0xc0) !== 0x80) refuse(bytes, at);
    return byte & 63;
  };
  if (lead >= 0xc2 && lead < 0xe0) return ((lead & 31) << 6) | rest(1);
  if (lead < 0xf0 || lead > 0xf4) refuse(bytes, at);
  const code = ((lead & 7) << 18) | (rest(1) << 12) | (rest(2) << 6) | rest(3);
  if (code < 0x10000 || code > 0x10ffff) refuse(bytes, at);
  return code;
}

function refuse(bytes: Uint8Array, at: number): never {
  const shown = Array.from(bytes.subarray(at, at + 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new CorpusError({
    where: `byte ${at}`,
    expected: "UTF-8 text",
    got: verbatim(`the bytes ${shown}`),
    hint: "convert the text first, for example with `iconv -f GB18030 -t UTF-8`",
  });
}

function grow(array: Int32Array, atLeast: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(Math.max(atLeast, array.length * 2));
  next.set(array);
  return next;
}

/** An int32 list that grows. */
class GrowingInts {
  #array: Int32Array;
  #length = 0;

  constructor(capacity: number) {
    this.#array = new Int32Array(capacity);
  }

  push(value: number): void {
    if (this.#length === this.#array.length) this.#array = grow(this.#array, 0);
    this.#array[this.#length++] = value;
  }

  finish(): Int32Array {
    return this.#array.slice(0, this.#length);
  }
}
