/**
 * Files with a unit (a character or a word) and its tag on each line, a blank line after each sentence: the layout of
 * CoNLL's shared tasks and of most Chinese data; and texts whose words are parted by spaces.
 */
import { DataError, verbatim } from "../../errors.ts";
import { isBlank } from "../../util/python-space.ts";
import type { TaggedExample } from "../examples.ts";
import { tagsOf } from "../ner/tag-schemes.ts";
import { characterUnits, joinUnits } from "../ner/text-units.ts";

/** How the columns of a file are read. */
export interface ColumnOptions {
  /** The name of the file, for messages. */
  readonly path: string;
  /** Counted from 0; the first when left out, that of the words in treebanks. */
  readonly unitColumn?: number;
  /** Counted from 0; the last when left out, that of the parts of speech in treebanks. */
  readonly tagColumn?: number;
  /** The tags that there may be; any when left out. */
  readonly tags?: ReadonlySet<string>;
}

interface Sentence {
  readonly tokens: string[];
  readonly tags: string[];
}

/**
 * The sentences of a file of columns, parted by tabs or by spaces as its first line is. Where there are two columns, a
 * unit may be a space itself. Files without tags (one column) are read as well. Of treebanks, whose first column numbers the
 * words, comments and what is not one word are passed over.
 * @throws {DataError} with the line: where a column is missing, a tag is none of those there may be, or a character was
 * not decoded.
 */
export function readTaggedColumns(text: string, options: ColumnOptions): TaggedExample[] {
  const examples: TaggedExample[] = [];
  let open: Sentence = { tokens: [], tags: [] };
  const close = () => {
    if (open.tokens.length > 0) examples.push(exampleOf(open));
    open = { tokens: [], tags: [] };
  };
  const isTreebank = looksLikeTreebank(text);
  let layout: Layout | undefined;
  for (const [number, line] of linesOf(text)) {
    if (line === "" || isBreak(line)) {
      close();
      continue;
    }
    if (isTreebank && (line.startsWith("#") || /^\d+[-.]\d/u.test(line))) continue;
    layout ??= layoutOf(line, isTreebank ? { ...TREEBANK_COLUMNS, ...options } : options);
    const [token, tag] = cells(line, layout, `${options.path} line ${number}`);
    open.tokens.push(token);
    if (tag === undefined) continue;
    if (options.tags && !options.tags.has(tag)) throw unknownTag(options, number, tag);
    open.tags.push(tag);
  }
  close();
  return examples;
}

/** The form of a word and its part of speech, in CoNLL-X and CoNLL-U. */
const TREEBANK_COLUMNS = { unitColumn: 1, tagColumn: 3 } as const;
/** Comments, a line of many columns that begins with 1, and one that goes on with 2, or ends the sentence. */
const TREEBANK = /^(?:#[^\n]*\n|[ \t\r]*\n)*1(?:-\d+)?\t(?:[^\t\n]*\t){6,}[^\t\n]*(?:$|\n(?:$|\r?\n|[12][\t.-]))/u;

/** Whether a text is a treebank in the layout of CoNLL-X or CoNLL-U. */
function looksLikeTreebank(text: string): boolean {
  return TREEBANK.test(text.slice(0, SAMPLE_CHARACTERS).replace(/^\ufeff/u, ""));
}

/** So much of a text shows its layout. */
const SAMPLE_CHARACTERS = 8192;

/** Whether a text is columns of units and tags with blank lines after sentences, whatever the file is called. */
export function looksLikeTaggedColumns(text: string): boolean {
  if (looksLikeTreebank(text)) return true;
  const sample = text.slice(0, SAMPLE_CHARACTERS);
  const lines = sample.split(/\r?\n/u).slice(0, sample.length < text.length ? -1 : undefined);
  const filled = lines.filter((line) => !isBlank(line));
  const widths = new Set(filled.map((line) => line.trim().split(/[ \t]+/u).length));
  const [width = 0] = widths;
  return filled.length > 1 && filled.length < lines.length - 1 && widths.size === 1 && width > 1;
}

/** Lines with their numbers, without line ends; a text is not cut into all of its lines at once. */
export function* linesOf(text: string): Generator<readonly [number: number, line: string]> {
  for (let [number, start] = [1, text.startsWith("\ufeff") ? 1 : 0]; start < text.length; number++) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    yield [number, text.slice(start, text[end - 1] === "\r" && end > start ? end - 1 : end)];
    start = end + 1;
  }
}

/** Some files mark the end of a sentence by white space, and CoNLL-2003 that of a document by a line of its own. */
function isBreak(line: string): boolean {
  return isBlank(line) || line.startsWith("-DOCSTART-");
}

interface Layout {
  readonly separator: "\t" | " ";
  readonly columns: number;
  readonly unitColumn: number;
  readonly tagColumn: number;
}

function layoutOf(line: string, { unitColumn = 0, tagColumn }: ColumnOptions): Layout {
  const separator = line.includes("\t") ? "\t" : " ";
  const columns = split(line, separator).length;
  return { separator, columns, unitColumn, tagColumn: tagColumn ?? (columns > 1 ? columns - 1 : columns) };
}

/** Spaces come in runs where they line columns up; a tab stands for one column each. */
function split(line: string, separator: "\t" | " "): string[] {
  return separator === "\t" ? line.split("\t") : line.trimEnd().split(/ +/u);
}

function cells(line: string, { separator, columns, unitColumn, tagColumn }: Layout, where: string) {
  if (line.includes("\ufffd")) throw notDecoded(where);
  const found = columns === 2 ? halves(line, separator) : split(line, separator);
  const [token, tag] = [found[unitColumn] ?? "", found[tagColumn]?.trim()];
  const isWhole = token !== "" && (columns === 1 || (tag !== undefined && tag !== ""));
  if (isWhole && found.length === columns) return [token, tag] as const;
  throw new DataError({
    where,
    expected: `${columns} columns parted by ${separator === "\t" ? "tabs" : "spaces"}, as in the first line: a unit and its tag`,
    got: line,
    hint: "every character has a line with its tag, and sentences are parted by blank lines: correct this line",
  });
}

/** A unit and its tag. The unit may be a space, which parts the two as well. */
function halves(line: string, separator: "\t" | " "): string[] {
  const trimmed = line.trimEnd();
  const at = trimmed.lastIndexOf(separator);
  if (at < 0) return [trimmed];
  const token = trimmed.slice(0, at);
  return [isBlank(token) ? token : token.trim(), trimmed.slice(at + 1)];
}

/** What is said of a line with U+FFFD. */
export function notDecoded(where: string): DataError {
  return new DataError({
    where,
    expected: "text in one encoding",
    got: verbatim("U+FFFD, which stands for bytes that could not be decoded"),
    hint: "the file mixes encodings or is damaged: convert it to UTF-8 as a whole (iconv -f GB18030 -t UTF-8), or repair the line",
  });
}

function unknownTag({ path, tags }: ColumnOptions, line: number, got: string): DataError {
  return new DataError({ where: `${path} line ${line}`, expected: `a tag of ${[...(tags ?? [])].join(", ")}`, got });
}

function exampleOf({ tokens, tags }: Sentence): TaggedExample {
  return { ...joinUnits(tokens), ...(tags.length > 0 ? { tags } : {}) };
}

/**
 * Sentences whose words are parted by spaces, a line each, as examples of segmentation: a tag of B, M, E and S for each
 * character.
 * @param text - the whole file. @param path - its name, for messages.
 * @throws {DataError} with the line, where a character was not decoded.
 */
export function readSegmented(text: string, path: string): TaggedExample[] {
  const examples: TaggedExample[] = [];
  for (const [number, line] of linesOf(text)) {
    if (line.includes("\ufffd")) throw notDecoded(`${path} line ${number}`);
    const words = line.split(/\s+/u).filter((word) => word !== "");
    if (words.length === 0) continue;
    const joined = words.join("");
    let at = 0;
    const spans = words.map((word) => {
      const start = at;
      at += characterUnits(word).length;
      return { type: "_", start, end: at };
    });
    examples.push({ text: joined, units: characterUnits(joined), tags: tagsOf(spans, at, "words") });
  }
  return examples;
}
