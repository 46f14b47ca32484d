/** Where converted data go: files of instances, or of documents. They appear together when all are written. */
import { encodeIds, idType, megatronIndex, paddleIdsHeader, paddleIndex } from "../data/indexed-ids.ts";
import type { PretrainingInstance } from "../data/instance.ts";
import { encodeInstanceLine } from "../data/jsonl.ts";
import { createInstanceParquet } from "../data/parquet-instances.ts";
import { type ExampleShape, encodeExample, frameRecord } from "../data/tfrecord.ts";
import { referenceOf, spacedText, type TokenSentence, textOfTokens, WordMarks } from "../data/token-documents.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { type AtomicFile, createAtomicFile } from "./files.ts";

/** A sentence, with its text where it came from one. */
export interface ConvertedSentence extends TokenSentence {
  readonly text?: string;
  /** The same with a space between words. */
  readonly spaced?: string;
}

/** Takes instances one after the other. */
export interface InstanceOutput {
  readonly paths: readonly string[];
  add(instance: PretrainingInstance): Promise<void>;
  /** @returns bytes written. */
  commit(): Promise<number>;
  abort(): Promise<void>;
}

/** Takes documents one after the other. */
export interface DocumentOutput {
  readonly paths: readonly string[];
  /** Sentences whose text is read as other tokens, and tokens that lost the mark of continuing a word. */
  readonly losses: { changedSentences: number; lostMarks: number };
  add(document: readonly ConvertedSentence[]): Promise<void>;
  commit(): Promise<number>;
  abort(): Promise<void>;
}

async function createAll(paths: readonly string[]) {
  const files: AtomicFile[] = [];
  const abort = async () => {
    for (const file of files) await file.abort();
  };
  try {
    for (const path of paths) files.push(await createAtomicFile(path));
  } catch (error) {
    await abort();
    throw error;
  }
  const commit = async () => {
    for (const file of files) await file.sync();
    for (const file of files) await file.commit();
    return files.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  };
  return { paths, files, commit, abort };
}

/**
 * Files of instances; those of TFRecord are filled in turn, as Google's program does.
 * @throws {FileError} when one cannot be written.
 */
export async function openInstanceOutput(
  format: "tfrecord" | "jsonl" | "parquet",
  output: string,
  { tokenizer, shape }: { readonly tokenizer: BertTokenizer; readonly shape: ExampleShape },
): Promise<InstanceOutput> {
  const paths = format === "tfrecord" ? output.split(",").filter((path) => path !== "") : [output];
  const { files, ...rest } = await createAll(paths);
  const [file] = files as [AtomicFile];
  if (format === "parquet") {
    const parquet = await createInstanceParquet();
    const commit = async () => {
      await file.write(parquet.finish());
      return rest.commit();
    };
    return { ...rest, add: (instance) => file.write(parquet.add(instance)), commit };
  }
  const encode =
    format === "jsonl"
      ? (instance: PretrainingInstance) => encodeInstanceLine(instance, tokenizer.vocabulary, { words: true })
      : (instance: PretrainingInstance) => frameRecord(encodeExample(instance, shape));
  let next = 0;
  return { ...rest, add: (instance) => (files[next++ % files.length] as AtomicFile).write(encode(instance)) };
}

/** What documents can be written as. */
export const DOCUMENT_FORMATS = ["text", "reference", "paddlenlp", "megatron"] as const;
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number];

/** Files of documents. @throws {FileError} when one cannot be written. */
export function openDocumentOutput(
  format: DocumentFormat,
  output: string,
  tokenizer: BertTokenizer,
): Promise<DocumentOutput> {
  return format === "text" || format === "reference"
    ? openTextOutput(format, output, tokenizer)
    : openIdOutput(format, output, tokenizer);
}

/** The reference file beside a text: a_ref.txt beside a.txt. */
function referencePath(path: string): string {
  return path.replace(/(\.\w+)?$/, "_ref$1");
}

async function openTextOutput(
  format: "text" | "reference",
  output: string,
  tokenizer: BertTokenizer,
): Promise<DocumentOutput> {
  const paths = format === "text" ? [output] : [output, referencePath(output)];
  const { files, ...rest } = await createAll(paths);
  const [textFile, referenceFile] = files as [AtomicFile, AtomicFile];
  const losses = { changedSentences: 0, lostMarks: 0 };
  const encoder = new TextEncoder();
  const spaces = preSegmented();
  const { vocabulary } = tokenizer;
  let isFirst = true;
  const isSame = (text: string, ids: Int32Array): boolean => {
    const again = tokenizer.encodePieces(text).ids;
    return again.length === ids.length && again.every((id, i) => id === ids[i]);
  };
  const add = async (document: readonly ConvertedSentence[]): Promise<void> => {
    if (format === "text" && !isFirst) await textFile.write(encoder.encode("\n"));
    isFirst = false;
    for (const sentence of document) {
      const isText = format === "text";
      const line = isText
        ? (sentence.spaced ?? spacedText(sentence, vocabulary))
        : (sentence.text ?? textOfTokens(sentence.ids, vocabulary).text);
      if (!isSame(isText ? spaces.segment(line).text : line, sentence.ids)) losses.changedSentences += 1;
      await textFile.write(encoder.encode(`${line}\n`));
      if (!isText) await referenceFile.write(encoder.encode(`${JSON.stringify(referenceOf(sentence, vocabulary))}\n`));
    }
  };
  return { ...rest, losses, add };
}

/** Ids go to the disk as they come; the lengths of all sentences, 4 bytes each, are in memory until the end. */
async function openIdOutput(
  format: "paddlenlp" | "megatron",
  output: string,
  { vocabulary }: BertTokenizer,
): Promise<DocumentOutput> {
  const isPaddle = format === "paddlenlp";
  const { files, ...rest } = await createAll(
    isPaddle ? [`${output}_ids.npy`, `${output}_idx.npz`] : [`${output}.bin`, `${output}.idx`],
  );
  const [idFile, indexFile] = files as [AtomicFile, AtomicFile];
  const type = idType(format, vocabulary.size);
  const marks = new WordMarks(vocabulary);
  const losses = { changedSentences: 0, lostMarks: 0 };
  const lengths: number[] = [];
  const documents = [0];
  let count = 0;
  if (isPaddle) await idFile.write(paddleIdsHeader(0, type));
  const add = async (document: readonly ConvertedSentence[]): Promise<void> => {
    for (const sentence of document) {
      const { ids, lost } = isPaddle ? marks.mark(sentence) : { ids: sentence.ids, lost: 0 };
      losses.lostMarks += lost;
      lengths.push(ids.length);
      count += ids.length;
      await idFile.write(encodeIds(ids, type));
    }
    documents.push(lengths.length);
  };
  const commit = async (): Promise<number> => {
    const index = { lengths: Int32Array.from(lengths), documents: Float64Array.from(documents) };
    if (isPaddle) await idFile.patch(0, paddleIdsHeader(count, type));
    for (const chunk of isPaddle ? paddleIndex(index) : megatronIndex(index, type)) await indexFile.write(chunk);
    return rest.commit();
  };
  return { ...rest, losses, add, commit };
}
