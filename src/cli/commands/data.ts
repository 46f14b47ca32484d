/** `zhbert data`: pre-training data from plain text. Google's flags in kebab-case, words masked whole by default. */
import { TEXT_FORMATS } from "../../data/text-blocks.ts";
import { UsageError } from "../../errors.ts";
import {
  DATA_FORMATS,
  type DataFormat,
  type DataPart,
  type DataReport,
  type MakeDataOptions,
  makeData,
} from "../../node/make-data.ts";
import { SEGMENTERS } from "../../node/segmenters.ts";
import { loadTokenizer } from "../../node/vocabulary-file.ts";
import { type CommandContext, type CommandOption, defineCommand } from "../command.ts";
import { printReport, sharesOf } from "../data-report.ts";
import { maskingOption, maskingOptions, readMaskingOptions } from "../masking-options.ts";
import { inMegabytes, probability, sequenceLength, share, wholeNumber } from "../numbers.ts";
import { phaseOption, presetOption, printPresets, readPreset, withDataPreset } from "../preset-options.ts";
import { openEndedProgress } from "../progress.ts";
import { encodingOption, openCorpusOf } from "../text-input.ts";
import { curlyQuotesOf, curlyQuotesOption } from "../tokenizer-options.ts";

/** Five passes, as the Chinese whole word masking models were trained (ymcui/Chinese-BERT-wwm issue 28). */
const DUPE_FACTOR = 5;
/** What the next sentence head learns. */
const SENTENCE_TASKS = ["nsp", "sop", "none"] as const;
type SentenceTask = (typeof SENTENCE_TASKS)[number];

/** The default of Google's program. */
const GOOGLE_DUPE_FACTOR = 10;

const options: readonly CommandOption[] = [
  presetOption,
  phaseOption,
  {
    flags: "-o, --output <path>",
    description: "a folder (shards), a file (jsonl), files with commas between (tfrecord)",
  },
  { flags: "--format <name>", description: "what to write", default: "shards", choices: DATA_FORMATS },
  { flags: "--vocab <path>", description: "vocab.txt, or a folder that holds one (default: the package's own)" },
  { flags: "--cased", description: "keep upper and lower case and accents apart" },
  curlyQuotesOption,
  {
    flags: "--max-seq-length <n>",
    description: "tokens of a sequence, at most 512",
    default: 128,
    parse: wholeNumber("--max-seq-length", 8),
  },
  ...maskingOptions,
  {
    flags: "--short-seq-prob <share>",
    description: "share of shorter sequences",
    default: 0.1,
    parse: probability("--short-seq-prob"),
  },
  {
    flags: "--dupe-factor <n>",
    description: `passes over the text, each masked anew (default: ${DUPE_FACTOR}; ${GOOGLE_DUPE_FACTOR} with --google-compatible)`,
    parse: wholeNumber("--dupe-factor", 1),
  },
  {
    flags: "--random-seed <n>",
    description: "the same seed gives the same bytes",
    default: 12345,
    parse: wholeNumber("--random-seed"),
  },
  maskingOption(" (default: whole-word; char with --google-compatible --segmenter none)"),
  { flags: "--do-whole-word-mask", description: "the same as --masking whole-word" },
  { flags: "--segmenter <name>", description: "what finds words", default: "jieba", choices: SEGMENTERS },
  { flags: "--user-dictionary <path>", description: "words for jieba: word [frequency] [tag] a line" },
  { flags: "--reference-file <path>", description: "words for --segmenter reference: Hugging Face's reference file" },
  {
    flags: "--sentence-task <name>",
    description: "nsp: is B next or random; sop: are A and B in order; none: full sentences (default: nsp)",
    choices: SENTENCE_TASKS,
  },
  { flags: "--no-nsp", description: "the same as --sentence-task none" },
  { flags: "--cross-documents", description: "none: go on over the ends of documents, with [SEP] there" },
  { flags: "--no-split-sentences", description: "a line is one sentence; do not cut paragraphs at 。！？；" },
  { flags: "--input <format>", description: "what the corpus is", default: "text", choices: TEXT_FORMATS },
  { flags: "--text-field <name>", description: "jsonl: the field that holds a document's text", default: "text" },
  { ...encodingOption, description: "of the corpus" },
  {
    flags: "--clean",
    description: "HTML references become characters; control and zero-width ones, runs of spaces go",
  },
  {
    flags: "--min-line-length <n>",
    description: "remove lines of fewer characters",
    parse: wholeNumber("--min-line-length", 0),
  },
  {
    flags: "--max-line-length <n>",
    description: "remove lines of more characters",
    parse: wholeNumber("--max-line-length", 1),
  },
  {
    flags: "--min-chinese <share>",
    description: "remove lines with a smaller share of Chinese characters",
    parse: probability("--min-chinese"),
  },
  { flags: "--drop-duplicate-lines", description: "remove lines whose letters were read before" },
  {
    flags: "--held-out <share>",
    description: "share of documents kept apart for evaluation (shards)",
    default: 0,
    parse: share("--held-out"),
  },
  {
    flags: "--google-compatible",
    description: "tokeniser rules, order and random numbers of Google's program; holds all text in memory",
  },
  {
    flags: "--workers <n>",
    description: "threads that work on the text; the bytes do not depend on it (default: one a processor, at most 4)",
    parse: wholeNumber("--workers", 1),
  },
  {
    flags: "--shard <i/n>",
    description: "make part i of n on this machine; merge: write the data from all parts beside the output",
    parse: dataPart,
  },
  { flags: "--overwrite", description: "remove what another command has left unfinished at the output" },
  {
    flags: "--shard-size <size>",
    description: "a shard is closed at this size",
    default: "64MB",
    parse: byteSize("--shard-size"),
  },
  {
    flags: "--max-line-bytes <size>",
    description: "longer lines are refused",
    default: "16MB",
    parse: byteSize("--max-line-bytes"),
  },
];

export default defineCommand({
  name: "data",
  summary: "make pre-training data from plain text, words masked whole",
  arguments: [
    {
      name: "corpus",
      description: "text: a sentence or paragraph a line, a blank line between documents (default: standard input)",
      optional: true,
      variadic: true,
    },
  ],
  options,
  examples: [
    "zhbert data corpus.txt -o data/ --max-seq-length 128 --dupe-factor 5",
    "zhbert data books/*.txt -o data/ --held-out 0.02 --user-dictionary words.txt",
    "zhbert data corpus.txt -o data/ --shard 2/3",
    "zhbert data corpus.txt -o data-512/ --preset bert-wwm --phase 2",
    "zhbert data corpus.txt -o data.jsonl --format jsonl --masking ngram",
    "zhbert data corpus.txt -o a.tfrecord,b.tfrecord --format tfrecord --google-compatible --segmenter none",
  ],
  run,
});

async function run(given: CommandContext): Promise<void> {
  if (readPreset(given) === "list") return printPresets(given.output);
  const context = withDataPreset(given);
  const made = await readOptions(context);
  const { corpus, heldOut } = made;
  const { output } = context;
  const started = performance.now();
  const passes = heldOut > 0 && made.googleCompatible ? 2 : 1;
  const progress =
    corpus.bytes === undefined
      ? openEndedProgress(output, { unit: "MB", label: "data" })
      : output.progress({ total: inMegabytes(corpus.bytes * passes), unit: "MB", label: "data" });
  let report: DataReport;
  try {
    report = await makeData({
      ...made,
      onProgress: (bytes, instances) => progress.update(inMegabytes(bytes), { instances: String(instances) }),
    });
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  output.json({
    output: made.outputs,
    format: made.format,
    ...report,
    ...sharesOf(report, made.maxSeqLength),
    seconds,
  });
  printReport(output, made, report, seconds);
}

/** Options of the command line as makeData takes them; opens corpus, vocabulary and segmenter. */
async function readOptions(context: CommandContext): Promise<MakeDataOptions> {
  const { options, output, signal } = context;
  const format = (options["format"] ?? "shards") as DataFormat;
  const outputs = outputPaths(options["output"], format);
  const googleCompatible = options["googleCompatible"] === true;
  const masking = maskingOf(options, googleCompatible);
  // Google's program masks single tokens without any notion of words.
  const segmenterName = googleCompatible && masking === "char" ? "none" : options["segmenter"];
  const { corpus, encoding } = await openCorpusOf(context);
  const tokenizer = await loadTokenizer(options["vocab"], {
    rules: googleCompatible ? "google" : "huggingface",
    cased: options["cased"] === true,
    ...curlyQuotesOf(options),
  });
  const segmenter = {
    name: segmenterName ?? "jieba",
    ...(options["userDictionary"] === undefined ? {} : { userDictionary: options["userDictionary"] }),
    ...(options["referenceFile"] === undefined ? {} : { referenceFile: options["referenceFile"] }),
  };
  const isPlain = !googleCompatible && options["input"] !== "pairs";
  const splits = options["splitSentences"] !== false && isPlain && segmenter.name !== "reference";
  return {
    corpus,
    outputs,
    format,
    tokenizer,
    segmenter,
    masking,
    ...(await readMaskingOptions({ options, output, signal }, tokenizer)),
    maxSeqLength: sequenceLength(options["maxSeqLength"]),
    shortSeqProb: options["shortSeqProb"],
    dupeFactor: options["dupeFactor"] ?? (googleCompatible ? GOOGLE_DUPE_FACTOR : DUPE_FACTOR),
    randomSeed: options["randomSeed"] ?? options["seed"],
    ...sentenceTaskOf(options),
    googleCompatible,
    splitsSentences: splits,
    heldOut: options["heldOut"],
    shardBytes: toBytes("--shard-size", options["shardSize"]),
    maxLineBytes: toBytes("--max-line-bytes", options["maxLineBytes"]),
    reading: { format: options["input"], encoding, textField: options["textField"] },
    filters: {
      clean: options["clean"] === true,
      dropDuplicates: options["dropDuplicateLines"] === true,
      ...given("minLineLength", options),
      ...given("maxLineLength", options),
      ...given("minChinese", options),
    },
    ...(options["workers"] === undefined ? {} : { workers: options["workers"] }),
    ...(options["shard"] === undefined ? {} : { part: options["shard"] }),
    overwrite: options["overwrite"] === true,
    signal,
  };
}

function given<Name extends string>(
  name: Name,
  options: CommandContext["options"],
): { readonly [key in Name]?: number } {
  return options[name] === undefined ? {} : ({ [name]: options[name] } as { readonly [key in Name]: number });
}

function outputPaths(output: string | undefined, format: DataFormat): string[] {
  if (output === undefined || output === "") {
    throw usage("--output", "where to write", output ?? "nothing", "for example: zhbert data corpus.txt -o data/");
  }
  return format === "tfrecord" ? output.split(",").filter((path) => path !== "") : [output];
}

function sentenceTaskOf(options: CommandContext["options"]) {
  const task = (options["sentenceTask"] ?? (options["nsp"] === false ? "none" : "nsp")) as SentenceTask;
  if (options["nsp"] === false && task !== "none") {
    throw usage("--sentence-task", "none beside --no-nsp", task, "give only one of the two");
  }
  const crossDocuments = options["crossDocuments"] === true;
  if (crossDocuments && task !== "none") throw usage("--cross-documents", "--sentence-task none", task);
  return {
    nextSentence: task !== "none",
    ...(task === "sop" ? { swapSegments: true } : {}),
    ...(crossDocuments ? { crossDocuments } : {}),
  };
}

function maskingOf(options: CommandContext["options"], googleCompatible: boolean): string {
  const named = options["masking"] as string | undefined;
  if (options["doWholeWordMask"] === true) {
    if (named === undefined || named === "whole-word") return "whole-word";
    throw usage("--masking", "whole-word beside --do-whole-word-mask", named, "give only one of the two");
  }
  return named ?? (googleCompatible && options["segmenter"] === "none" ? "char" : "whole-word");
}

/** `2/3`, or `merge`. */
function dataPart(text: string): DataPart | "merge" {
  if (text === "merge") return text;
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const part = { index: Number(index), count: Number(count) };
  if (part.index >= 1 && part.index <= part.count) return part;
  throw usage("--shard", "a part such as 1/3, or merge", text, "of n machines the first makes 1/n, the last n/n");
}

const UNITS: Readonly<Record<string, number>> = { "": 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 };

/** `64MB`, `500kB`, `1000000`, as bytes; kB, MB and GB are powers of 1024. */
function byteSize(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)i?(b?)$/i.exec(text);
    const [, value, prefix] = match ?? [];
    const unit = UNITS[prefix === "" || prefix === undefined ? "" : `${prefix.toLowerCase()}b`];
    const bytes = Math.floor(Number(value) * (unit ?? Number.NaN));
    if (bytes >= 1) return bytes;
    throw usage(flag, "a size such as 64MB", text);
  };
}

/** Defaults come as they are shown in the help, values of the command line parsed. */
function toBytes(flag: string, value: number | string): number {
  return typeof value === "number" ? value : byteSize(flag)(value);
}

function usage(where: string, expected: string, got: unknown, hint?: string): UsageError {
  return new UsageError({ where, expected, got, ...(hint === undefined ? {} : { hint }) });
}
