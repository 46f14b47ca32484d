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
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

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
        const second = bytes[i] as number;
        const third = bytes[i + 1] as number;
        // Chinese: three bytes, and no lead byte that needs more checks; past the end the tests fail.
        if (
          (code & 0xf0) === 0xe0 &&
          (second & 0xc0) === 0x80 &&
          (third & 0xc0) === 0x80 &&
          code !== 0xe0 &&
          code !== 0xed
        ) {
          code = ((code & 15) << 12) | ((second & 63) << 6) | (third & 63);
          i += 2;
        } else {
          code = decodeAt(bytes, start);
          i = start + byteLength(code);
        }
      }
      const action = code < TABLE_SIZE ? (actions[code] as number) : this.#table.action(code);
      // The order of the branches is that of their frequency in Chinese text; it decides the speed.
      if (action >= 0) {
        if (pending > 0) {
          count = endWord(trie, symbols, pending, maxCharacters, unkId, ids, count);
          pending = 0;
        }
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
      } else if (action === Action.head && this.#standsAlone(bytes, start, code)) {
        if (pending > 0) count = endWord(trie, symbols, pending, maxCharacters, unkId, ids, count);
        pending = 0;
        ids[count++] = this.#table.plainAction(code);
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

  /** Whether a character that could begin an added token is there by itself, as a [ mostly is. */
  #standsAlone(bytes: Uint8Array, at: number, code: number): boolean {
    return this.#table.plainAction(code) >= 0 && !this.#table.options.addedTokens.mayBeginAt(bytes, at);
  }

  /** Encodes a whole line from its start with the piece encoder. @returns where the line ends. */
  #encodeLine(bytes: Uint8Array, lineStart: number, from: number): number {
    const found = bytes.indexOf(LINE_FEED, from);
    const lineEnd = found < 0 ? bytes.length : found;
    // What follows on the line is decoded by the platform, which does not say where it fails.
    for (let at = from; at < lineEnd; ) at += byteLength(decodeAt(bytes, at));
    this.#encoder.encode(this.#decoder.decode(bytes.subarray(lineStart, lineEnd)));
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

/** The code point of the UTF-8 sequence at a byte. */
function decodeAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return lead;
  const second = bytes[at + 1] ?? 0;
  const third = bytes[at + 2] ?? 0;
  if (lead >= 0xe0 && lead < 0xf0) {
    const code = ((lead & 15) << 12) | ((second & 63) << 6) | (third & 63);
    const isSound = (second & 0xc0) === 0x80 && (third & 0xc0) === 0x80 && code >= 0x800 && code >> 11 !== 27;
    return isSound ? code : refuse(bytes, at);
  }
  if (lead >= 0xc2 && lead < 0xe0) {
    return (second & 0xc0) === 0x80 ? ((lead & 31) << 6) | (second & 63) : refuse(bytes, at);
  }
  const fourth = bytes[at + 3] ?? 0;
  const code = ((lead & 7) << 18) | ((second & 63) << 12) | ((third & 63) << 6) | (fourth & 63);
  const areContinuations = (second & 0xc0) === 0x80 && (third & 0xc0) === 0x80 && (fourth & 0xc0) === 0x80;
  return lead >= 0xf0 && lead < 0xf8 && areContinuations && code >= 0x10000 && code <= 0x10ffff
    ? code
    : refuse(bytes, at);
}

function byteLength(code: number): number {
  if (code < 0x800) return code < 0x80 ? 1 : 2;
  return code < 0x10000 ? 3 : 4;
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
