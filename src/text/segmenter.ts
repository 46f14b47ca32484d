/**
 * What a word segmenter is: from a text to the offsets at which its words end.
 *
 * Words are known by offsets only, so that they can be laid over the tokens of the same text without comparing strings.
 */

/** A text and its words. */
export interface SegmentedText {
  /** The text that the offsets are in: the given one, unless the segmenter takes marks of its own out of it. */
  readonly text: string;
  /** int32 [words]; ascending UTF-16 offsets, the last one the length of the text. White space may be a word. */
  readonly wordEnds: Int32Array;
  /** Lines whose words do not spell the line; each of their characters is a word. */
  readonly unalignedLines: number;
}

/** Finds the words of a text. */
export interface Segmenter {
  readonly name: string;
  /** True when a call must get the corpus's own lines, uncut and in order. */
  readonly needsWholeLines?: boolean;
  /**
   * The words of one or more lines joined by `\n`; no word crosses a line's end, and the number of lines stays.
   * A few long calls are faster than many short ones.
   */
  segment(text: string): SegmentedText;
}

const WHITE_SPACE = /^\s+/;

/**
 * Lays words over the text that they were cut from; white space that the words leave out becomes words of its own.
 * @returns the ends, or undefined when the words do not spell the text.
 */
export function endsOfWords(text: string, words: readonly string[]): Int32Array | undefined {
  const ends = new Int32Array(2 * words.length + 1);
  let count = 0;
  let at = 0;
  for (const word of words) {
    if (!text.startsWith(word, at)) {
      const space = WHITE_SPACE.exec(text.slice(at));
      if (space === null) return undefined;
      at += space[0].length;
      ends[count++] = at;
      if (!text.startsWith(word, at)) return undefined;
    }
    if (word === "") continue;
    at += word.length;
    ends[count++] = at;
  }
  if (at < text.length) {
    if (text.slice(at).trim() !== "") return undefined;
    ends[count++] = text.length;
  }
  return ends.subarray(0, count);
}

/**
 * The words that a function cuts a text into, checked against the text; where they do not spell it, line by line.
 * @param cut - from a text to its words.
 */
export function segmentByCutting(text: string, cut: (text: string) => readonly string[]): SegmentedText {
  const wordEnds = endsOfWords(text, cut(text));
  return wordEnds === undefined
    ? segmentLines(text, (line) => endsOfWords(line, cut(line)))
    : { text, wordEnds, unalignedLines: 0 };
}

/** Segments line by line; a line for which `endsOfLine` gives undefined is cut into its characters and counted. */
export function segmentLines(text: string, endsOfLine: (line: string) => ArrayLike<number> | undefined): SegmentedText {
  const ends = new Int32Array(text.length);
  let count = 0;
  let start = 0;
  let unalignedLines = 0;
  for (const line of text.split("\n")) {
    const lineEnds = endsOfLine(line);
    if (lineEnds === undefined) unalignedLines += 1;
    const words = lineEnds?.length ?? line.length;
    for (let i = 0; i < words; i++) ends[count++] = start + (lineEnds === undefined ? i + 1 : (lineEnds[i] as number));
    start += line.length + 1;
    if (start <= text.length) ends[count++] = start;
  }
  return { text, wordEnds: ends.subarray(0, count), unalignedLines };
}
