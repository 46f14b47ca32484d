/** The documents of a block of text: its bytes decoded, its lines read as the corpus's format has them. */
import { CorpusError, verbatim } from "../errors.ts";
import { isBlank } from "../util/python-space.ts";
import { type Document, firstInvalidUtf8, undecodable } from "./corpus.ts";
import type { BlockPart, TextBlock, TextFormat } from "./text-blocks.ts";

/** Encodings of a corpus: those of Chinese text in which no character has a byte that looks like a line's end. */
export const TEXT_ENCODINGS = ["utf-8", "gb18030", "big5"] as const;
/** The encoding of a corpus; gb18030 contains GBK and GB2312. */
export type TextEncoding = (typeof TEXT_ENCODINGS)[number];

/** How the bytes of a corpus are read. */
export interface TextReading {
  readonly format: TextFormat;
  readonly encoding: TextEncoding;
  /** jsonl: the field that holds the text of a document. */
  readonly textField: string;
}

/** Lines of one document. */
export type DocumentLines = string[];

/**
 * The documents of a block, as lines that are not blank; those without any are left out.
 * @throws {CorpusError} at bytes that are not text in the encoding, and lines that are not of the format; it names the place.
 */
export function* readBlock(block: TextBlock, reading: TextReading): Generator<DocumentLines> {
  for (const part of block.parts) {
    const lines = decode(block.bytes.subarray(part.begin, part.end), part, reading.encoding);
    for (const document of readers[reading.format](lines, part, reading)) if (document.length > 0) yield document;
  }
}

function decode(bytes: Uint8Array, part: BlockPart, encoding: TextEncoding): string[] {
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const at = encoding === "utf-8" ? firstInvalidUtf8(bytes) : firstInvalid(bytes, encoding);
    throw undecodable(bytes, at, part, encoding, error);
  }
  if (part.offset === 0 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return text.includes("\r") ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines;
}

/** The offset of the first byte that no text can have there; the length where only the end is missing. */
export function firstInvalid(bytes: Uint8Array, encoding: TextEncoding): number {
  const isSound = (length: number): boolean => {
    try {
      new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  if (isSound(bytes.length)) return bytes.length;
  // The longest sound beginning ends right before the byte that is wrong.
  let [sound, unsound] = [0, bytes.length];
  while (unsound - sound > 1) {
    const middle = (sound + unsound) >> 1;
    if (isSound(middle)) sound = middle;
    else unsound = middle;
  }
  return sound;
}

type Reader = (lines: readonly string[], part: BlockPart, reading: TextReading) => Generator<DocumentLines>;

const readers: Readonly<Record<TextFormat, Reader>> = {
  text: function* (lines) {
    let document: DocumentLines = [];
    for (const line of lines) {
      if (!isBlank(line)) document.push(line);
      else if (document.length > 0) {
        yield document;
        document = [];
      }
    }
    yield document;
  },
  jsonl: function* (lines, part, { textField }) {
    for (const [i, line] of lines.entries()) {
      if (!isBlank(line)) yield textOf(line, textField, placeOf(part, i)).split(/\r?\n/).filter(isText);
    }
  },
  wikiextractor: function* (lines, part) {
    // A document so long that blocks end within it goes on where the file does not begin.
    let document: DocumentLines | undefined = part.offset > 0 ? [] : undefined;
    let title: string | undefined;
    for (const [i, line] of lines.entries()) {
      if (line.startsWith("<doc ")) {
        document = [];
        title = /\btitle="([^"]*)"/.exec(line)?.[1];
      } else if (line === "</doc>") {
        if (document !== undefined) yield document;
        document = undefined;
      } else if (!isBlank(line) && document === undefined) {
        throw wrongLine(
          placeOf(part, i),
          "text between <doc ...> and </doc>",
          "text outside",
          "is it WikiExtractor's output?",
        );
      } else if (!isBlank(line)) {
        // The first line repeats the title, which is no sentence.
        if (document?.length !== 0 || line !== title) document?.push(line);
        title = undefined;
      }
    }
    if (document !== undefined) yield document;
  },
  pairs: function* (lines, part) {
    for (const [i, line] of lines.entries()) {
      if (isBlank(line)) continue;
      const sides = line.split("\t");
      if (sides.length !== 2 || sides.some(isBlank)) {
        const hint = "each line has two sentences with a tab between them";
        throw wrongLine(placeOf(part, i), "two sentences with a tab between", `${sides.filter(isText).length}`, hint);
      }
      yield sides;
    }
  },
};

function isText(line: string): boolean {
  return !isBlank(line);
}

function placeOf(part: BlockPart, line: number): string {
  return `${part.where} line ${part.line + line + 1}`;
}

/** Half of a character, which \u escapes can spell. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

function textOf(line: string, field: string, where: string): string {
  let value: unknown;
  try {
    value = (JSON.parse(line) as Record<string, unknown> | null)?.[field];
  } catch (error) {
    throw wrongLine(
      where,
      "a JSON object",
      (error as Error).message,
      "the file has to be JSON lines: an object a line",
    );
  }
  if (typeof value === "string") return line.includes("\\u") ? value.replace(LONE_SURROGATE, "\ufffd") : value;
  const got = value === undefined ? "none" : JSON.stringify(value).slice(0, 60);
  throw wrongLine(
    where,
    `text in the field ${JSON.stringify(field)}`,
    got,
    "name the field that holds the text: --text-field",
  );
}

function wrongLine(where: string, expected: string, got: string, hint: string): CorpusError {
  return new CorpusError({ where, expected, got: verbatim(got), hint });
}

/** Documents as sentences: each line is one, unless it is cut. */
export function* toSentences(
  documents: Iterable<DocumentLines>,
  splitLine: ((line: string) => readonly string[]) | undefined,
): Generator<Document> {
  for (const lines of documents) yield splitLine === undefined ? lines : lines.flatMap(splitLine);
}
