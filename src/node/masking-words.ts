/** Words for masking, read from files: a dictionary of entities and phrases, and word vectors. */
import { setImmediate } from "node:timers/promises";
import type { MaskingWords } from "../data/masking-words.ts";
import { findSimilarWords } from "../data/similar-words.ts";
import { readWordVectors } from "../data/word-vectors.ts";
import { CorpusError, verbatim } from "../errors.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { openCorpus } from "./corpus.ts";
import { openTextLines } from "./text-lines.ts";

/** Where words come from. */
export interface MaskingWordFiles {
  /** A word a line, `word` or `word<TAB>entity` or `word<TAB>phrase`; also .gz, .xz, .zst. */
  readonly dictionary?: string;
  /** Word vectors in word2vec's text format; also .gz, .xz, .zst. */
  readonly wordVectors?: string;
  readonly signal?: AbortSignal;
}

/**
 * Reads the words that masking needs.
 * @throws {FileError} when a file cannot be read. @throws {CorpusError} when it holds something else, or nothing of use.
 */
export async function readMaskingWords(tokenizer: BertTokenizer, files: MaskingWordFiles): Promise<MaskingWords> {
  const { dictionary, wordVectors, signal } = files;
  return {
    ...(dictionary === undefined ? {} : await readDictionary(dictionary, tokenizer, signal)),
    ...(wordVectors === undefined ? {} : { similarWords: await readSimilar(wordVectors, tokenizer, signal) }),
  };
}

async function readDictionary(path: string, tokenizer: BertTokenizer, signal?: AbortSignal): Promise<MaskingWords> {
  const { vocabulary } = tokenizer;
  const words = { entity: new Set<string>(), phrase: new Set<string>() };
  const { lines } = await openTextLines(path, signal === undefined ? {} : { signal });
  let number = 0;
  for await (const line of lines) {
    number += 1;
    const [word = "", level = "entity"] = line
      .replace(/^\uFEFF/, "")
      .split("\t")
      .map((field) => field.trim());
    if (word === "") continue;
    if (level !== "entity" && level !== "phrase") {
      const hint = "a word a line, and after a tab entity or phrase where you like";
      throw new CorpusError({ where: `${path}: line ${number}`, expected: "entity or phrase", got: level, hint });
    }
    const { ids } = tokenizer.encodePieces(word);
    if (ids.length > 0 && !ids.includes(vocabulary.ids.unk)) words[level].add(vocabulary.tokensOf(ids).join(" "));
  }
  if (words.entity.size + words.phrase.size > 0) return { entities: [...words.entity], phrases: [...words.phrase] };
  const hint = "a word a line; words with characters that the vocabulary lacks do not count";
  throw new CorpusError({ where: path, expected: "words of the vocabulary's tokens", got: verbatim("none"), hint });
}

async function readSimilar(path: string, tokenizer: BertTokenizer, signal?: AbortSignal) {
  const corpus = await openCorpus([path]);
  const vectors = await readWordVectors(corpus.read(signal === undefined ? {} : { signal }), tokenizer, path);
  return findSimilarWords(vectors, async () => {
    await setImmediate();
    signal?.throwIfAborted();
  });
}
