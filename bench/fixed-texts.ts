/** Texts of as many tokens as asked for, so that a model's work is known beforehand. */
import { readFileSync } from "node:fs";
import { vocabularyPath } from "./corpus.ts";

/** [CLS] and [SEP]. */
const SPECIAL_TOKENS = 2;

/** `count` texts, each of `tokens` tokens with [CLS] and [SEP]: Chinese characters of the vocabulary. */
export function fixedTexts(count: number, tokens: number): string[] {
  const characters = readFileSync(vocabularyPath(), "utf8")
    .split("\n")
    .filter((line) => /^[\u4e00-\u9fa5]$/.test(line));
  let at = 0;
  const next = () => characters[at++ % characters.length] as string;
  return Array.from({ length: count }, () => Array.from({ length: tokens - SPECIAL_TOKENS }, next).join(""));
}
