/**
 * Texts whose words carry their part of speech, a sentence a line: `我/r 爱/v 北京/ns`, with `_` between them in some corpora.
 * Files of this kind are called .pos or .wordpos; the People's Daily of 1998 is published so.
 * Source: Yu et al. 2002, The specification for basic processing of contemporary Chinese corpus, Peking University.
 */
import { DataError } from "../../errors.ts";
import { isBlank } from "../../util/python-space.ts";
import type { TaggedExample } from "../examples.ts";
import { joinUnits } from "../ner/text-units.ts";
import { linesOf, notDecoded } from "./tagged-columns.ts";

/** A word may hold the mark itself, as in `1/2/m`; a tag does not: so no place is looked at twice, however long a word is. */
const TAGGED = { "/": /^(.+)\/([A-Za-z][\w-]*)$/su, _: /^(.+)_([A-Za-z][A-Za-z\d-]*)$/su } as const;
type Mark = keyof typeof TAGGED;

/** The People's Daily begins its paragraphs with their number, which is no word. */
const PARAGRAPH = /^\d{8}-\d{2}-\d{3}-\d{3}\/m$/u;
/** It also puts compound names in brackets with a tag of their own, `[北京/ns 大学/n]nt`; those of the words are taken. */
const OPENING = /^\[(?=[^/])/u;
const CLOSING = /^(.*\/[A-Za-z][\w-]*)\]\/?[A-Za-z]+$/su;

/**
 * The sentences of a file of words with their parts of speech.
 * @param text - the whole file. @param path - its name, for messages.
 * @throws {DataError} with the line: where a word has no tag, or a character was not decoded.
 */
export function readTaggedWords(text: string, path: string): TaggedExample[] {
  return Array.from(taggedLines(text, path), (pairs) => ({
    ...joinUnits(pairs.map(([word]) => word)),
    tags: pairs.map(([, tag]) => tag),
  }));
}

/** The sentences of such a file as word segmentation has them: a line each, words parted by spaces. @throws {DataError} likewise. */
export function withoutTags(text: string, path: string): string {
  return Array.from(taggedLines(text, path), (pairs) => pairs.map(([word]) => word).join(" ")).join("\n");
}

type Pair = readonly [word: string, tag: string];

function* taggedLines(text: string, path: string): Generator<readonly Pair[]> {
  const mark = markOf(text) ?? "/";
  for (const [number, line] of linesOf(text)) {
    if (line.includes("\ufffd")) throw notDecoded(`${path} line ${number}`);
    const pairs = piecesOf(line).map((piece) => {
      const pair = pairOf(piece, mark);
      if (pair !== undefined) return pair;
      throw new DataError({
        where: `${path} line ${number}`,
        expected: `words with their tags, ${mark === "/" ? "我/r 爱/v" : "我_PN 爱_VV"}`,
        got: piece,
        hint: "correct this line; sentences whose words have no tags are read by --format words",
      });
    });
    if (pairs.length > 0) yield pairs;
  }
}

/** Nearly all words of such a text have a tag; some may be damaged. */
const TAGGED_SHARE = 0.9;

/** Whether a text is words with their tags, whatever the file is called. */
export function looksLikeTaggedWords(text: string): boolean {
  return markOf(text) !== undefined;
}

/** So much of a text shows its layout. */
const SAMPLE_CHARACTERS = 4096;

/** What stands between word and tag; undefined where nothing does. */
function markOf(text: string): Mark | undefined {
  const sample = text.slice(0, SAMPLE_CHARACTERS);
  // The last word may be cut.
  const pieces = piecesOf(sample).slice(0, sample.length < text.length ? -1 : undefined);
  const marks = Object.keys(TAGGED) as Mark[];
  return marks.find((mark) => {
    const tagged = pieces.filter((piece) => pairOf(piece, mark) !== undefined).length;
    return pieces.length > 1 && tagged >= pieces.length * TAGGED_SHARE;
  });
}

function piecesOf(line: string): string[] {
  return isBlank(line) ? [] : line.split(/\s+/u).filter((piece) => piece !== "" && !PARAGRAPH.test(piece));
}

function pairOf(piece: string, mark: Mark): Pair | undefined {
  const bare = mark === "/" ? piece.replace(OPENING, "").replace(CLOSING, "$1") : piece;
  const [, word, tag] = TAGGED[mark].exec(bare) ?? [];
  return word === undefined || tag === undefined ? undefined : [word, tag];
}
