/**
 * The words that some ways of masking need: phrases and entities, and which words are alike. They are tokens with spaces
 * between (`上 海`, `pro ##ba`), so that no tokenizer is needed when masks are drawn; a data folder keeps them in masking.json.
 */
import { DataError, verbatim } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";

/** Words for masking; each as its tokens with spaces between. */
export interface MaskingWords {
  readonly phrases?: readonly string[];
  readonly entities?: readonly string[];
  /** Lists of a word and those similar to it, the most similar first, all of the same number of tokens. */
  readonly similarWords?: readonly (readonly string[])[];
}

/** The name of the file within a data folder. */
export const MASKING_WORDS_FILE = "masking.json";

/** The text of masking.json: one word a line; equal for equal words. */
export function formatMaskingWords(words: MaskingWords): string {
  const { phrases = [], entities = [], similarWords = [] } = words;
  const list = (values: readonly unknown[]) =>
    `[${values.map((value) => `\n    ${JSON.stringify(value)}`).join(",")}\n  ]`;
  const lists = Object.entries({ phrases, entities, similarWords }).filter(([, values]) => values.length > 0);
  return `{${lists.map(([name, values]) => `\n  "${name}": ${list(values)}`).join(",")}\n}\n`;
}

/** Reads masking.json. @throws {DataError} when it is none. */
export function parseMaskingWords(text: string, where: string): MaskingWords {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong(where, "JSON", (cause as Error).message);
  }
  if (typeof json !== "object" || json === null) throw wrong(where, "a JSON object", "another value");
  const { phrases, entities, similarWords } = json as Readonly<Record<string, unknown>>;
  return {
    ...(phrases === undefined ? {} : { phrases: strings(phrases, `${where}: phrases`) }),
    ...(entities === undefined ? {} : { entities: strings(entities, `${where}: entities`) }),
    ...(similarWords === undefined ? {} : { similarWords: listsOfStrings(similarWords, `${where}: similarWords`) }),
  };
}

/** The ids of a word; undefined when the vocabulary lacks one, or there is none. */
export function wordIds(vocabulary: Vocabulary, word: string): number[] | undefined {
  const ids = word.split(" ").map((token) => vocabulary.id(token));
  return ids.every((id) => id !== undefined) ? (ids as number[]) : undefined;
}

function strings(value: unknown, where: string): string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value;
  throw wrong(where, "a list of words", "another value");
}

function listsOfStrings(value: unknown, where: string): string[][] {
  if (Array.isArray(value)) return value.map((entry) => strings(entry, where));
  throw wrong(where, "a list of lists", "another value");
}

function wrong(where: string, expected: string, got: string): DataError {
  return new DataError({ where, expected, got: verbatim(got), hint: "make the data anew with zhbert data" });
}
