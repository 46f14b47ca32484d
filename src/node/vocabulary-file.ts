/** Vocabulary and tokenizer by path, and the package's own where no model or file brings one. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DATASET_FILE, parseDescription } from "../data/dataset.ts";
import { VocabularyError } from "../errors.ts";
import type { TokenizationRules } from "../text/characters.ts";
import type { CurlyQuotes } from "../text/fold-plan.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { readText } from "./files.ts";

/** The path of the package's own vocabulary; the same seen from src/node and from dist/node. */
export const OWN_VOCABULARY = fileURLToPath(new URL("../../assets/vocab.txt", import.meta.url));

/**
 * Reads a vocabulary.
 * @param path - a vocab.txt, or the folder of a model or data set that holds one; the package's own unless said.
 * @throws {FileError} when it cannot be read. @throws {VocabularyError} when it is not a BERT vocabulary.
 */
export async function loadVocabulary(path: string = OWN_VOCABULARY): Promise<Vocabulary> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(path, "vocab.txt") : path;
  return Vocabulary.fromText(await readText(file), file);
}

/** What may be said of a tokenizer besides where it is. */
export interface LoadTokenizerOptions {
  readonly rules?: TokenizationRules;
  /** Keeps capitals and accents; a file that says so needs no word. */
  readonly cased?: boolean;
  /** As the files say unless given. */
  readonly curlyQuotes?: CurlyQuotes;
}

/**
 * A tokenizer for a vocabulary, with all that stands beside it.
 * @param path - a vocab.txt, a tokenizer.json, or the folder of a model or data set; the package's own vocabulary unless said.
 * @throws {FileError} when a file cannot be read. @throws {VocabularyError} when it is malformed, or of another tokenizer.
 * @throws {DataError} when the description of a data set is malformed.
 */
export async function loadTokenizer(path?: string, options: LoadTokenizerOptions = {}): Promise<BertTokenizer> {
  const { rules = "huggingface", cased = false, curlyQuotes } = options;
  const given = {
    ...(cased ? { lowercase: false, stripAccents: false } : {}),
    ...(curlyQuotes === undefined ? {} : { curlyQuotes }),
  };
  const json = path === undefined ? undefined : await findFile(path, "tokenizer.json");
  if (json !== undefined) {
    // Google's rules look for no tokens in the text and have their own word limit.
    const ruleOptions = rules === "google" ? { rules, addedTokens: [], maxInputCharsPerWord: 200 } : {};
    return BertTokenizer.fromTokenizerJson(parseJson(await readText(json), json), { ...ruleOptions, ...given });
  }
  const description = path === undefined ? undefined : await findFile(path, DATASET_FILE);
  const own = description === undefined ? {} : parseDescription(await readText(description), description).tokenizer;
  return new BertTokenizer(await loadVocabulary(path), { ...own, rules, ...given });
}

/** The path itself where it ends as the name does; the file of that name where the path is a folder that has it. */
async function findFile(path: string, name: string): Promise<string | undefined> {
  if (path.endsWith(".json")) return name.endsWith("tokenizer.json") ? path : undefined;
  const file = join(path, name);
  return (await stat(file).catch(() => undefined)) === undefined ? undefined : file;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "the file is damaged, or no JSON: give a model's own tokenizer.json or its vocab.txt";
    throw new VocabularyError({ where, expected: "a tokenizer.json", got: cause, hint, cause });
  }
}
