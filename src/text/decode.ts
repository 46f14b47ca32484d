/**
 * Tokens back to text: Chinese without spaces, words of other scripts with them, punctuation where its script puts it.
 * The spaces of the original are not in the tokens; this is the convention of each script, not a restoration.
 */
import { CharacterKind, characterRules } from "./characters.ts";
import { CONTINUATION_PREFIX } from "./vocabulary.ts";

const OPENING = new Set("([{$");
const CLOSING = new Set(")]},;:.!?%");
/** Between digits these join: 3.5, 1,299, 12:30. */
const NUMERIC = new Set(".,:");
const KANA: readonly (readonly [number, number])[] = [
  [0x3040, 0x30ff],
  [0x31f0, 0x31ff],
  [0xff66, 0xff9f],
];

/**
 * Joins tokens into text.
 * @param isSpecial - whether a token is one like [MASK], which is set off from words but not from Chinese.
 */
export function joinTokens(tokens: readonly string[], isSpecial: (token: string) => boolean): string {
  let text = "";
  let wasSpecial = false;
  let isQuoted = false;
  for (const token of tokens) {
    const special = isSpecial(token);
    if (!special && text !== "" && token.startsWith(CONTINUATION_PREFIX) && token.length > CONTINUATION_PREFIX.length) {
      text += token.slice(CONTINUATION_PREFIX.length);
      continue;
    }
    const left = edgeOf(text, wasSpecial, isQuoted);
    if (token === '"') isQuoted = !isQuoted;
    const right = token === '"' ? (isQuoted ? "opening" : "closing") : kindOf(token, special);
    text += (needsSpace(left, right, text, token) && !(special && wasSpecial) ? " " : "") + token;
    wasSpecial = special;
  }
  // Lower-casing with accent stripping leaves Hangul as letters; syllables are what a reader expects.
  return /[\u1100-\u11ff]/.test(text) ? text.normalize("NFC") : text;
}

type Edge = "word" | "opening" | "closing" | "tight";

/** What the text so far ends with. */
function edgeOf(text: string, wasSpecial: boolean, isQuoted: boolean): Edge {
  if (text.endsWith('"')) return isQuoted ? "opening" : "closing";
  return kindOf(text.slice(isLowSurrogate(text.at(-1)) ? -2 : -1), wasSpecial);
}

function kindOf(token: string, isSpecial: boolean): Edge {
  if (isSpecial) return "word";
  const character = String.fromCodePoint(token.codePointAt(0) ?? 0x20);
  if (OPENING.has(character)) return "opening";
  if (CLOSING.has(character)) return "closing";
  return isSpacedLetter(character) ? "word" : "tight";
}

function needsSpace(left: Edge, right: Edge, text: string, token: string): boolean {
  if (left === "word") return right === "word" || right === "opening";
  if (left !== "closing" || (right !== "word" && right !== "opening")) return false;
  const before = text.at(-2) ?? "";
  if (NUMERIC.has(text.at(-1) ?? "") && /[0-9]/.test(before) && /^[0-9]/.test(token)) return false;
  return isSpacedLetter(before) || CLOSING.has(before);
}

/** A letter or digit of a script that puts spaces between words. */
function isSpacedLetter(character: string): boolean {
  const code = character.codePointAt(0) ?? 0x20;
  if (code > 0xff00 && code < 0xfff0) return false;
  if (KANA.some(([low, high]) => code >= low && code <= high)) return false;
  return characterRules("huggingface").kind(code) === CharacterKind.word;
}

function isLowSurrogate(unit: string | undefined): boolean {
  return unit !== undefined && (unit.charCodeAt(0) & 0xfc00) === 0xdc00;
}
