/** Words for filling masks: those of jieba's dictionary, or a file's. */
import { dict } from "@node-rs/jieba/dict.js";
import { CorpusError, verbatim } from "../errors.ts";
import { readText } from "./files.ts";

/** The words of jieba's dictionary, 349,046 of one to sixteen characters. */
export function jiebaWords(): string[] {
  return firstFields(new TextDecoder().decode(dict));
}

/**
 * Reads words from a file: one a line; what follows a space (a frequency, a tag) is left out.
 * @throws {FileError} when it cannot be read. @throws {CorpusError} when there is no word in it.
 */
export async function readWords(path: string): Promise<string[]> {
  const words = firstFields((await readText(path)).replace(/^\uFEFF/, ""));
  if (words.length > 0) return words;
  throw new CorpusError({
    where: path,
    expected: "words, one a line",
    got: verbatim("none"),
    hint: "a dictionary for jieba (word, frequency, tag) is such a file too",
  });
}

function firstFields(text: string): string[] {
  return text.split("\n").flatMap((line) => /\S+/.exec(line)?.[0] ?? []);
}
