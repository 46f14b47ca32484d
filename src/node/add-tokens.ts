/** Vocabulary surgery from folder to folder: a model with more tokens, or with other rules for quotes. */
import { resolve } from "node:path";
import type { OutputFile } from "../checkpoint/format.ts";
import { ArgumentError } from "../errors.ts";
import { convertModel } from "../inference/convert-model.ts";
import { type ExtendedVocabulary, extendVocabulary, extendWeights } from "../model/extend-vocabulary.ts";
import type { CurlyQuotes } from "../text/fold-plan.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { loadPretrained } from "./bert-model.ts";
import type { DownloadOptions } from "./hub.ts";
import { ownInput, type WrittenFile, writeFolder } from "./write-folder.ts";

/** What a model gets. */
export interface AddTokensOptions {
  /** New tokens; `##` begins one that continues a word. */
  readonly tokens?: readonly string[];
  /** Whether the places [unused1] and so on are taken before the vocabulary grows; false. */
  readonly useUnused?: boolean;
  /** How the model's tokenizer is to read “ ” ‘ ’; as before unless given. */
  readonly curlyQuotes?: CurlyQuotes;
  /** Whether files of the same names in the folder are replaced; false. */
  readonly overwrite?: boolean;
  /** For a model that comes from the hub. */
  readonly download?: DownloadOptions;
  readonly signal?: AbortSignal;
}

/** What was added, and the files of the new model. */
export interface AddTokensResult extends Omit<ExtendedVocabulary, "tokenizer"> {
  readonly files: readonly WrittenFile[];
  /** Tokens before and after. */
  readonly sizeBefore: number;
  readonly size: number;
  /** How the new model reads “ ” ‘ ’. */
  readonly curlyQuotes: CurlyQuotes;
  /** What was repaired or assumed when the model was opened, for people. */
  readonly notes: readonly string[];
}

/**
 * Writes a model with more tokens, in safetensors; all that is not theirs stays as it is, bit for bit.
 * @param name - a model by path or name. @param folder - for the new model.
 * @throws {ArgumentError} when nothing is to be changed, or a token holds white space.
 * @throws {FileError} when a file is in the way or cannot be read or written; else as `BertModel.fromPretrained`.
 */
export async function addTokens(name: string, folder: string, options: AddTokensOptions): Promise<AddTokensResult> {
  const { tokens = [], curlyQuotes, overwrite = false, signal, download } = options;
  if (tokens.length === 0 && curlyQuotes === undefined) {
    throw new ArgumentError({
      where: "new tokens",
      expected: "at least one token, or a choice for curly quotes",
      got: { verbatim: "none" },
    });
  }
  if (resolve(name) === resolve(folder)) throw ownInput(folder);
  const model = await loadPretrained(name, download);
  const { tokenizer: before } = model;
  const read =
    curlyQuotes === undefined ? before : new BertTokenizer(before.vocabulary, { ...before.options, curlyQuotes });
  const { tokenizer, ...report } = extendVocabulary(read, tokens, options);
  const tensors = extendWeights(model.named.tensors, before.vocabulary, report.added);
  const conversion = convertModel(
    {
      ...model,
      tokenizer,
      config: { ...model.config, vocabSize: Math.max(model.config.vocabSize, tokenizer.vocabulary.size) },
      named: { ...model.named, tensors },
    },
    { to: "safetensors" },
  );
  const files = await writeFolder(folder, allFiles(conversion.weightFiles, conversion.smallFiles), {
    overwrite,
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    ...report,
    files,
    sizeBefore: before.vocabulary.size,
    size: tokenizer.vocabulary.size,
    curlyQuotes: tokenizer.options.curlyQuotes,
    notes: conversion.notes,
  };
}

function* allFiles(weights: Iterable<OutputFile>, small: ReadonlyMap<string, string>): Generator<OutputFile> {
  yield* weights;
  for (const [path, text] of small) yield { path, chunks: [new TextEncoder().encode(text)] };
}
