/** jieba in Node.js: the native module, its dictionary, and dictionaries of the user's own. */
import { createRequire } from "node:module";
import type { Jieba } from "@node-rs/jieba";
import { CorpusError, verbatim } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import jiebaSegmenter from "../text/segmenters/jieba.ts";
import { readText } from "./files.ts";

/** Loaded when it is first needed: programs that cut no words should not wait for it. */
const load = createRequire(import.meta.url);

/** jieba's own dictionary: a line for each word, `word frequency tag`, UTF-8. */
export function jiebaDictionary(): Uint8Array {
  return (load("@node-rs/jieba/dict.js") as typeof import("@node-rs/jieba/dict.js")).dict;
}

/** Options of {@link createJieba}. */
export interface CreateJiebaOptions {
  /** Path of a dictionary of one's own: a line for each word, `word [frequency] [tag]`, UTF-8. */
  readonly userDictionary?: string;
  /** Find words that no dictionary has; true unless said. */
  readonly hmm?: boolean;
}

interface DictionaryEntry {
  readonly word: string;
  readonly frequency: number | undefined;
  readonly tag: string;
}

/** jieba has no larger numbers; far above the most frequent word of its dictionary. */
const MAX_FREQUENCY = 1e9;

/**
 * jieba with its own dictionary and, where given, the user's.
 * @throws {FileError} when the dictionary cannot be read. @throws {CorpusError} when one of its lines is malformed.
 */
export async function createJieba(options: CreateJiebaOptions = {}): Promise<Segmenter> {
  const module = load("@node-rs/jieba") as typeof import("@node-rs/jieba");
  const jieba = module.Jieba.withDict(jiebaDictionary());
  if (options.userDictionary !== undefined) {
    const entries = parseUserDictionary(await readText(options.userDictionary), options.userDictionary);
    const lines = complete(entries, jieba).map(({ word, frequency, tag }) => `${word} ${frequency} ${tag}\n`);
    if (lines.length > 0) jieba.loadDict(new TextEncoder().encode(lines.join("")));
  }
  return jiebaSegmenter(jieba, options.hmm === undefined ? {} : { hmm: options.hmm });
}

/**
 * The entries of a user dictionary, in Python jieba's notation.
 * @param where - the file's name, for messages.
 * @throws {CorpusError} naming the line that is malformed.
 */
export function parseUserDictionary(text: string, where: string): DictionaryEntry[] {
  const entries: DictionaryEntry[] = [];
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === "" || fields[0] === undefined) continue;
    entries.push(parseEntry(fields, `${where}, line ${i + 1}`, line));
  }
  return entries;
}

function parseEntry(fields: readonly string[], where: string, line: string): DictionaryEntry {
  const [word, second, third] = fields as [string, string?, string?];
  const isNumber = second !== undefined && /^\d+$/.test(second);
  const hint = "write one word a line: 全词掩码 20 n; frequency and tag may be left out";
  if (fields.length > 3 || (fields.length === 3 && !isNumber)) {
    throw new CorpusError({ where, expected: "word, frequency and tag", got: line.trim(), hint });
  }
  if (/^-|^\d+\D/.test(second ?? "") || (isNumber && Number(second) > MAX_FREQUENCY)) {
    throw new CorpusError({
      where,
      expected: `a frequency from 0 to ${MAX_FREQUENCY}`,
      got: verbatim(second ?? ""),
      hint,
    });
  }
  return { word, frequency: isNumber ? Number(second) : undefined, tag: third ?? (isNumber ? "n" : (second ?? "n")) };
}

/** Gives words without a frequency the smallest one that keeps them whole; as suggest_freq of Python's jieba. */
function complete(entries: readonly DictionaryEntry[], jieba: Jieba): DictionaryEntry[] {
  if (entries.every((entry) => entry.frequency !== undefined)) return [...entries];
  const { frequencies, total } = readFrequencies();
  return entries.map((entry) => {
    if (entry.frequency !== undefined) return entry;
    const chance = jieba
      .cut(entry.word, false)
      .reduce((product, part) => product * ((frequencies.get(part) ?? 1) / total), 1);
    return { ...entry, frequency: Math.max(Math.floor(chance * total) + 1, frequencies.get(entry.word) ?? 0) };
  });
}

function readFrequencies(): { frequencies: Map<string, number>; total: number } {
  const frequencies = new Map<string, number>();
  let total = 0;
  for (const line of new TextDecoder().decode(jiebaDictionary()).split("\n")) {
    const [word, frequency] = line.split(" ");
    if (word === undefined || frequency === undefined) continue;
    frequencies.set(word, Number(frequency));
    total += Number(frequency);
  }
  return { frequencies, total };
}
