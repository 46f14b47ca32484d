/**
 * From bytes to lines to documents: strict UTF-8, one sentence or paragraph a line, a blank line between documents.
 *
 * Memory is bounded by the longest line and document, whatever the size of the corpus.
 */
import { CorpusError, verbatim } from "../errors.ts";
import { isBlank } from "../util/python-space.ts";

/** The sentences of one document. */
export type Document = readonly string[];

/** How bytes become lines. */
export interface LineOptions {
  /** Named in errors, usually the file. */
  readonly where: string;
  /** A longer line is an error; 16 MiB by default. */
  readonly maxLineBytes?: number;
}

const DEFAULT_MAX_LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines of UTF-8 bytes, a group for each chunk, without line ends (`\n` or `\r\n`); a byte order mark is skipped.
 * @throws {CorpusError} at bytes that are not UTF-8 (with the offset of the first) and at lines that are too long.
 */
export async function* readLineGroups(
  chunks: AsyncIterable<Uint8Array>,
  options: LineOptions,
): AsyncGenerator<readonly string[]> {
  const splitter = new LineSplitter(options);
  for await (const chunk of chunks) {
    const lines = splitter.push(chunk);
    if (lines.length > 0) yield lines;
  }
  const last = splitter.finish();
  if (last.length > 0) yield last;
}

/** The lines one by one; see `readLineGroups`. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, options: LineOptions): AsyncGenerator<string> {
  for await (const lines of readLineGroups(chunks, options)) yield* lines;
}

/** Cuts chunks at newlines and decodes whole lines; only the unfinished line is kept. */
class LineSplitter {
  readonly #where: string;
  readonly #maxLineBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Offset of the unfinished line's first byte, and the number of lines before it. */
  #offset = 0;
  #lines = 0;

  constructor(options: LineOptions) {
    this.#where = options.where;
    this.#maxLineBytes = options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES;
  }

  push(chunk: Uint8Array): string[] {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const first = end === 0 ? chunk.length : chunk.indexOf(NEWLINE);
    if (this.#restBytes + first > this.#maxLineBytes) throw this.#tooLong(this.#lines, this.#offset);
    if (end === 0) {
      this.#keep(chunk);
      return [];
    }
    const complete = join([...this.#rest, chunk.subarray(0, end)], this.#restBytes + end);
    this.#rest = [];
    this.#restBytes = 0;
    const lines = this.#decode(complete);
    lines.pop(); // what follows the last newline: nothing
    this.#keep(chunk.subarray(end));
    return lines;
  }

  finish(): string[] {
    return this.#restBytes === 0 ? [] : this.#decode(join(this.#rest, this.#restBytes));
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // A copy: the source may use its buffer again, and a view would hold the whole chunk.
    this.#rest.push(bytes.slice());
    this.#restBytes += bytes.length;
    if (this.#restBytes > this.#maxLineBytes) throw this.#tooLong(this.#lines, this.#offset);
  }

  #decode(bytes: Uint8Array): string[] {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch (error) {
      throw this.#notUtf8(bytes, error);
    }
    if (this.#offset === 0 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    const lines = text.split("\n");
    this.#checkLengths(lines, bytes);
    if (text.includes("\r")) dropCarriageReturns(lines);
    this.#offset += bytes.length;
    this.#lines += lines.length - 1;
    return lines;
  }

  /** Lines within one chunk can be too long only when chunks are larger than the limit. */
  #checkLengths(lines: readonly string[], bytes: Uint8Array): void {
    if (bytes.length <= this.#maxLineBytes) return;
    let start = 0;
    for (let i = 0; i < lines.length; i++) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      if (end - start > this.#maxLineBytes) throw this.#tooLong(this.#lines + i, this.#offset + start);
      start = end + 1;
    }
  }

  #tooLong(linesBefore: number, offset: number): CorpusError {
    return lineTooLong(`${this.#where} line ${linesBefore + 1}, byte ${offset}`, this.#maxLineBytes);
  }

  #notUtf8(bytes: Uint8Array, cause: unknown): CorpusError {
    const place = { where: this.#where, offset: this.#offset, line: this.#lines };
    return undecodable(bytes, firstInvalidUtf8(bytes), place, "utf-8", cause);
  }
}

/** The error for a line that is longer than is allowed. */
export function lineTooLong(where: string, maxLineBytes: number): CorpusError {
  return new CorpusError({
    where,
    expected: `lines of at most ${maxLineBytes} bytes`,
    got: verbatim("a longer one"),
    hint: "put one sentence or paragraph on a line and a blank line between documents",
  });
}

/**
 * The error for bytes that are no text of an encoding.
 * @param at - the place of the first wrong byte. @param place - the file, and its bytes and lines before these bytes.
 */
export function undecodable(
  bytes: Uint8Array,
  at: number,
  place: { readonly where: string; readonly offset: number; readonly line: number },
  encoding: string,
  cause: unknown,
): CorpusError {
  let line = place.line + 1;
  for (let i = bytes.indexOf(NEWLINE); i >= 0 && i < at; i = bytes.indexOf(NEWLINE, i + 1)) line++;
  const byte = (bytes[at] ?? 0).toString(16).padStart(2, "0");
  const isUtf16 = place.offset + at === 0 && (bytes[0] === 0xff || bytes[0] === 0xfe);
  const other =
    encoding === "utf-8"
      ? "convert the file, or name its encoding: --encoding gb18030"
      : "name the file's encoding: --encoding utf-8";
  return new CorpusError({
    where: `${place.where} line ${line}, byte ${place.offset + at}`,
    expected: `text in ${encoding.toUpperCase()}`,
    got: verbatim(at < bytes.length ? `byte 0x${byte}` : "the end within a character"),
    hint: isUtf16 ? "convert the file, for example with: iconv -f UTF-16 -t UTF-8" : other,
    cause,
  });
}

function dropCarriageReturns(lines: string[]): void {
  lines.forEach((line, i) => {
    if (line.endsWith("\r")) lines[i] = line.slice(0, -1);
  });
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * The offset of the first byte that is not part of well-formed UTF-8; the length when all are.
 * Source: the Unicode Standard, table 3-7 (no overlong forms, surrogates, or values above U+10FFFF).
 */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const size = sequenceSize(bytes, i);
    if (size === 0) return i;
    i += size;
  }
  return i;
}

/** Bytes of the character at `i`, or 0 when it is ill-formed or cut off. */
function sequenceSize(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] as number;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[i + 1] ?? 0;
  if (second < low || second > high) return 0;
  for (let k = 2; k < size; k++) if (((bytes[i + k] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}

/** Whether bytes end within the UTF-8 character that begins at `at`. */
export function endsWithinCharacter(bytes: Uint8Array, at: number): boolean {
  // A character has up to four bytes: what is cut has one to three of them, and further ones complete it.
  const rest = bytes.subarray(at);
  if (rest.length === 0 || rest.length > 3) return false;
  return CONTINUATIONS.some((last) => {
    const filled = Uint8Array.of(...rest, last, 0x80, 0x80);
    return sequenceSize(filled, 0) > rest.length;
  });
}

/** A second byte that each first byte allows is among them. */
const CONTINUATIONS = [0x80, 0x90, 0xa0];

/** How lines become documents. */
export interface DocumentOptions {
  /** Named in errors. */
  readonly where: string;
  /** A longer document is cut before the line that exceeds this number of UTF-16 units; never by default. */
  readonly maxDocumentLength?: number;
  /** Cuts a line into sentences; a line is one sentence by default. */
  readonly splitLine?: (line: string) => readonly string[];
}

/**
 * The documents of groups of lines; one or more blank lines (white space as Google's reader sees it) part them. Documents of several files are parted only by
 * blank lines, as in Google's program.
 * @throws {CorpusError} at the end, when there was no text at all.
 */
export async function* readDocuments(
  groups: AsyncIterable<readonly string[]>,
  options: DocumentOptions,
): AsyncGenerator<Document> {
  const maxLength = options.maxDocumentLength ?? Number.POSITIVE_INFINITY;
  let isEmpty = true;
  let sentences: string[] = [];
  let length = 0;
  for await (const lines of groups) {
    for (const line of lines) {
      const isParting = isBlank(line);
      if (sentences.length > 0 && (isParting || length + line.length > maxLength)) {
        yield sentences;
        sentences = [];
        length = 0;
      }
      if (isParting) continue;
      isEmpty = false;
      length += line.length;
      if (options.splitLine === undefined) sentences.push(line);
      else for (const sentence of options.splitLine(line)) sentences.push(sentence);
    }
  }
  if (sentences.length > 0) yield sentences;
  if (!isEmpty) return;
  throw new CorpusError({
    where: options.where,
    expected: "text",
    got: verbatim("no line that is not blank"),
    hint: "a corpus has one sentence or paragraph a line and a blank line between documents",
  });
}
