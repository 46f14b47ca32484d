/** Words for filling masks: those of jieba's dictionary, or a file's. */
import type { TextEncoding } from "../data/read-block.ts";
import { CorpusError, verbatim } from "../errors.ts";
import { jiebaDictionary } from "./jieba.ts";
import { openTextLines } from "./text-lines.ts";

/** The words of jieba's dictionary, 349,046 of one to sixteen characters. */
export function jiebaWords(): string[] {
  return new TextDecoder().decode(jiebaDictionary()).split("\n").flatMap(firstField);
}

/**
 * Reads words from a file (also .gz, .xz, .zst): one a line; what follows a space (a frequency, a tag) is left out.
 * @throws {FileError} when it cannot be read. @throws {CorpusError} when there is no word in it, or bytes of another encoding.
 */
export async function readWords(path: string, encoding: TextEncoding = "utf-8"): Promise<string[]> {
  const words: string[] = [];
  for await (const line of (await openTextLines(path, { encoding })).lines) words.push(...firstField(line));
  if (words.length > 0) return words;
  throw new CorpusError({
    where: path,
    expected: "words, one a line",
    got: verbatim("none"),
    hint: "a dictionary for jieba (word, frequency, tag) is such a file too",
  });
}

function firstField(line: string): string[] {
  return /\S+/.exec(line)?.slice() ?? [];
}
