/** zhbert parity: how far the hidden states of two models, or of one model in two formats, lie apart. */
import { type ComparedModel, comparedModel, compareModels } from "../../inference/compare-models.ts";
import { openPretrained } from "../../node/bert-model.ts";
import { given } from "../../util/given.ts";
import { defineCommand } from "../command.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";
import { wholeNumber } from "../numbers.ts";
import { openEngine, runtimeOptions } from "../runtime-options.ts";
import { encodingOption, openTexts, pairOf } from "../text-input.ts";

export default defineCommand({
  name: "parity",
  summary: "compare the hidden states of two models, layer by layer",
  arguments: [
    { ...modelArgument, name: "first" },
    { name: "second", description: "another one of the same sizes" },
  ],
  options: [
    { flags: "--texts <file>", description: "texts to run, one a line, `A ||| B` for a pair (default: random ids)" },
    encodingOption,
    { flags: "--seed <n>", description: "of the random ids", default: 0, parse: wholeNumber("--seed", 0) },
    ...runtimeOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert parity chinese_wwm_ext_L-12_H-768_A-12.zip hfl/chinese-bert-wwm-ext",
    "zhbert parity a/ b/ --json",
  ],
  async run(context) {
    const { args, options, output, signal } = context;
    const { texts: path, seed } = options;
    const opened = path === undefined ? undefined : await openTexts(path, context);
    async function* pairs() {
      for await (const line of opened?.lines ?? []) yield pairOf(line);
    }
    const { runtime, release } = await openEngine(context, "inference");
    const models: ComparedModel[] = [];
    for (const name of [args["first"], args["second"]] as string[]) {
      const { stop, ...download } = downloadOptions(context);
      const model = await openPretrained(name, download);
      stop();
      for (const note of model.notes) output.note(`${name}: ${note}`);
      models.push(comparedModel(model, runtime));
    }
    const [first, second] = models as [ComparedModel, ComparedModel];
    const texts = opened === undefined ? undefined : pairs();
    const differences = await compareModels(first, second, given({ texts, seed: seed as number, signal }));
    for (const difference of differences) output.json(difference);
    output.table(
      ["layer", "max abs diff", "cosine"],
      differences.map(({ layer, maxAbsDiff, cosine }) => [
        layer === 0 ? "0 (embeddings)" : String(layer),
        maxAbsDiff === 0 ? "0" : maxAbsDiff.toExponential(2),
        cosine.toFixed(9),
      ]),
    );
    await release();
  },
});
