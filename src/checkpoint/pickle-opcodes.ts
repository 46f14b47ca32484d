/**
 * The opcodes of Python's pickle and their arguments, taken from a file one after the other; long texts and byte strings
 * are not read but remembered by their place. Source: Lib/pickletools.py of CPython (protocols 0 to 5).
 */
import { type ByteSource, damaged } from "./source.ts";

/** A byte string of a pickle, still in the file. */
export class PickleBytes {
  constructor(
    readonly source: ByteSource,
    readonly begin: number,
    readonly end: number,
  ) {}
}

/** A text too long to be a name, still in the file as UTF-8: array bytes that protocol 2 has as text. */
export class PickleText {
  constructor(
    readonly source: ByteSource,
    readonly begin: number,
    readonly end: number,
  ) {}
}

/** How an opcode's argument lies after it. */
type Argument =
  | "none"
  | "uint8"
  | "uint16"
  | "int32"
  | "uint32"
  | "uint64"
  | "float64"
  | "decimal"
  | "line"
  | "two lines"
  | "long1"
  | "long4"
  | "bytes1"
  | "bytes4"
  | "bytes8"
  | "str1"
  | "str4"
  | "text1"
  | "text4"
  | "text8";

/** One opcode as it stands in a file. */
export interface PickleOpcode {
  readonly name: string;
  /** Of the opcode, in bytes from the start of the file. */
  readonly offset: number;
  readonly argument: unknown;
}

/** Texts up to here become strings: names are shorter by far. */
const MAX_STRING_BYTES = 4096;
/** All texts of a pickle together; names take some ten thousand bytes, biases as texts some million. */
const MAX_STRINGS_BYTES = 64 * 1024 * 1024;
/** torch's magic number has 10 bytes, sizes have 8. */
const MAX_INTEGER_BYTES = 32;
/** A number or a name of protocol 0. */
const MAX_LINE_BYTES = MAX_STRING_BYTES;
/** How much of the file is looked at at a time: more than any argument that is read. */
const WINDOW_BYTES = 64 * 1024;

const table: readonly (readonly [code: number | string, name: string, argument: Argument])[] = [
  ["(", "MARK", "none"],
  [".", "STOP", "none"],
  ["0", "POP", "none"],
  ["1", "POP_MARK", "none"],
  ["2", "DUP", "none"],
  ["F", "FLOAT", "line"],
  ["I", "INT", "decimal"],
  ["J", "BININT", "int32"],
  ["K", "BININT1", "uint8"],
  ["L", "LONG", "decimal"],
  ["M", "BININT2", "uint16"],
  ["N", "NONE", "none"],
  ["P", "PERSID", "line"],
  ["Q", "BINPERSID", "none"],
  ["R", "REDUCE", "none"],
  ["S", "STRING", "line"],
  ["T", "BINSTRING", "str4"],
  ["U", "SHORT_BINSTRING", "str1"],
  ["V", "UNICODE", "line"],
  ["X", "BINUNICODE", "text4"],
  ["a", "APPEND", "none"],
  ["b", "BUILD", "none"],
  ["c", "GLOBAL", "two lines"],
  ["d", "DICT", "none"],
  ["}", "EMPTY_DICT", "none"],
  ["e", "APPENDS", "none"],
  ["g", "GET", "decimal"],
  ["h", "BINGET", "uint8"],
  ["i", "INST", "two lines"],
  ["j", "LONG_BINGET", "uint32"],
  ["l", "LIST", "none"],
  ["]", "EMPTY_LIST", "none"],
  ["o", "OBJ", "none"],
  ["p", "PUT", "decimal"],
  ["q", "BINPUT", "uint8"],
  ["r", "LONG_BINPUT", "uint32"],
  ["s", "SETITEM", "none"],
  ["t", "TUPLE", "none"],
  [")", "EMPTY_TUPLE", "none"],
  ["u", "SETITEMS", "none"],
  ["G", "BINFLOAT", "float64"],
  ["B", "BINBYTES", "bytes4"],
  ["C", "SHORT_BINBYTES", "bytes1"],
  [0x80, "PROTO", "uint8"],
  [0x81, "NEWOBJ", "none"],
  [0x82, "EXT1", "uint8"],
  [0x83, "EXT2", "uint16"],
  [0x84, "EXT4", "int32"],
  [0x85, "TUPLE1", "none"],
  [0x86, "TUPLE2", "none"],
  [0x87, "TUPLE3", "none"],
  [0x88, "NEWTRUE", "none"],
  [0x89, "NEWFALSE", "none"],
  [0x8a, "LONG1", "long1"],
  [0x8b, "LONG4", "long4"],
  [0x8c, "SHORT_BINUNICODE", "text1"],
  [0x8d, "BINUNICODE8", "text8"],
  [0x8e, "BINBYTES8", "bytes8"],
  [0x8f, "EMPTY_SET", "none"],
  [0x90, "ADDITEMS", "none"],
  [0x91, "FROZENSET", "none"],
  [0x92, "NEWOBJ_EX", "none"],
  [0x93, "STACK_GLOBAL", "none"],
  [0x94, "MEMOIZE", "none"],
  [0x95, "FRAME", "uint64"],
  [0x96, "BYTEARRAY8", "bytes8"],
  [0x97, "NEXT_BUFFER", "none"],
  [0x98, "READONLY_BUFFER", "none"],
];
const opcodes = new Map(
  table.map(([code, name, argument]) => [typeof code === "string" ? code.charCodeAt(0) : code, { name, argument }]),
);

/** Takes opcodes from a file one after the other. */
export class PickleReader {
  #at: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowBegin = 0;
  #stringsBytes = 0;

  constructor(
    readonly source: ByteSource,
    begin: number,
  ) {
    this.#at = begin;
  }

  /** Of the next opcode. */
  get offset(): number {
    return this.#at;
  }

  /** @throws {CheckpointError} when there is no such opcode, or its argument leaves the file. */
  next(): PickleOpcode {
    const offset = this.#at;
    const code = this.#take(1, offset)[0] as number;
    const opcode = opcodes.get(code);
    if (opcode === undefined) throw this.#damaged(offset, "an opcode of pickle", `0x${code.toString(16)}`);
    return { name: opcode.name, offset, argument: this.#argument(opcode.argument, offset) };
  }

  #argument(kind: Argument, offset: number): unknown {
    switch (kind) {
      case "none":
        return undefined;
      case "uint8":
      case "uint16":
      case "int32":
      case "uint32":
      case "uint64":
        return this.#number(kind, offset);
      case "float64":
        return this.#view(8, offset).getFloat64(0, false);
      case "decimal":
        return this.#decimal(offset);
      case "line":
        return this.#line(offset);
      case "two lines":
        return [this.#line(offset), this.#line(offset)];
      case "long1":
        return this.#long(this.#number("uint8", offset), offset);
      case "long4":
        return this.#long(this.#number("uint32", offset), offset);
      case "bytes1":
      case "bytes4":
      case "bytes8":
        return this.#range(PickleBytes, this.#length(kind, offset), offset);
      case "str1":
      case "str4": {
        const bytes = this.#range(PickleBytes, this.#length(kind, offset), offset);
        return bytes.end - bytes.begin > MAX_STRING_BYTES ? bytes : latin1(this.#string(bytes));
      }
      case "text1":
      case "text4":
      case "text8":
        return this.#text(this.#length(kind, offset), offset);
    }
  }

  #number(kind: "uint8" | "uint16" | "int32" | "uint32" | "uint64", offset: number): number {
    switch (kind) {
      case "uint8":
        return this.#view(1, offset).getUint8(0);
      case "uint16":
        return this.#view(2, offset).getUint16(0, true);
      case "int32":
        return this.#view(4, offset).getInt32(0, true);
      case "uint32":
        return this.#view(4, offset).getUint32(0, true);
      case "uint64":
        return Number(this.#view(8, offset).getBigUint64(0, true));
    }
  }

  #length(
    kind: "bytes1" | "bytes4" | "bytes8" | "str1" | "str4" | "text1" | "text4" | "text8",
    offset: number,
  ): number {
    const width = kind.at(-1);
    return this.#number(width === "1" ? "uint8" : width === "4" ? "uint32" : "uint64", offset);
  }

  /** A range of the file that is stepped over. */
  #range<T>(type: new (source: ByteSource, begin: number, end: number) => T, length: number, offset: number): T {
    const begin = this.#at;
    this.#expect(length, offset);
    this.#at += length;
    return new type(this.source, begin, begin + length);
  }

  #text(length: number, offset: number): string | PickleText {
    const range = this.#range(PickleText, length, offset);
    if (length > MAX_STRING_BYTES) return range;
    const bytes = this.#string(range);
    try {
      // Python writes lone surrogates as three bytes that are no UTF-8; none is in the name of a weight.
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw this.#damaged(range.begin, "a text in UTF-8", (cause as Error).message);
    }
  }

  /** Two's complement, the lowest byte first. */
  #long(length: number, offset: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) {
      throw this.#damaged(offset, `an integer of at most ${MAX_INTEGER_BYTES} bytes`, `${length}`);
    }
    const bytes = this.#take(length, offset);
    const magnitude = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    return small(BigInt.asIntN(8 * length, magnitude));
  }

  /** An integer in decimal digits (`00` and `01` are booleans); Python 2 put an L after long ones. */
  #decimal(offset: number): number | bigint | boolean {
    const line = this.#line(offset);
    if (line === "00" || line === "01") return line === "01";
    const digits = line.endsWith("L") ? line.slice(0, -1) : line;
    if (!/^-?\d{1,77}$/.test(digits)) throw this.#damaged(offset, "an integer in digits", line.slice(0, 80));
    return small(BigInt(digits));
  }

  #line(offset: number): string {
    const length = Math.min(MAX_LINE_BYTES, this.source.size - this.#at);
    const bytes = this.#peek(length);
    const end = bytes.indexOf(0x0a);
    if (end < 0) throw this.#damaged(offset, `a line of at most ${MAX_LINE_BYTES} bytes`, "no end of it");
    const line = new TextDecoder("utf-8").decode(this.#string({ begin: this.#at, end: this.#at + end }));
    this.#at += end + 1;
    return line;
  }

  #view(length: number, offset: number): DataView {
    const bytes = this.#take(length, offset);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #take(length: number, offset: number): Uint8Array {
    this.#expect(length, offset);
    const bytes = this.#peek(length);
    this.#at += length;
    return bytes;
  }

  /** The bytes of a text that becomes a string. */
  #string({ begin, end }: { begin: number; end: number }): Uint8Array {
    this.#stringsBytes += end - begin;
    if (this.#stringsBytes > MAX_STRINGS_BYTES) {
      throw this.#damaged(begin, `at most ${MAX_STRINGS_BYTES} bytes of texts`, "more");
    }
    const at = begin - this.#windowBegin;
    if (at >= 0 && at + end - begin <= this.#window.length) return this.#window.subarray(at, at + end - begin);
    return this.source.slice(begin, end);
  }

  /** The next bytes, which must be in the file and fewer than the window. */
  #peek(length: number): Uint8Array {
    if (this.#at < this.#windowBegin || this.#at + length > this.#windowBegin + this.#window.length) {
      this.#windowBegin = this.#at;
      this.#window = this.source.slice(this.#at, Math.min(this.source.size, this.#at + WINDOW_BYTES));
    }
    const at = this.#at - this.#windowBegin;
    return this.#window.subarray(at, at + length);
  }

  #expect(length: number, offset: number): void {
    if (this.#at + length <= this.source.size) return;
    throw this.#damaged(offset, `${length} bytes at byte ${this.#at}`, `${this.source.size - this.#at} up to the end`);
  }

  #damaged(offset: number, expected: string, got: string) {
    return damaged(this.source.name, offset, expected, got);
  }
}

/** Integers as numbers where these are exact. */
function small(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Bytes as the characters of the same numbers. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
