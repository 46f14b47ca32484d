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

/**
 * The text with its marks in canonical order, as NFD would leave them, each mark in the place of another.
 * Source: Unicode 3.11, Canonical Ordering Algorithm.
 */
export function orderMarks(text: string, rules: CharacterRules): string {
  const characters = Array.from(text);
  const codes = characters.map((character) => character.codePointAt(0) as number);
  const isMark = (code: number) => rules.isStripped(code) || rules.isReordered(code);
  for (let i = 0; i < codes.length; i++) {
    if (!isMark(codes[i] as number)) continue;
    const run: number[] = [];
    for (; i < codes.length; i++) {
      const code = codes[i] as number;
      if (rules.kind(code) === CharacterKind.dropped) continue;
      if (!isMark(code)) break;
      run.push(i);
    }
    const ordered = Array.from(
      run
        .map((place) => characters[place])
        .join("")
        .normalize("NFD"),
    );
    // A mark that decomposes leaves no place for its parts; such runs stay as they are.
    if (ordered.length === run.length)
      run.forEach((place, k) => {
        characters[place] = ordered[k] as string;
      });
  }
  return characters.join("");
}
