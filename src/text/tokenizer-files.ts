/** The files of a tokeniser within a model's folder, as Transformers and transformers.js load them. */
import { exceedTokens } from "./added-tokens.ts";
import type { BertTokenizer } from "./tokenizer.ts";
import { SPECIAL_TOKENS } from "./vocabulary.ts";

/** The names of a tokeniser's files. */
export const TOKENIZER_FILES = ["vocab.txt", "tokenizer.json", "tokenizer_config.json"] as const;

/**
 * The files of a tokeniser by name.
 * @param maxLength - the most tokens of the model that it is for.
 */
export function tokenizerFiles(
  tokenizer: BertTokenizer,
  maxLength: number,
): Record<(typeof TOKENIZER_FILES)[number], string> {
  return {
    "vocab.txt": tokenizer.vocabulary.toText(),
    "tokenizer.json": toText(tokenizer.toTokenizerJson()),
    "tokenizer_config.json": toText(tokenizerConfig(tokenizer, maxLength)),
  };
}

/**
 * Transformers' BertTokenizer takes only the vocabulary of tokenizer.json and makes everything else anew; what is more
 * than BERT's own tokeniser is loaded by the class that takes the file as it is.
 */
function tokenizerConfig(tokenizer: BertTokenizer, maxLength: number): object {
  const { lowercase, stripAccents, splitChinese, curlyQuotes, addedTokens } = tokenizer.options;
  const isPlain = curlyQuotes === "keep" && !exceedTokens(addedTokens, Object.values(SPECIAL_TOKENS));
  const names = Object.fromEntries(Object.entries(SPECIAL_TOKENS).map(([name, token]) => [`${name}_token`, token]));
  return {
    do_lower_case: lowercase,
    ...(stripAccents === lowercase ? {} : { strip_accents: stripAccents }),
    ...(splitChinese ? {} : { tokenize_chinese_chars: false }),
    model_max_length: maxLength,
    // transformers.js knows the mask by this file alone.
    ...names,
    ...(isPlain
      ? { tokenizer_class: "BertTokenizer" }
      : { tokenizer_class: "PreTrainedTokenizerFast", model_input_names: INPUT_NAMES }),
  };
}

const INPUT_NAMES = ["input_ids", "token_type_ids", "attention_mask"];

function toText(json: object): string {
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
