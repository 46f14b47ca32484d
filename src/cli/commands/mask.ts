/** `zhbert mask`: shows what masking does to a few lines of a corpus, before any data is made. */
import colors from "picocolors";
import { instanceLine } from "../../data/jsonl.ts";
import { compareMasking, createSampler, type MaskedSample, type SampleOptions } from "../../data/mask-sample.ts";
import { referencePositions } from "../../data/reference-lines.ts";
import { CorpusError, verbatim } from "../../errors.ts";
import { createSegmenter, SEGMENTERS } from "../../node/segmenters.ts";
import { loadTokenizer } from "../../node/vocabulary-file.ts";
import type { Vocabulary } from "../../text/vocabulary.ts";
import { Random } from "../../util/random.ts";
import { type CommandContext, type CommandOption, defineCommand } from "../command.ts";
import { legend, renderSample, SampleTotals } from "../masked-text.ts";
import { maskingOption, maskingOptions, readMaskingOptions } from "../masking-options.ts";
import { sequenceLength, wholeNumber } from "../numbers.ts";
import { encodingOption, type OpenedCorpus, openCorpusOf } from "../text-input.ts";
import { curlyQuotesOf, curlyQuotesOption } from "../tokenizer-options.ts";

/** Samples are drawn from so many lines at the head of the corpus, so that a large one need not be read to its end. */
const LINES_TO_CHOOSE_FROM = 10_000;

const options: readonly CommandOption[] = [
  { flags: "-n, --samples <n>", description: "lines to show", default: 5, parse: wholeNumber("--samples", 1) },
  {
    flags: "--segmenter <name>",
    description: "what finds words",
    default: "jieba",
    // A reference file belongs to a whole corpus, line by line; a few lines of it cannot be drawn.
    choices: SEGMENTERS.filter((name) => name !== "reference"),
  },
  { flags: "--user-dictionary <file>", description: "words for jieba: word [frequency] [tag] a line" },
  maskingOption("", { default: "whole-word" }),
  ...maskingOptions,
  {
    flags: "--max-seq-length <n>",
    description: "tokens shown of a line, at most 512",
    default: 128,
    parse: wholeNumber("--max-seq-length", 3),
  },
  {
    flags: "--seed <n>",
    description: "the same seed shows the same samples",
    default: 12345,
    parse: wholeNumber("--seed", 0),
  },
  { flags: "--compare", description: "show each line masked by character and by whole word" },
  {
    flags: "--references",
    description:
      "write Hugging Face's reference file instead: for each line the positions of tokens that continue a word",
  },
  { flags: "--vocab <path>", description: "vocab.txt, or a folder that holds one (default: the package's own)" },
  { flags: "--cased", description: "keep capitals and accents, for models trained so" },
  curlyQuotesOption,
  encodingOption,
];

export default defineCommand({
  name: "mask",
  summary: "show a few masked samples of a corpus, words marked",
  arguments: [{ name: "corpus", description: "text files (default: standard input)", optional: true, variadic: true }],
  options,
  examples: [
    "zhbert mask corpus.txt --segmenter jieba --seed 1",
    "zhbert mask corpus.txt --masking ngram --masked-lm-prob 0.3 -n 10",
    "zhbert mask corpus.txt --references > corpus.ref.txt",
    "echo 使用语言模型来预测下一个词的probability。 | zhbert mask --compare",
  ],
  run: showSamples,
});

async function showSamples(context: CommandContext): Promise<void> {
  const { options, output, signal } = context;
  const seed: number = options["seed"];
  const cased = options["cased"] === true;
  const tokenizer = await loadTokenizer(options["vocab"], { cased, ...curlyQuotesOf(options) });
  const dictionary = options["userDictionary"];
  const segmenter = await createSegmenter(
    options["segmenter"],
    dictionary === undefined ? {} : { userDictionary: dictionary },
  );
  const sampling: SampleOptions = {
    tokenizer,
    segmenter,
    masking: options["masking"],
    ...(await readMaskingOptions({ options, output, signal }, tokenizer)),
    maxSeqLength: sequenceLength(options["maxSeqLength"]),
  };
  const opened = await openCorpusOf(context);
  if (options["references"] === true) return writeReferences(opened, { tokenizer, segmenter }, output, signal);
  const lines = await drawLines(opened, options["samples"], Random.derive(seed, 0), signal);
  if (options["compare"] === true) return showComparisons(lines, sampling, seed, output);
  const sample = createSampler(sampling);
  const totals = new SampleTotals();
  if (!output.isJson) output.print(legend());
  for (const { text, number } of lines) {
    const masked = sample(text, Random.derive(seed, 1, number));
    totals.add(masked, tokenizer.vocabulary);
    output.json(toJson(masked, tokenizer.vocabulary));
    output.print();
    output.print(colors.bold(`line ${number}`));
    output.print(`  text    ${masked.text}`);
    output.print(`  words   ${masked.words.join(" ")}`);
    output.print(`  masked  ${renderSample(masked, tokenizer.vocabulary)}`);
  }
  if (!output.isJson) output.print();
  (output.isJson ? output.note : output.print)(totals.describe());
}

/** A list for each line that is not blank, on standard output; the same with and without --json. */
async function writeReferences(
  { corpus, encoding }: OpenedCorpus,
  words: Pick<SampleOptions, "tokenizer" | "segmenter">,
  output: CommandContext["output"],
  signal: AbortSignal,
): Promise<void> {
  for await (const lines of corpus.read({ encoding, signal })) {
    for (const positions of referencePositions(lines, words)) {
      if (output.isJson) output.json(positions);
      else output.print(JSON.stringify(positions));
    }
  }
}

interface Line {
  readonly text: string;
  /** Its place in the corpus, from 1. */
  readonly number: number;
}

/** Lines drawn at random from the head of the corpus, in its order. Source: reservoir sampling, Vitter 1985. */
async function drawLines(
  { corpus, encoding }: OpenedCorpus,
  count: number,
  random: Random,
  signal: AbortSignal,
): Promise<Line[]> {
  const drawn: Line[] = [];
  let number = 0;
  let seen = 0;
  reading: for await (const group of corpus.read({ encoding, signal })) {
    for (const line of group) {
      number += 1;
      if (line.trim() === "") continue;
      const place = seen < count ? seen : random.integer(seen + 1);
      if (place < count) drawn[place] = { text: line.trim(), number };
      seen += 1;
      if (seen === LINES_TO_CHOOSE_FROM) break reading;
    }
  }
  if (seen === 0) {
    throw new CorpusError({
      where: corpus.name,
      expected: "text",
      got: verbatim("no line that is not blank"),
      hint: "give a text file, or lines on standard input",
    });
  }
  return drawn.sort((a, b) => a.number - b.number);
}

function showComparisons(
  lines: readonly Line[],
  sampling: SampleOptions,
  seed: number,
  output: CommandContext["output"],
): void {
  for (const [i, { text }] of lines.entries()) {
    const comparison = compareMasking(text, sampling, seed);
    output.json(comparison);
    if (i > 0) output.print();
    output.print(`text                ${comparison.text}`);
    output.print(`words               ${comparison.words.join(" ")}`);
    output.print(`character masking   ${paintMasks(comparison.characterMasking)}`);
    output.print(`whole word masking  ${paintMasks(comparison.wholeWordMasking)}`);
  }
}

function paintMasks(tokens: readonly string[]): string {
  return tokens.map((token) => (token === "[MASK]" ? colors.red(token) : token)).join(" ");
}

/** A sample as one JSON object: the fields of `data --format jsonl`, and what people want to see beside them. */
function toJson({ text, words, instance }: MaskedSample, vocabulary: Vocabulary): object {
  return {
    text,
    words,
    ...instanceLine(instance, vocabulary),
    wordStarts: [...instance.wordStarts],
    maskedLmLabels: Array.from(instance.maskedLmIds, (id) => vocabulary.token(id)),
  };
}
