/** What commands that read text share: lines or a corpus from files or standard input, its encoding, pairs, layers, and progress. */
import { TEXT_ENCODINGS, type TextEncoding } from "../data/read-block.ts";
import { UsageError } from "../errors.ts";
import type { TextOrPair } from "../inference/token-rows.ts";
import { type Corpus, corpusOfLines, openCorpus } from "../node/corpus.ts";
import { openTextLines, type TextLines } from "../node/text-lines.ts";
import { given } from "../util/given.ts";
import type { CommandContext, CommandOption, Output, Progress } from "./command.ts";
import { wholeNumber } from "./numbers.ts";
import { openEndedProgress } from "./progress.ts";
import { runtimeOptions } from "./runtime-options.ts";

/** The texts of a file, or of standard input for `-` or nothing. */
export async function openTexts(path: string | undefined, context: CommandContext): Promise<TextLines> {
  const { output, encoding } = context.options;
  if (path === undefined || path === "-") return { count: undefined, lines: context.stdinLines(encoding) };
  const outputs: string[] = output === undefined ? [] : [output];
  return openTextLines(
    path,
    given({ signal: context.signal, outputs, encoding: encoding as TextEncoding | undefined }),
  );
}

/** A corpus, and the encoding of its bytes. */
export interface OpenedCorpus {
  readonly corpus: Corpus;
  readonly encoding: TextEncoding;
}

/** The corpus that a command's argument of this name names, or standard input, whose lines are decoded as they come. */
export async function openCorpusOf({ args, options, stdinLines }: CommandContext): Promise<OpenedCorpus> {
  const paths: readonly string[] = args["corpus"] ?? [];
  const encoding: TextEncoding = options["encoding"] ?? "utf-8";
  if (paths.length > 0) return { corpus: await openCorpus(paths), encoding };
  return { corpus: corpusOfLines(stdinLines(encoding), "standard input"), encoding: "utf-8" };
}

/** As extract_features.py and bert-as-service part two texts of a line. */
const PAIR = /^(.*) \|\|\| (.*)$/;

/** A line as a text, or as a pair where ` ||| ` stands between two. */
export function pairOf(line: string): TextOrPair {
  const match = PAIR.exec(line);
  return match === null ? line : [match[1] as string, match[2] as string];
}

/** Layers as the command line takes them: `-2`, or `-1,-2`. */
export function layerList(text: string): readonly number[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.every((part) => /^-?\d+$/.test(part))) return parts.map(Number);
  throw new UsageError({
    where: "--layers",
    expected: "layers with commas between: 0 is the embeddings, -1 the last layer",
    got: text,
    hint: "write --layers=-1,-2",
  });
}

/** Of what a command reads as text. */
export const encodingOption: CommandOption = {
  flags: "--encoding <name>",
  description: "of the text that is read",
  default: "utf-8",
  choices: TEXT_ENCODINGS,
};

function streamCount(text: string): number | "auto" {
  if (text === "auto") return text;
  if (/^\d+$/.test(text) && Number(text) >= 1) return Number(text);
  throw new UsageError({ where: "--streams", expected: "auto, or a whole number of 1 or more", got: text });
}

/** Options of every command that runs a model over many texts. */
export const engineOptions: readonly CommandOption[] = [
  encodingOption,
  {
    flags: "--batch-tokens <n>",
    description: "the most tokens of one run of the model, padding included (default: 1024)",
    parse: wholeNumber("--batch-tokens", 1),
  },
  ...runtimeOptions,
  {
    flags: "--streams <n>",
    description: "runs at a time, each on its share of the threads; auto is what is faster (OpenVINO)",
    parse: streamCount,
    default: "auto",
  },
];

/** Texts done, with rate and time left where their number is known. */
export function textProgress(output: Output, label: string, count: number | undefined): Progress {
  if (count === undefined) return openEndedProgress(output, { unit: "texts", label });
  return output.progress({ total: count, unit: "texts", label });
}
