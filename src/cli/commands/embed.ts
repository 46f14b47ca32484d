/** zhbert embed: vectors of texts, or of their words. */
import { UsageError } from "../../errors.ts";
import type { EmbedOptions } from "../../inference/embed.ts";
import { POOLING_STRATEGIES } from "../../inference/pooling.ts";
import { WINDOW_MERGES } from "../../inference/window-merge.ts";
import type { BertModel } from "../../node/bert-model.ts";
import { createSegmenter } from "../../node/segmenters.ts";
import type { TextLines } from "../../node/text-lines.ts";
import { given } from "../../util/given.ts";
import { type CommandContext, defineCommand, type Progress } from "../command.ts";
import { hubOptions, loadModel, modelArgument } from "../model.ts";
import { wholeNumber } from "../numbers.ts";
import { engineOptions, layerList, openTexts, pairOf, textProgress } from "../text-input.ts";
import { expectVectorFile, openVectorOutput, printWritten, shortNumbers, type VectorOutput } from "../vector-output.ts";

const segmenters = ["jieba", "intl", "spaces", "none"];

export default defineCommand({
  name: "embed",
  summary: "turn texts into vectors, or their words",
  arguments: [
    modelArgument,
    { name: "file", description: "texts, one a line, `A ||| B` for a pair; standard input for -", optional: true },
  ],
  options: [
    { flags: "-o, --output <path>", description: ".npy, .safetensors or .jsonl (default: JSON lines on stdout)" },
    {
      flags: "--pooling <strategy>",
      description:
        "how tokens become one vector; first-last-avg is layer 1 and the last, none keeps all tokens (default: what the model's modules.json says, else mean)",
      choices: POOLING_STRATEGIES,
    },
    {
      flags: "--layers <list>",
      description: "0 is the embeddings, -1 the last; several are joined side by side: --layers=-1,-2 (default: -1)",
      parse: layerList,
    },
    { flags: "--mask-cls-sep", description: "leave [CLS] and [SEP] out of the pooling" },
    {
      flags: "--normalize",
      description: "scale each vector to length 1 (default: where the model's modules.json says so)",
    },
    { flags: "--no-normalize", description: "leave vectors as they are, whatever modules.json says" },
    {
      flags: "--truncate-dim <n>",
      description: "keep the first columns only",
      parse: wholeNumber("--truncate-dim", 1),
    },
    { flags: "--words", description: "a vector for each word, the mean of its tokens, with offsets (JSON lines)" },
    { flags: "--segmenter <name>", description: "what finds the words", default: "jieba", choices: segmenters },
    {
      flags: "--max-length <n>",
      description: "tokens of a window, [CLS] and [SEP] included (default: the model's positions)",
      parse: wholeNumber("--max-length", 4),
    },
    {
      flags: "--window-overlap <n>",
      description: "tokens that the windows of a long text share (default: 64)",
      parse: wholeNumber("--window-overlap", 0),
    },
    {
      flags: "--window-merge <how>",
      description: "what becomes of a long text's windows (default: max for max, else mean: each token counts once)",
      choices: WINDOW_MERGES,
    },
    { flags: "--truncate", description: "cut long texts instead of making windows" },
    ...engineOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert embed hfl/rbt3 sentences.txt --pooling mean --layers=-2 -o vectors.npy",
    "zhbert embed out/ --normalize < sentences.txt > vectors.jsonl",
    "zhbert embed out/ sentences.txt --words --segmenter jieba",
  ],
  async run(context) {
    const { args, options, output } = context;
    checkOptions(context);
    const texts = await openTexts(args["file"], context);
    const model = await loadModel(context, args["model"]);
    noteDefaults(model, context);
    const progress = textProgress(output, "embed", texts.count);
    const columns = model.embeddingSize(vectorOptions(options));
    const target = await openVectorOutput(options["output"], columns, output);
    try {
      const write = options["words"] ? writeWords : writeVectors;
      const count = await write(model, texts, target, context, progress);
      progress.stop();
      await target.commit();
      printWritten(options["output"], { texts: count, columns }, output);
    } finally {
      progress.stop();
      await target.abort();
      await model.dispose();
    }
  },
});

/** @throws {UsageError} for options that do not go together. */
function checkOptions({ options }: CommandContext): void {
  const { output, pooling, words } = options;
  // Each text has as many vectors as it has words or tokens.
  expectVectorFile(output, ...(words || pooling === "none" ? [[".jsonl"]] : []));
  const refused = ["truncateDim", "maskClsSep", "windowMerge"].find((name) => words && options[name] !== undefined);
  if (refused === undefined) return;
  const flag = `--${refused.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new UsageError({ where: flag, expected: "no --words beside it", got: options[refused] });
}

/** Says what of the model's own settings is taken; words have none. */
function noteDefaults({ embedding }: BertModel, { options, output }: CommandContext): void {
  const { pooling, normalize, words } = options;
  if (embedding.from === undefined || words) return;
  const taken: string[] = [];
  if (pooling === undefined) taken.push(`pooling ${[embedding.pooling].flat().join(" + ")}`);
  if (normalize === undefined && pooling !== "none" && embedding.normalize) taken.push("vectors of length 1");
  if (taken.length === 0) return;
  output.note(`${taken.join(", ")}, as ${embedding.from} says; --pooling and --no-normalize choose otherwise`);
}

/** What decides the vectors' columns. */
function vectorOptions(options: CommandContext["options"]): EmbedOptions {
  const { layers, pooling, maskClsSep, truncateDim, windowMerge, words } = options;
  return given({ layers, pooling: words ? "mean" : pooling, maskClsSep, truncateDim, windowMerge });
}

function streamOptions({ options, signal }: CommandContext, progress: Progress) {
  const { layers, maxLength, windowOverlap: overlap, batchTokens, truncate, normalize } = options;
  const onProgress = (texts: number) => progress.update(texts);
  return given({ layers, maxLength, overlap, batchTokens, truncate, normalize, signal, onProgress });
}

/** @returns the number of texts. */
async function writeVectors(
  model: BertModel,
  { lines }: TextLines,
  target: VectorOutput,
  context: CommandContext,
  progress: Progress,
): Promise<number> {
  const options: EmbedOptions = { ...streamOptions(context, progress), ...vectorOptions(context.options) };
  // Texts wait here for their vectors, no more of them than the stream holds.
  const waiting: string[] = [];
  async function* pairs() {
    for await (const line of lines) {
      waiting.push(line);
      yield pairOf(line);
    }
  }
  let index = 0;
  const dim = model.embeddingSize(options);
  for await (const vector of model.embedStream(pairs(), options)) {
    const text = waiting.shift() as string;
    if (options.pooling === "none") await target.writeJson({ index, text, vectors: rowsOf(vector, dim) });
    else await target.writeVector({ index, text }, vector);
    index += 1;
  }
  return index;
}

/** @returns the number of texts. */
async function writeWords(
  model: BertModel,
  { lines }: TextLines,
  target: VectorOutput,
  context: CommandContext,
  progress: Progress,
): Promise<number> {
  const segmenter = await createSegmenter(context.options["segmenter"]);
  let index = 0;
  for await (const { text, words } of model.wordVectorStream(lines, segmenter, streamOptions(context, progress))) {
    await target.writeJson({
      index,
      text,
      words: words.map((word) => ({ ...word, vector: shortNumbers(word.vector) })),
    });
    index += 1;
  }
  return index;
}

function rowsOf(data: Float32Array, dim: number): number[][] {
  return Array.from({ length: data.length / dim }, (_, row) => shortNumbers(data.subarray(row * dim, (row + 1) * dim)));
}
