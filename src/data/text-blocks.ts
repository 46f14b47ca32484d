/**
 * Cuts a corpus into blocks of text at the ends of documents, as bytes: the unit that is worked on, by whomever.
 *
 * Where a block ends depends on the bytes of the corpus alone, not on the pieces they arrive in.
 */
import { lineTooLong } from "./corpus.ts";

/** What the lines of a corpus are. */
export const TEXT_FORMATS = ["text", "jsonl", "wikiextractor", "pairs"] as const;
/**
 * text: a sentence or paragraph a line, a blank line between documents; jsonl: a document a line, in a field of an object;
 * wikiextractor: documents in `<doc ...>` and `</doc>`; pairs: two sentences a line with a tab between.
 */
export type TextFormat = (typeof TEXT_FORMATS)[number];

/** Bytes of one file of a corpus, in order. */
export interface CorpusChunk {
  /** The file, named in messages. */
  readonly where: string;
  readonly bytes: Uint8Array;
  /** Whether the file ends here; the end of a file ends a document. */
  readonly isEnd: boolean;
}

/** A stretch of one file within a block. */
export interface BlockPart {
  readonly where: string;
  /** Bytes and lines of the file before it (of what is unpacked, for packed files). */
  readonly offset: number;
  readonly line: number;
  /** Its place among the block's bytes. */
  readonly begin: number;
  readonly end: number;
}

/** Whole documents of a corpus, as bytes. */
export interface TextBlock {
  /** Its place in the corpus, from 0. */
  readonly number: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly parts: readonly BlockPart[];
}

/** Text of a block: enough that work dwarfs handing it over, and that random sentences come from many documents. */
export const BLOCK_BYTES = 4 << 20;
/** A longer line is most likely no text at all. */
const DEFAULT_MAX_LINE_BYTES = 16 << 20;

/** How a corpus is cut. */
export interface CutOptions {
  readonly format: TextFormat;
  /** A longer line is an error; 16 MiB unless said. */
  readonly maxLineBytes?: number;
  /** A block ends with the first document behind so many bytes, or with the first line behind twice as many; 4 MiB unless said. */
  readonly blockBytes?: number;
}

/**
 * The blocks of a corpus, in order; none is empty.
 * @throws {CorpusError} at a line that is too long.
 */
export async function* cutBlocks(chunks: AsyncIterable<CorpusChunk>, options: CutOptions): AsyncGenerator<TextBlock> {
  const cutter = new BlockCutter(options);
  for await (const chunk of chunks) {
    cutter.push(chunk);
    for (let block = cutter.next(); block !== undefined; block = cutter.next()) yield block;
    if (chunk.isEnd) cutter.endFile();
  }
  const last = cutter.rest();
  if (last !== undefined) yield last;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DOCUMENT_END = new TextEncoder().encode("</doc>");

class BlockCutter {
  readonly #format: TextFormat;
  readonly #blockBytes: number;
  readonly #maxLineBytes: number;
  #buffer: Uint8Array;
  #length = 0;
  /** Where the unfinished line begins, and up to where there is no newline. */
  #lineStart = 0;
  #scanned = 0;
  #number = 0;
  #finished: BlockPart[] = [];
  /** The file that is being read: its place in the buffer, and what of it went before. */
  #where = "";
  #begin = 0;
  #offset = 0;
  #firstLine = 0;
  #lines = 0;

  constructor({ format, blockBytes = BLOCK_BYTES, maxLineBytes = DEFAULT_MAX_LINE_BYTES }: CutOptions) {
    this.#format = format;
    this.#blockBytes = blockBytes;
    this.#maxLineBytes = maxLineBytes;
    this.#buffer = new Uint8Array(1 << 16);
  }

  push({ where, bytes }: CorpusChunk): void {
    this.#where = where;
    if (this.#length + bytes.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + bytes.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The next block that is complete; undefined when more text is needed. */
  next(): TextBlock | undefined {
    const buffer = this.#buffer.subarray(0, this.#length);
    while (this.#scanned < this.#length) {
      const newline = buffer.indexOf(NEWLINE, this.#scanned);
      const end = newline < 0 ? this.#length : newline;
      if (end - this.#lineStart > this.#maxLineBytes) throw this.#tooLong();
      this.#scanned = newline < 0 ? end : end + 1;
      if (newline < 0) break;
      const [from, to] = [this.#lineStart, end + 1];
      this.#lineStart = to;
      this.#lines += 1;
      if (to >= this.#blockBytes && (to >= 2 * this.#blockBytes || this.#isDocumentEnd(buffer, from, end))) {
        return this.#cut(to);
      }
    }
    return undefined;
  }

  endFile(): void {
    this.#endPart(this.#length);
    [this.#offset, this.#lines, this.#firstLine] = [0, 0, 0];
    this.#begin = this.#length;
    this.#lineStart = this.#length;
    this.#scanned = this.#length;
  }

  /** The block at the end of the corpus, if there is one. */
  rest(): TextBlock | undefined {
    return this.#length === 0 ? undefined : this.#cut(this.#length);
  }

  #isDocumentEnd(buffer: Uint8Array, from: number, end: number): boolean {
    switch (this.#format) {
      case "text":
        return end === from || (end === from + 1 && buffer[from] === CARRIAGE_RETURN);
      case "wikiextractor":
        return DOCUMENT_END.every((byte, i) => buffer[from + i] === byte);
      default:
        return true;
    }
  }

  #endPart(end: number): void {
    if (end > this.#begin) {
      const place = { offset: this.#offset, line: this.#firstLine, begin: this.#begin, end };
      this.#finished.push({ where: this.#where, ...place });
    }
  }

  #cut(end: number): TextBlock {
    this.#endPart(end);
    const block = { number: this.#number++, bytes: this.#buffer.slice(0, end), parts: this.#finished };
    this.#finished = [];
    this.#offset += end - this.#begin;
    this.#firstLine = this.#lines;
    this.#begin = 0;
    this.#buffer.copyWithin(0, end, this.#length);
    this.#length -= end;
    this.#lineStart -= end;
    this.#scanned -= end;
    return block as TextBlock;
  }

  #tooLong(): Error {
    const offset = this.#offset + this.#lineStart - this.#begin;
    return lineTooLong(`${this.#where} line ${this.#lines + 1}, byte ${offset}`, this.#maxLineBytes);
  }
}
