/** zhbert evaluate: the metrics of a model on labelled data, or of a pre-trained one on pre-training data. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DATASET_FILE } from "../../data/dataset.ts";
import { UsageError, verbatim } from "../../errors.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { evaluatePretrained } from "../evaluate-pretraining.ts";
import { maskingOption } from "../masking-options.ts";
import { hubOptions, modelArgument } from "../model.ts";
import { probability, wholeNumber } from "../numbers.ts";

export default defineCommand({
  name: "evaluate",
  summary: "measure a model on labelled data, or a pre-trained one on data of zhbert data",
  arguments: [modelArgument],
  options: [
    { flags: "--data <path>", description: "a folder that zhbert data wrote" },
    { flags: "--split <name>", description: "train or held-out (default: held-out, where there is one)" },
    maskingOption(" (pre-training data; default: the stored masks)"),
    {
      flags: "--masked-lm-prob <share>",
      description: "pre-training data: draw masks anew, of so many tokens (default: as the data was made)",
      parse: probability("--masked-lm-prob"),
    },
    {
      flags: "--seed <n>",
      description: "of masks that are drawn anew (default: 0)",
      parse: wholeNumber("--seed", 0),
    },
    {
      flags: "--max-examples <n>",
      description: "measure the first ones only",
      parse: wholeNumber("--max-examples", 1),
    },
    {
      flags: "--batch-size <n>",
      description: "sequences in a batch (default: 32)",
      parse: wholeNumber("--batch-size", 1),
    },
    {
      flags: "--threads <n>",
      description: "threads of the engine (default: all processors)",
      parse: wholeNumber("--threads", 1),
    },
    ...hubOptions,
  ],
  examples: [
    "zhbert evaluate out/ --data data/ --masking whole-word --json",
    "zhbert evaluate out/ --data data/ --masking char --seed 1",
  ],
  async run(context) {
    await evaluatePretrained(context, context.args["model"], dataOf(context));
  },
});

function dataOf({ options }: CommandContext): string {
  const { data, split } = options;
  if (data === undefined) {
    throw new UsageError({ where: "--data", expected: "the data to measure on", got: verbatim("nothing") });
  }
  if (!existsSync(join(data, DATASET_FILE))) {
    throw new UsageError({ where: "--data", expected: `a folder with a ${DATASET_FILE}`, got: data });
  }
  if (split !== undefined && split !== "train" && split !== "held-out") {
    throw new UsageError({ where: "--split", expected: "train or held-out", got: split });
  }
  return data;
}
