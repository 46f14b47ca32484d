/** zhbert features: every token's hidden states, in the layout of Google's extract_features.py. */
import type { TextFeatures } from "../../inference/features.ts";
import { given } from "../../util/given.ts";
import { defineCommand } from "../command.ts";
import { hubOptions, loadModel, modelArgument } from "../model.ts";
import { sequenceLength, wholeNumber } from "../numbers.ts";
import { engineOptions, layerList, openTexts, pairOf, textProgress } from "../text-input.ts";
import { expectVectorFile, openVectorOutput, printWritten } from "../vector-output.ts";

export default defineCommand({
  name: "features",
  summary: "write every token's hidden states as Google's extract_features does",
  arguments: [
    modelArgument,
    { name: "file", description: "texts, one a line, `A ||| B` for a pair; standard input for -", optional: true },
  ],
  options: [
    { flags: "-o, --output <path>", description: "a .jsonl file (default: stdout)" },
    {
      flags: "--layers <list>",
      description: "-1 is the last layer, 0 the embeddings (default: -1,-2,-3,-4, as many as there are)",
      parse: layerList,
    },
    {
      flags: "--max-seq-length <n>",
      description: "tokens of a text, [CLS] and [SEP] included; what is longer is cut",
      default: 128,
      parse: wholeNumber("--max-seq-length", 4),
    },
    ...engineOptions,
    ...hubOptions,
  ],
  examples: ["zhbert features hfl/chinese-bert-wwm texts.txt --layers=-1,-2,-3,-4 -o features.jsonl"],
  async run(context) {
    const { args, options, output, signal } = context;
    const { output: path, layers, maxSeqLength, batchTokens } = options;
    expectVectorFile(path, [".jsonl"]);
    const texts = await openTexts(args["file"], context);
    const model = await loadModel(context, args["model"]);
    const progress = textProgress(output, "features", texts.count);
    const target = await openVectorOutput(path, 0, output);
    async function* stripped() {
      for await (const line of texts.lines) yield pairOf(line.trim());
    }
    const onProgress = (done: number) => progress.update(done);
    const maxLength = Math.min(sequenceLength(maxSeqLength), model.config.maxPositionEmbeddings);
    let [index, truncated] = [0, 0];
    try {
      const featureOptions = given({ layers, maxLength, batchTokens, signal, onProgress });
      for await (const features of model.featureStream(stripped(), featureOptions)) {
        await target.writeJson(googleLine(index++, features));
        truncated += Number(features.isTruncated);
      }
      progress.stop();
      await target.commit();
      printWritten(path, { texts: index, columns: model.config.hiddenSize }, output);
    } finally {
      progress.stop();
      await target.abort();
      await model.dispose();
    }
    if (truncated > 0) output.note(`${truncated} of ${index} texts had more than ${maxLength} tokens and were cut`);
  },
});

const DECIMALS = 1e6;

/** The object of a line; `linex_index` is the original's spelling. Source: extract_features.py of google-research/bert. */
function googleLine(index: number, { tokens, layers }: TextFeatures): object {
  const features = tokens.map((token, place) => ({
    token,
    layers: layers.map(({ index: layer, values }) => {
      const width = values.length / tokens.length;
      const own = values.subarray(place * width, (place + 1) * width);
      return { index: layer, values: Array.from(own, (value) => Math.round(value * DECIMALS) / DECIMALS) };
    }),
  }));
  return { linex_index: index, features };
}
