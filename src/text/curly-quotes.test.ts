import { Tokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { ArgumentError, VocabularyError } from "../errors.ts";
import { BertTokenizer } from "./tokenizer.ts";
import { tokenizerFiles } from "./tokenizer-files.ts";
import type { TokenizerOptions } from "./tokenizer-options.ts";
import { Vocabulary } from "./vocabulary.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [UNK] [CLS] [SEP] [MASK]".split(" "),
  ...`他 说 好 你 很 。 ， : " ' it s`.split(" "),
]);
const make = (options: TokenizerOptions = {}) => new BertTokenizer(vocabulary, options);
const text = "他说：“很好”，‘it’s’ 你";

describe("curly quotes", () => {
  test("are unknown where the vocabulary lacks them, and read as straight ones on demand, where they stand", () => {
    expect(make().tokenize("他说“好”。")).toEqual(["他", "说", "[UNK]", "好", "[UNK]", "。"]);
    const { ids, starts, ends } = make({ curlyQuotes: "map" }).encodePieces(text);
    const spans = Array.from(ids, (id, i) => [vocabulary.token(id), text.slice(starts[i], ends[i])]);
    expect(spans.filter(([, written]) => /[“”‘’]/.test(written as string))).toEqual([
      ['"', "“"],
      ['"', "”"],
      ["'", "‘"],
      ["'", "’"],
      ["'", "’"],
    ]);
    expect(make({ curlyQuotes: "map", rules: "google" }).tokenize("“好”")).toEqual(['"', "好", '"']);
  });

  test("by bytes as by text", () => {
    const tokenizer = make({ curlyQuotes: "map" });
    const { ids } = tokenizer.encodeBytes(new TextEncoder().encode(text));
    expect([...ids]).toEqual([...tokenizer.encodePieces(text).ids]);
  });

  test("one that is an added token is found before it would be mapped", () => {
    const options = { lstrip: false, rstrip: false, singleWord: false, special: false };
    const addedTokens = [{ content: "“", id: 1, ...options }];
    expect(make({ curlyQuotes: "map", addedTokens }).tokenize("“好”")).toEqual(["[UNK]", "好", '"']);
  });

  test("the choice is in tokenizer.json, where another library finds it, and is read back", () => {
    const json = make({ curlyQuotes: "map" }).toTokenizerJson();
    const read = BertTokenizer.fromTokenizerJson(json);
    expect(read.options.curlyQuotes).toBe("map");
    expect(BertTokenizer.fromTokenizerJson(make().toTokenizerJson()).options.curlyQuotes).toBe("keep");
    const other = new Tokenizer(json, JSON.parse(tokenizerFiles(read, 512)["tokenizer_config.json"]));
    expect(other.encode(text).ids).toEqual([...read.encode(text).ids]);
  });

  test("tokenizer_config.json names a class that keeps what goes beyond BERT's own tokeniser", () => {
    const classOf = (options: TokenizerOptions) =>
      JSON.parse(tokenizerFiles(make(options), 512)["tokenizer_config.json"]).tokenizer_class;
    expect([classOf({}), classOf({ curlyQuotes: "map" })]).toEqual(["BertTokenizer", "PreTrainedTokenizerFast"]);
  });

  test("other replacements in tokenizer.json, and other choices, are refused", () => {
    const json = make({ curlyQuotes: "map" }).toTokenizerJson() as { normalizer: { normalizers: object[] } };
    const { normalizers } = json.normalizer;
    const replaced = (steps: readonly object[]) => () =>
      BertTokenizer.fromTokenizerJson({ ...json, normalizer: { type: "Sequence", normalizers: steps } });
    expect(replaced(normalizers.slice(-1))().options.curlyQuotes).toBe("keep");
    expect(replaced(normalizers.slice(1))).toThrow(VocabularyError);
    expect(replaced([{ type: "NFKC" }, ...normalizers])).toThrow(/normalizers\[0\]\.type: expected "Replace"/);
    expect(replaced([])).toThrow(VocabularyError);
    expect(() => make({ curlyQuotes: "straight" as "map" })).toThrow(ArgumentError);
  });
});
