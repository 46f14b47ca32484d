/** tokenizer.json, the file of Hugging Face's tokenizers library, for BERT's kind of tokeniser. */
import { VocabularyError, verbatim } from "../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { type CurlyQuotes, STRAIGHT_QUOTES } from "./fold-plan.ts";
import type { TokenizerOptions } from "./tokenizer-options.ts";
import { CONTINUATION_PREFIX, SPECIAL_TOKENS, Vocabulary } from "./vocabulary.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a tokenizer.json says of a BERT tokeniser. */
export interface ParsedTokenizerJson {
  readonly vocabulary: Vocabulary;
  readonly options: TokenizerOptions;
}

/**
 * Reads a parsed tokenizer.json. Its settings of truncation and padding are not read: they belong to a call.
 * @throws {VocabularyError} when it is not BERT's WordPiece, or uses a step that has no form here.
 */
export function parseTokenizerJson(json: unknown): ParsedTokenizerJson {
  const root = asObject(json, "tokenizer.json");
  const model = asObject(root["model"], "tokenizer.json: model");
  expectValue("model.type", model["type"] ?? "WordPiece", "WordPiece");
  expectValue("model.continuing_subword_prefix", model["continuing_subword_prefix"] ?? "##", CONTINUATION_PREFIX);
  expectValue("model.unk_token", model["unk_token"] ?? SPECIAL_TOKENS.unk, SPECIAL_TOKENS.unk);
  const { normalizer, curlyQuotes } = parseNormalizer(root["normalizer"]);
  expectValue("normalizer.type", normalizer["type"], "BertNormalizer");
  expectValue("normalizer.clean_text", normalizer["clean_text"] ?? true, true);
  const preTokenizer = asObject(root["pre_tokenizer"], "tokenizer.json: pre_tokenizer");
  expectValue("pre_tokenizer.type", preTokenizer["type"], "BertPreTokenizer");
  const added = Array.isArray(root["added_tokens"])
    ? root["added_tokens"].map((token, i) => parseAddedToken(token, `tokenizer.json: added_tokens[${i}]`))
    : [];
  const lowercase = normalizer["lowercase"] !== false;
  const stripAccents = normalizer["strip_accents"];
  const limit = model["max_input_chars_per_word"];
  return {
    vocabulary: readVocabulary(asObject(model["vocab"], "tokenizer.json: model.vocab"), added),
    options: {
      rules: "huggingface",
      lowercase,
      stripAccents: typeof stripAccents === "boolean" ? stripAccents : lowercase,
      splitChinese: normalizer["handle_chinese_chars"] !== false,
      curlyQuotes,
      addedTokens: added,
      ...(typeof limit === "number" ? { maxInputCharsPerWord: limit } : {}),
    },
  };
}

/** The content of a tokenizer.json. */
export function writeTokenizerJson(vocabulary: Vocabulary, options: Required<TokenizerOptions>): object {
  const { cls, sep } = SPECIAL_TOKENS;
  const special = (token: string, typeId: number) => ({ SpecialToken: { id: token, type_id: typeId } });
  const sequence = (id: string, typeId: number) => ({ Sequence: { id, type_id: typeId } });
  const entry = (token: string) => ({ id: token, ids: [vocabulary.id(token)], tokens: [token] });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: writeAddedTokens(vocabulary, options.addedTokens),
    normalizer: writeNormalizer(options),
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [special(cls, 0), sequence("A", 0), special(sep, 0)],
      pair: [special(cls, 0), sequence("A", 0), special(sep, 0), sequence("B", 1), special(sep, 1)],
      special_tokens: { [sep]: entry(sep), [cls]: entry(cls) },
    },
    decoder: { type: "WordPiece", prefix: CONTINUATION_PREFIX, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: SPECIAL_TOKENS.unk,
      continuing_subword_prefix: CONTINUATION_PREFIX,
      max_input_chars_per_word: options.maxInputCharsPerWord,
      vocab: Object.fromEntries(vocabulary.entries()),
    },
  };
}

/** BERT's normalizer, and before it, where curly quotes are mapped, a replacement for each of them. */
function writeNormalizer({ splitChinese, stripAccents, lowercase, curlyQuotes }: Required<TokenizerOptions>): object {
  const bert = {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: splitChinese,
    strip_accents: stripAccents === lowercase ? null : stripAccents,
    lowercase,
  };
  if (curlyQuotes === "keep") return bert;
  const replacements = [...STRAIGHT_QUOTES].map(([curly, straight]) => ({
    type: "Replace",
    pattern: { String: curly },
    content: straight,
  }));
  return { type: "Sequence", normalizers: [...replacements, bert] };
}

/** A BertNormalizer, alone or after replacements of all four curly quotes. */
function parseNormalizer(value: unknown): { normalizer: Json; curlyQuotes: CurlyQuotes } {
  const normalizer = asObject(value, "tokenizer.json: normalizer");
  if (normalizer["type"] !== "Sequence") return { normalizer, curlyQuotes: "keep" };
  const steps = Array.isArray(normalizer["normalizers"]) ? normalizer["normalizers"] : [];
  const replaced = steps.slice(0, -1).map((step, i) => parseReplacement(step, i));
  const straight = new Map(replaced);
  const isMapping =
    straight.size === STRAIGHT_QUOTES.size && [...STRAIGHT_QUOTES].every(([from, to]) => straight.get(from) === to);
  if (replaced.length > 0 && !isMapping) {
    throw new VocabularyError({
      where: "tokenizer.json: normalizer",
      expected: `replacements of ${[...STRAIGHT_QUOTES.keys()].join(" ")} by straight quotes, or none`,
      got: verbatim(replaced.map(([from, to]) => `${JSON.stringify(from)} by ${JSON.stringify(to)}`).join(", ")),
      hint: "other replacements have no form here: apply them to the text, and take them out of tokenizer.json",
    });
  }
  const last = asObject(steps.at(-1), "tokenizer.json: normalizer.normalizers");
  return { normalizer: last, curlyQuotes: replaced.length > 0 ? "map" : "keep" };
}

function parseReplacement(step: unknown, index: number): readonly [from: string, to: string] {
  const where = `normalizer.normalizers[${index}]`;
  const { type, pattern, content } = asObject(step, `tokenizer.json: ${where}`);
  expectValue(`${where}.type`, type, "Replace");
  return [String(asObject(pattern, `tokenizer.json: ${where}.pattern`)["String"]), String(content)];
}

/** The special tokens are written even where the rules do not look for them in text: loaders mark them by this list. */
function writeAddedTokens(vocabulary: Vocabulary, added: readonly AddedToken[]): object[] {
  const flags = { special: true, lstrip: false, rstrip: false, singleWord: false };
  const special = Object.values(SPECIAL_TOKENS)
    .filter((content) => !added.some((token) => token.content === content))
    .map((content) => ({ content, id: vocabulary.id(content) as number, ...flags }));
  return [...special, ...added].sort((a, b) => a.id - b.id).map(writeAddedToken);
}

/** A token as an element of `added_tokens`. */
export function writeAddedToken({ id, content, singleWord, lstrip, rstrip, special }: AddedToken): object {
  return { id, content, single_word: singleWord, lstrip, rstrip, normalized: false, special };
}

/** A token of `added_tokens`. @throws {VocabularyError} when it is malformed, or matched in normalised text. */
export function parseAddedToken(value: unknown, where: string): AddedToken {
  const token = asObject(value, where);
  const { content, id } = token;
  if (typeof content !== "string" || content === "" || typeof id !== "number") {
    throw new VocabularyError({ where, expected: "a content and an id", got: value });
  }
  if (token["normalized"] === true && token["special"] !== true) {
    throw new VocabularyError({
      where,
      expected: "a token that is matched as it is written (normalized: false)",
      got: verbatim(`${JSON.stringify(content)} with normalized: true`),
      hint: "set normalized to false, or put the token into the vocabulary itself",
    });
  }
  return {
    content,
    id,
    special: token["special"] === true,
    lstrip: token["lstrip"] === true,
    rstrip: token["rstrip"] === true,
    singleWord: token["single_word"] === true,
  };
}

/** A file with fewer tokens for its ids than this would only cost memory. */
const MAX_IDS_PER_TOKEN = 2;

function readVocabulary(vocab: Json, added: readonly AddedToken[]): Vocabulary {
  const where = "tokenizer.json: model.vocab";
  const tokens: string[] = [];
  for (const [token, id] of [...Object.entries(vocab), ...added.map((each) => [each.content, each.id] as const)]) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 10_000_000) {
      throw new VocabularyError({ where, expected: "whole numbers from 0 as ids", got: { [token]: id } });
    }
    tokens[id] = token;
  }
  const known = tokens.filter((token) => token !== undefined).length;
  if (tokens.length > MAX_IDS_PER_TOKEN * known) {
    const got = verbatim(`${known} tokens under ids up to ${tokens.length - 1}`);
    throw new VocabularyError({ where, expected: "a token for nearly every id", got });
  }
  // Lines of vocab.txt that repeat an earlier one leave their id without a token.
  const filled = Array.from(tokens, (token: string | undefined, id) => token ?? `[repeated ${id}]`);
  return Vocabulary.fromTokens(filled, where);
}

function asObject(value: unknown, where: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new VocabularyError({
    where,
    expected: "an object, as a BERT tokenizer.json has it",
    got: value,
    hint: "only BERT's WordPiece tokenisers are read; a vocab.txt works too",
  });
}

function expectValue(field: string, value: unknown, expected: unknown): void {
  if (value === expected) return;
  throw new VocabularyError({
    where: `tokenizer.json: ${field}`,
    expected: JSON.stringify(expected),
    got: value,
    hint: "only BERT's WordPiece tokenisers are read",
  });
}
