/** `zhbert tokenize`: shows what a text becomes: tokens, ids, where they stand, which word they belong to. */

import { VocabularyError } from "../../errors.ts";
import { readText } from "../../node/files.ts";
import { loadVocabulary } from "../../node/vocabulary-file.ts";
import type { TokenizationRules } from "../../text/characters.ts";
import { BertTokenizer } from "../../text/tokenizer.ts";
import { type CommandContext, defineCommand } from "../command.ts";

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
        "vocab.txt or tokenizer.json, or the folder of a model that holds a vocab.txt (default: the package's own)",
    },
    {
      flags: "--rules <name>",
      description: "tokenisation rules; they differ on rare text only",
      default: "huggingface",
      choices: ["huggingface", "google"],
    },
    { flags: "--cased", description: "keep capitals and accents, for models trained so" },
    { flags: "--no-special-tokens", description: "leave out [CLS] and [SEP]" },
  ],
  examples: [
    "zhbert tokenize 使用语言模型来预测下一个词的probability。",
    "zhbert tokenize --json --no-special-tokens < corpus.txt",
  ],
  run: tokenizeTexts,
});

async function tokenizeTexts({ args, options, output, signal, stdinLines }: CommandContext): Promise<void> {
  const tokenizer = await openTokenizer(options["vocab"], options["rules"], options["cased"] === true);
  const addSpecialTokens = options["specialTokens"] !== false;
  const given: readonly string[] = args["text"] ?? [];
  let shown = 0;
  for await (const text of given.length > 0 ? given : stdinLines()) {
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

/** A tokenizer.json says itself whether it is cased; `--cased` can only add to it. */
async function openTokenizer(
  path: string | undefined,
  rules: TokenizationRules,
  cased: boolean,
): Promise<BertTokenizer> {
  const casing = cased ? { lowercase: false, stripAccents: false } : {};
  if (path === undefined || !path.endsWith(".json")) {
    return new BertTokenizer(await loadVocabulary(path), { rules, ...casing });
  }
  const text = await readText(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const hint = "the file is damaged, or no JSON: give a model's own tokenizer.json or its vocab.txt";
    throw new VocabularyError({ where: path, expected: "a tokenizer.json", got: cause, hint, cause });
  }
  // Google's rules look for no tokens in the text and have their own word limit.
  const ruleOptions = rules === "google" ? { rules, addedTokens: [], maxInputCharsPerWord: 200 } : {};
  return BertTokenizer.fromTokenizerJson(json, { ...ruleOptions, ...casing });
}
