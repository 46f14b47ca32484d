/** zhbert fill-mask: the likeliest characters, pieces or words at each [MASK]. */
import { UsageError } from "../../errors.ts";
import type { FillMaskOptions, FillMaskResult, FillWordsOptions } from "../../inference/fill-mask-options.ts";
import { mlmHeadWarning } from "../../model/mlm-head.ts";
import { MLM_HEAD } from "../../model/trainable.ts";
import type { BertModel } from "../../node/bert-model.ts";
import { jiebaWords, readWords } from "../../node/lexicon.ts";
import { type CommandContext, defineCommand, type Output } from "../command.ts";
import { hubOptions, loadModel, modelArgument } from "../model.ts";
import { wholeNumber } from "../numbers.ts";
import { runtimeOptions } from "../runtime-options.ts";
import { encodingOption } from "../text-input.ts";

/** Lines of standard input in one run of the model. */
const LINES_AT_ONCE = 64;

export default defineCommand({
  name: "fill-mask",
  summary: "fill each [MASK] of a text with the entries or words that a model holds likeliest",
  arguments: [
    modelArgument,
    {
      name: "text",
      description: "texts with [MASK]; lines of standard input when left out",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { flags: "-k, --top-k <n>", description: "entries for each [MASK]", default: 5, parse: wholeNumber("--top-k", 1) },
    { flags: "--joint", description: "also rank fillings of all [MASK]s together, each being read by the next" },
    {
      flags: "--whole-word",
      description:
        "fill in words: [MASK]s that touch are a word of so many characters, a single one stands for any word",
    },
    {
      flags: "--lexicon <file>",
      description: "--whole-word from these words, one a line (default: jieba's dictionary)",
    },
    { flags: "--candidates <words>", description: "--whole-word from these words alone, with commas between" },
    {
      flags: "--word-lengths <list>",
      description: "characters of a word in place of a single [MASK] (default: 1,2,3,4)",
      parse: (text) => text.split(",").map(wholeNumber("--word-lengths", 1)),
    },
    {
      flags: "--beam-size <n>",
      description:
        "fillings and beginnings of words that are followed (default: 10, or --top-k where that is more; beginnings of words 50)",
      parse: wholeNumber("--beam-size", 1),
    },
    ...runtimeOptions,
    { ...encodingOption, description: "of standard input and of --lexicon" },
    ...hubOptions,
  ],
  examples: [
    'zhbert fill-mask out/ "今天天[MASK]很好。" --top-k 5',
    'zhbert fill-mask out/ "我爱[MASK][MASK]。" --whole-word',
    'zhbert fill-mask out/ "他住在[MASK]。" --candidates 北京,上海,哈尔滨',
    "zhbert fill-mask out/ --json < texts.txt",
  ],
  async run(context) {
    const { args, options, output, stdinLines } = context;
    const fillOptions = await readOptions(context);
    const model = await loadModel(context, args["model"]);
    const warning = mlmHeadWarning(model.inspectMlmHead(), args["model"]);
    // Without its tensors the model refuses by itself.
    if (warning !== undefined && !model.report.missing.some((name) => name.startsWith(MLM_HEAD))) {
      output.note(`warning: ${warning}`);
    }
    const texts: readonly string[] = args["text"] ?? [];
    for await (const lines of texts.length > 0 ? [texts] : chunks(stdinLines(options["encoding"]))) {
      await fill(model, lines, fillOptions, output);
    }
    await model.dispose();
  },
});

async function readOptions({ options }: CommandContext): Promise<FillMaskOptions | FillWordsOptions> {
  const { topK, beamSize, lexicon, candidates, wordLengths } = options;
  const common = {
    topK,
    joint: options["joint"] === true,
    ...(beamSize === undefined ? {} : { beamSize }),
  };
  if (candidates !== undefined) {
    for (const [flag, value] of [
      ["--lexicon", lexicon],
      ["--word-lengths", wordLengths],
    ]) {
      if (value === undefined) continue;
      throw new UsageError({ where: flag, expected: "no --candidates beside it", got: candidates });
    }
    return {
      ...common,
      candidates: String(candidates)
        .split(",")
        .filter((word) => word !== ""),
    };
  }
  if (options["wholeWord"] !== true && lexicon === undefined) {
    if (wordLengths === undefined) return common;
    throw new UsageError({ where: "--word-lengths", expected: "--whole-word beside it", got: wordLengths.join(",") });
  }
  return {
    ...common,
    lexicon: lexicon === undefined ? jiebaWords() : await readWords(lexicon, options["encoding"]),
    ...(wordLengths === undefined ? {} : { wordLengths }),
  };
}

async function fill(
  model: BertModel,
  texts: readonly string[],
  options: FillMaskOptions | FillWordsOptions,
  output: Output,
): Promise<void> {
  for (const result of await model.fillMask(texts, options)) {
    output.json(result);
    printResult(result, output);
  }
}

function printResult(
  { text, masks, joint }: Pick<FillMaskResult, "text" | "joint"> & { readonly masks: readonly (readonly Shown[])[] },
  output: Output,
): void {
  output.print(text);
  const rows = masks.flatMap((candidates, mask) =>
    candidates.map(({ token, score, text: filled }, rank) => [
      rank === 0 && masks.length > 1 ? `${mask + 1}` : "",
      token,
      percent(score),
      filled,
    ]),
  );
  output.table(["mask", "token", "score", "text"], rows);
  if (joint === undefined) return;
  output.print("together");
  output.table(
    ["tokens", "score", "text"],
    joint.map(({ tokens, score, text: filled }) => [tokens.join(" "), percent(score), filled]),
  );
}

/** What entries and words have in common. */
interface Shown {
  readonly token: string;
  readonly score: number;
  readonly text: string;
}

/** Two decimals; products of probabilities are small, and then shown by their first digits. */
function percent(score: number): string {
  const value = 100 * score;
  return `${value >= 0.01 || value === 0 ? value.toFixed(2) : value.toPrecision(2)} %`;
}

async function* chunks(lines: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let chunk: string[] = [];
  for await (const line of lines) {
    if (line.trim() === "") continue;
    chunk.push(line);
    if (chunk.length < LINES_AT_ONCE) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
