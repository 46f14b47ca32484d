/** zhbert fill-mask: the likeliest characters and pieces at each [MASK]. */
import type { FillMaskResult } from "../../inference/fill-mask-options.ts";
import { BertModel } from "../../node/bert-model.ts";
import { createOnnxRuntime } from "../../node/onnxruntime.ts";
import { defineCommand, type Output } from "../command.ts";
import { wholeNumber } from "../numbers.ts";

/** Lines of standard input in one run of the model. */
const LINES_AT_ONCE = 64;

export default defineCommand({
  name: "fill-mask",
  summary: "fill each [MASK] of a text with the entries that a model holds likeliest",
  arguments: [
    { name: "model", description: "folder of a model or of a training run" },
    {
      name: "text",
      description: "texts with [MASK]; lines of standard input when left out",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { flags: "-k, --top-k <n>", description: "entries for each [MASK]", default: 5, parse: wholeNumber("--top-k", 1) },
    {
      flags: "--threads <n>",
      description: "threads of the engine (default: all processors)",
      parse: wholeNumber("--threads", 1),
    },
  ],
  examples: ['zhbert fill-mask out/ "今天天[MASK]很好。" --top-k 5', "zhbert fill-mask out/ --json < texts.txt"],
  async run({ args, options, output, stdinLines }) {
    const runtime = createOnnxRuntime(options["threads"] === undefined ? {} : { threads: options["threads"] });
    const model = await BertModel.fromPretrained(args["model"], { runtime });
    const texts: readonly string[] = args["text"] ?? [];
    for await (const lines of texts.length > 0 ? [texts] : chunks(stdinLines())) {
      await fill(model, lines, options["topK"], output);
    }
    await runtime.dispose();
  },
});

async function fill(model: BertModel, texts: readonly string[], topK: number, output: Output): Promise<void> {
  for (const result of await model.fillMask(texts, { topK })) {
    output.json(result);
    printResult(result, output);
  }
}

function printResult({ text, masks }: FillMaskResult, output: Output): void {
  output.print(text);
  const rows = masks.flatMap((candidates, mask) =>
    candidates.map(({ token, score, text: filled }, rank) => [
      rank === 0 && masks.length > 1 ? `${mask + 1}` : "",
      token,
      `${(100 * score).toFixed(2)} %`,
      filled,
    ]),
  );
  output.table(["mask", "token", "score", "text"], rows);
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
