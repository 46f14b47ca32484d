/** Files of labelled data on disk: what is in a folder, and one of them as text, packed or not. */
import { readdir } from "node:fs/promises";
import { type DecodedText, decodeText, type FileEncoding } from "../data/decode-text.ts";
import { FileError, verbatim } from "../errors.ts";
import { openCorpus } from "./corpus.ts";
import { fileError } from "./files.ts";

/** A string of JavaScript holds 2^29 units; XNLI's training file has 80 MB. */
const MAX_TEXT_BYTES = 2 ** 29;
/** THUCNews has 836,000 files in folders; more is a wrong folder, such as the home folder. */
const MAX_FILES = 2_000_000;
/** Folders within folders. */
const MAX_DEPTH = 6;

/**
 * The files in a folder and in its sub-folders, as paths from it with `/`, in order; hidden ones are left out.
 * @throws {FileError} when it cannot be read, or holds too many.
 */
export async function filesUnder(folder: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (inner: string, depth: number): Promise<void> => {
    const path = inner === "" ? folder : `${folder}/${inner}`;
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      throw fileError(path, "the folder of a data set", error);
    });
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const name = inner === "" ? entry.name : `${inner}/${entry.name}`;
      if (!entry.isDirectory()) files.push(name);
      else if (depth < MAX_DEPTH) await walk(name, depth + 1);
      if (files.length > MAX_FILES) {
        const hint = "name the folder of the data set itself";
        throw new FileError({ where: folder, expected: `at most ${MAX_FILES} files`, got: verbatim("more"), hint });
      }
    }
  };
  await walk("", 0);
  return files.sort();
}

/**
 * The text of a file, unpacked where its name ends in .gz, .xz or .zst.
 * @param encoding - told by the bytes when left out.
 * @throws {FileError} when it cannot be read or is too large. @throws {CorpusError} when it is no text in one encoding.
 */
export async function readTextFile(path: string, encoding?: FileEncoding): Promise<DecodedText> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const { bytes } of (await openCorpus([path])).chunks()) {
    chunks.push(bytes.slice());
    size += bytes.length;
    if (size <= MAX_TEXT_BYTES) continue;
    const hint = "take a part of it: labelled data is held in memory";
    throw new FileError({
      where: path,
      expected: `at most ${MAX_TEXT_BYTES} bytes of text`,
      got: verbatim("more"),
      hint,
    });
  }
  return decodeText(Buffer.concat(chunks), path, encoding);
}
