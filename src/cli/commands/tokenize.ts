/** `zhbert tokenize`: shows what a text becomes: tokens, ids, where they stand, which word they belong to. */
import { loadTokenizer } from "../../node/vocabulary-file.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { encodingOption } from "../text-input.ts";
import { curlyQuotesOf, curlyQuotesOption } from "../tokenizer-options.ts";

export default defineCommand({
  name: "tokenize",
  summary: "show the tokens of a text, with ids and offsets",
  arguments: [
    {
      name: "text",
      description: "texts, one encoding each; lines of standard input where none is given",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    {
      flags: "--vocab <path>",
      description:
        "vocab.txt or tokenizer.json, or the folder of a model or data set that holds one (default: the package's own)",
    },
    {
      flags: "--rules <name>",
      description: "tokenisation rules; they differ on rare text only",
      default: "huggingface",
      choices: ["huggingface", "google"],
    },
    { flags: "--cased", description: "keep capitals and accents, for models trained so" },
    curlyQuotesOption,
    { flags: "--no-special-tokens", description: "leave out [CLS] and [SEP]" },
    { ...encodingOption, description: "of standard input" },
  ],
  examples: [
    "zhbert tokenize 使用语言模型来预测下一个词的probability。",
    "zhbert tokenize --json --no-special-tokens < corpus.txt",
  ],
  run: tokenizeTexts,
});

async function tokenizeTexts({ args, options, output, signal, stdinLines }: CommandContext): Promise<void> {
  const tokenizer = await loadTokenizer(options["vocab"], {
    rules: options["rules"],
    cased: options["cased"] === true,
    ...curlyQuotesOf(options),
  });
  const addSpecialTokens = options["specialTokens"] !== false;
  const given: readonly string[] = args["text"] ?? [];
  let shown = 0;
  for await (const text of given.length > 0 ? given : stdinLines(options["encoding"])) {
    signal.throwIfAborted();
    const { tokens, ids, offsets, wordIds } = tokenizer.encode(text, { addSpecialTokens });
    const pairs = Array.from(ids, (_, i): [number, number] => [offsets[2 * i] as number, offsets[2 * i + 1] as number]);
    if (output.isJson) {
      output.json({ tokens, ids: [...ids], offsets: pairs, wordIds: [...wordIds] });
      continue;
    }
    if (shown++ > 0) output.print();
    output.print(text);
    output.table(
      ["token", "id", "start", "end", "word", "text"],
      tokens.map((token, i) => {
        const [start, end] = pairs[i] as [number, number];
        const word = wordIds[i] as number;
        // What was added stands nowhere in the text.
        const place = word < 0 ? ["", "", ""] : [start, end, word];
        return [token, ids[i] as number, ...place, text.slice(start, end)];
      }),
    );
  }
}
