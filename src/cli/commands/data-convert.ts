/** `zhbert data convert`: training data in the files of another program. */

import { MASKINGS } from "../../data/shards.ts";
import { UsageError } from "../../errors.ts";
import { type ConvertDataReport, convertData, OUTPUT_FORMATS } from "../../node/convert-data.ts";
import { INPUT_FORMATS } from "../../node/data-inputs.ts";
import { createSegmenter, SEGMENTERS } from "../../node/segmenters.ts";
import { loadTokenizer } from "../../node/vocabulary-file.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { inMegabytes, wholeNumber } from "../numbers.ts";
import { openEndedProgress } from "../progress.ts";

export default defineCommand({
  name: "data-convert",
  summary: "write training data in the files of another program",
  arguments: [
    {
      name: "data",
      description:
        "a data folder; files that end in .tfrecord, .jsonl, .parquet, .txt; NAME of NAME_ids.npy or NAME.bin",
      variadic: true,
    },
  ],
  options: [
    {
      flags: "-o, --output <path>",
      description:
        "a folder (shards), a file, files with commas between (tfrecord), a name without ending (paddlenlp, megatron), - for standard output (text)",
    },
    { flags: "--to <format>", description: "what to write", default: "shards", choices: OUTPUT_FORMATS },
    {
      flags: "--from <format>",
      description: "what the data are (default: told by their names)",
      choices: INPUT_FORMATS,
    },
    {
      flags: "--vocab <path>",
      description:
        "vocab.txt of the ids, or a folder that holds one (default: the data folder's, or the package's own)",
    },
    { flags: "--cased", description: "keep upper and lower case and accents apart" },
    {
      flags: "--segmenter <name>",
      description: "finds words where the data do not say them",
      default: "jieba",
      choices: SEGMENTERS,
    },
    { flags: "--user-dictionary <path>", description: "words for jieba: word [frequency] [tag] a line" },
    { flags: "--reference-file <path>", description: "words for --segmenter reference: Hugging Face's reference file" },
    {
      flags: "--text-field <name>",
      description: "parquet without input_ids: the column of a document's text",
      default: "text",
    },
    { flags: "--held-out", description: "shards: the instances kept apart for evaluation, in place of the others" },
    {
      flags: "--masking <name>",
      description: "how the masks of others were drawn, for --dynamic-masking",
      default: "whole-word",
      choices: MASKINGS,
    },
    {
      flags: "--max-seq-length <n>",
      description: "tokens that sequences are padded to (default: as the input, or its longest)",
      parse: wholeNumber("--max-seq-length", 8),
    },
    {
      flags: "--max-predictions-per-seq <n>",
      description: "predictions that are padded to (default: as the input, or its most)",
      parse: wholeNumber("--max-predictions-per-seq", 1),
    },
  ],
  examples: [
    "zhbert data convert google-0.tfrecord google-1.tfrecord -o shards/ --vocab vocab.txt",
    "zhbert data convert shards/ -o data.parquet --to parquet",
    "zhbert data convert corpus.txt -o corpus-hf.txt --to reference",
    "zhbert data convert wiki_ids.npy --to text -o - | zhbert data -o shards/ --segmenter spaces --no-split-sentences",
  ],
  run,
});

async function run(context: CommandContext): Promise<void> {
  const { args, options, output, signal } = context;
  const inputs = args["data"] as readonly string[];
  const path = outputPath(options["output"]);
  const isStandardOutput = path === STANDARD_OUTPUT;
  if (isStandardOutput && options["to"] !== "text") {
    throw new UsageError({ where: "--output", expected: "a path, for all but --to text", got: "-" });
  }
  const tokenizer = await loadTokenizer(options["vocab"] ?? (await folderOf(inputs)), {
    cased: options["cased"] === true,
  });
  const segmenter = await createSegmenter(options["segmenter"], {
    tokenizer,
    ...(options["userDictionary"] === undefined ? {} : { userDictionary: options["userDictionary"] }),
    ...(options["referenceFile"] === undefined ? {} : { referenceFile: options["referenceFile"] }),
  });
  const given = {
    format: options["from"],
    maxSeqLength: options["maxSeqLength"],
    maxPredictionsPerSeq: options["maxPredictionsPerSeq"],
  };
  const progress = openEndedProgress(output, { unit: "items", label: "converting" });
  const started = performance.now();
  const report = await convertData({
    inputs,
    output: path,
    to: options["to"],
    tokenizer,
    segmenter,
    masking: options["masking"],
    heldOut: options["heldOut"] === true,
    textColumn: options["textField"],
    signal,
    onProgress: (done) => progress.update(done),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  }).finally(() => progress.stop());
  const seconds = (performance.now() - started) / 1000;
  if (isStandardOutput) for (const note of report.notes) output.note(note);
  else print(report, seconds, output);
}

const STANDARD_OUTPUT = "/dev/stdout";

function outputPath(path: string | undefined): string {
  if (path !== undefined && path !== "") return path === "-" ? STANDARD_OUTPUT : path;
  const hint = "for example: zhbert data convert google.tfrecord -o shards/";
  throw new UsageError({ where: "--output", expected: "where to write", got: path ?? "nothing", hint });
}

/** A data folder has the vocabulary of its ids. */
async function folderOf(inputs: readonly string[]): Promise<string | undefined> {
  const [first] = inputs;
  if (first === undefined) return undefined;
  const { stat } = await import("node:fs/promises");
  const isData = await stat(`${first}/dataset.json`).catch(() => undefined);
  return isData === undefined ? undefined : first;
}

function print(report: ConvertDataReport, seconds: number, output: CommandContext["output"]): void {
  output.json({ ...report, seconds });
  const rows = (["instances", "documents", "sentences", "tokens"] as const)
    .filter((name) => report[name] > 0)
    .map((name) => [name, report[name].toLocaleString("en-US")]);
  output.table(
    ["what", "count"],
    [...rows, ["written", `${inMegabytes(report.outputBytes)} MB: ${report.outputs.join(", ")}`]],
  );
  for (const note of report.notes) output.note(note);
}
