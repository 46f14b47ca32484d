/** The two foldings that depend on the characters around: final sigma, and canonical order of marks. Both are rare. */
import { CharacterKind, type CharacterRules } from "./characters.ts";

/**
 * Whether a capital sigma ends a word, so that its lower case is ς. Source: Unicode 3.13, Final_Sigma.
 * @param index - UTF-16 offset of the sigma.
 */
export function isFinalSigma(text: string, index: number, rules: CharacterRules): boolean {
  let before = index;
  let after = index + 1;
  const previous = (): number | undefined => {
    const code = before === 0 ? undefined : text.codePointAt(before - 1 - Number(isPairEnd(text, before - 1)));
    before -= code === undefined || code < 0x10000 ? 1 : 2;
    return code;
  };
  const next = (): number | undefined => {
    const code = text.codePointAt(after);
    after += code === undefined || code < 0x10000 ? 1 : 2;
    return code;
  };
  return firstIsCased(previous, rules) && !firstIsCased(next, rules);
}

/** Whether the first character that is neither dropped nor case-ignorable is cased. */
function firstIsCased(read: () => number | undefined, rules: CharacterRules): boolean {
  for (let code = read(); code !== undefined; code = read()) {
    const character = String.fromCodePoint(code);
    if (rules.kind(code) === CharacterKind.dropped || /^\p{Case_Ignorable}$/u.test(character)) continue;
    return /^\p{Cased}$/u.test(character);
  }
  return false;
}

function isPairEnd(text: string, index: number): boolean {
  const isHigh = index > 0 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800;
  return isHigh && (text.charCodeAt(index) & 0xfc00) === 0xdc00;
}

/** A text with its marks in canonical order. */
export interface OrderedText {
  readonly text: string;
  /** int32 [text.length + 1]; for each character's start, and the end, the UTF-16 offset in the original. */
  readonly offsets: Int32Array;
}

/**
 * The text with its marks in canonical order, as NFD would leave them, each mark in the place of another.
 * Source: Unicode 3.11, Canonical Ordering Algorithm.
 */
export function orderMarks(text: string, rules: CharacterRules): OrderedText {
  const original = Array.from(text);
  const ordered = [...original];
  for (const run of markRuns(original, rules)) {
    const marks = Array.from(
      run
        .map((place) => original[place])
        .join("")
        .normalize("NFD"),
    );
    // A mark that decomposes leaves no place for its parts; such runs stay as they are.
    if (marks.length !== run.length) continue;
    run.forEach((place, k) => {
      ordered[place] = marks[k] as string;
    });
  }
  const offsets = new Int32Array(text.length + 1);
  let from = 0;
  let to = 0;
  ordered.forEach((character, i) => {
    offsets[to] = from;
    to += character.length;
    from += (original[i] as string).length;
  });
  offsets[to] = from;
  return { text: ordered.join(""), offsets };
}

/** The places of each run of marks; dropped characters do not interrupt one. */
function markRuns(characters: readonly string[], rules: CharacterRules): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  characters.forEach((character, place) => {
    const code = character.codePointAt(0) as number;
    if (rules.kind(code) === CharacterKind.dropped) return;
    if (rules.isStripped(code) || rules.isReordered(code)) run.push(place);
    else if (run.length > 0) {
      runs.push(run);
      run = [];
    }
  });
  return [...runs, run];
}
