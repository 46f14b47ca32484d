/** zhbert semantic-search: the texts of a file that mean most nearly what a query says. */
import { POOLING_STRATEGIES } from "../../inference/pooling.ts";
import { VectorIndex } from "../../inference/semantic-search.ts";
import type { BertModel } from "../../node/bert-model.ts";
import { given } from "../../util/given.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { hubOptions, loadModel, modelArgument } from "../model.ts";
import { wholeNumber } from "../numbers.ts";
import { engineOptions, openTexts, textProgress } from "../text-input.ts";

export default defineCommand({
  name: "semantic-search",
  summary: "find the texts of a file that are nearest in meaning to a query",
  arguments: [
    modelArgument,
    { name: "file", description: "the texts to search in, one a line" },
    {
      name: "queries",
      description: "what to look for; from standard input, one a line, when left out",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { flags: "--top-k <n>", description: "texts for each query", default: 5, parse: wholeNumber("--top-k", 1) },
    {
      flags: "--pooling <strategy>",
      description: "how tokens become one vector (default: what the model's modules.json says, else mean)",
      choices: POOLING_STRATEGIES.filter((name) => name !== "none"),
    },
    ...engineOptions,
    ...hubOptions,
  ],
  examples: [
    'zhbert semantic-search out/ questions.txt "怎么退货"',
    "zhbert semantic-search out/ questions.txt --top-k 10 --json < queries.txt",
  ],
  async run(context) {
    const { args, options, output } = context;
    const texts: string[] = [];
    const source = await openTexts(args["file"], context);
    const model = await loadModel(context, args["model"]);
    try {
      const progress = textProgress(output, "embed", source.count);
      const embedding = given({ pooling: options["pooling"], batchTokens: options["batchTokens"], normalize: true });
      const index = new VectorIndex(model.embeddingSize(embedding));
      async function* kept() {
        for await (const line of source.lines) {
          texts.push(line);
          yield line;
        }
      }
      const streamed = { ...embedding, signal: context.signal, onProgress: (done: number) => progress.update(done) };
      for await (const vector of model.embedStream(kept(), streamed)) index.add(vector);
      progress.stop();
      for await (const query of queriesOf(context)) await answer(query, { model, index, texts, embedding }, context);
    } finally {
      await model.dispose();
    }
  },
});

interface Searched {
  readonly model: BertModel;
  readonly index: VectorIndex;
  readonly texts: readonly string[];
  readonly embedding: object;
}

async function answer(
  query: string,
  { model, index, texts, embedding }: Searched,
  { options, output }: CommandContext,
) {
  const [vector] = await model.embed([query], embedding);
  const hits = index.search(vector as Float32Array, options["topK"]);
  const results = hits.map(({ index: place, score }) => ({ line: place + 1, text: texts[place] as string, score }));
  output.json({ query, results });
  output.table(
    [query, "score", "line"],
    results.map(({ line, text, score }) => [text, score.toFixed(4), line]),
  );
}

async function* queriesOf({ args, stdinLines, options }: CommandContext): AsyncGenerator<string> {
  const given: readonly string[] = args["queries"] ?? [];
  if (given.length > 0) yield* given;
  else for await (const line of stdinLines(options["encoding"])) if (line !== "") yield line;
}
