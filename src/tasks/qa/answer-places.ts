/** Where in its passage an answer stands: data sets say it, in one of two measures, and are sometimes wrong. */

/** How the place of an answer was found. */
export type PlaceKind =
  /** Where the data says, in code points as Python counts them. */
  | "as stated"
  /** Where the data says, in UTF-16 units as JavaScript and Java count them. */
  | "in UTF-16 units"
  /** Nowhere there; the occurrence nearest to it was taken. */
  | "moved"
  /** The data says no place; the first occurrence was taken. */
  | "searched"
  /** The text is not in the passage. */
  | "absent";

/** The place of an answer. */
export interface AnswerPlace {
  readonly kind: PlaceKind;
  /** UTF-16 offset in the passage; undefined where the text is not in it. */
  readonly start?: number;
}

/** Finds answers in one passage. */
export class AnswerFinder {
  readonly #passage: string;
  /** UTF-16 offsets of code points; undefined where the two measures are one. */
  #offsets: Int32Array | undefined;

  constructor(passage: string) {
    this.#passage = passage;
    if (/[\ud800-\udbff]/.test(passage)) this.#offsets = codePointOffsets(passage);
  }

  /**
   * The place of an answer.
   * @param stated - its offset in code points or UTF-16 units as the data says; undefined or below 0 where it says none.
   */
  find(text: string, stated: number | undefined): AnswerPlace {
    const passage = this.#passage;
    const first = text === "" ? -1 : passage.indexOf(text);
    if (first < 0) return { kind: "absent" };
    if (stated === undefined || stated < 0) return { kind: "searched", start: first };
    const start = this.#offsets === undefined ? stated : (this.#offsets[stated] ?? passage.length);
    if (passage.startsWith(text, start)) return { kind: "as stated", start };
    if (passage.startsWith(text, stated)) return { kind: "in UTF-16 units", start: stated };
    return { kind: "moved", start: nearestOccurrence(passage, text, start) };
  }
}

/** The occurrence whose start is nearest; the earlier of two that are as near. */
function nearestOccurrence(passage: string, text: string, wanted: number): number {
  const before = passage.lastIndexOf(text, wanted);
  const after = passage.indexOf(text, wanted);
  if (before < 0 || after < 0) return Math.max(before, after);
  return wanted - before <= after - wanted ? before : after;
}

function codePointOffsets(text: string): Int32Array {
  const offsets = new Int32Array(text.length);
  let [points, at] = [0, 0];
  for (const character of text) {
    offsets[points++] = at;
    at += character.length;
  }
  return offsets.slice(0, points);
}
