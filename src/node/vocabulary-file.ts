/** The vocabulary by path, and the package's own where no model or file brings one. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
