import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArgumentError, CorpusError, VocabularyError } from "../errors.ts";
import { BertTokenizer } from "./tokenizer.ts";
import type { TokenizerOptions } from "./tokenizer-options.ts";
import { Vocabulary } from "./vocabulary.ts";

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const pieces =
  "我 喜 欢 喝 绿 茶 。 ， “ ” # [ ] ! . tea ##s ##cup ##up cafe σ ς ##σ ##ς ##ο ο 3 5 ##0 ᄀ ##ᅡ ##ᆨ mask".split(" ");
const make = (options: TokenizerOptions = {}) =>
  new BertTokenizer(Vocabulary.fromTokens([...special, ...pieces]), options);
const spans = (tokenizer: BertTokenizer, text: string) => {
  const { ids, starts, ends } = tokenizer.encodePieces(text);
  return Array.from(ids, (id, i) => [tokenizer.vocabulary.token(id), text.slice(starts[i], ends[i])]);
};

describe("tokenize", () => {
  test("Chinese characters one by one, Latin words by the longest pieces", () => {
    expect(make().tokenize("我喜欢teacups。Tea")).toEqual(["我", "喜", "欢", "tea", "##cup", "##s", "。", "tea"]);
  });

  test("a word with a gap, or too long, is unknown as a whole", () => {
    expect(make().tokenize("teaz 茶")).toEqual(["[UNK]", "茶"]);
    const word = `tea${"s".repeat(98)}`;
    expect(make().tokenize(word)).toEqual(["[UNK]"]);
    expect(make().tokenize(word.slice(1))).toEqual(["[UNK]"]);
    expect(make().tokenize(`tea${"s".repeat(97)}`)).toHaveLength(98);
    expect(make({ rules: "google" }).tokenize(word)).toHaveLength(99);
    expect(make({ maxInputCharsPerWord: 3 }).tokenize("teas tea")).toEqual(["[UNK]", "tea"]);
  });

  test("special tokens in the text: found as written in one rule set, split in the other", () => {
    expect(make().tokenize("喝[MASK]茶[mask]")).toEqual(["喝", "[MASK]", "茶", "[", "mask", "]"]);
    expect(make({ rules: "google" }).tokenize("喝[MASK]")).toEqual(["喝", "[", "mask", "]"]);
    expect(make().tokenize("tea[MASK]tea[MASK")).toEqual(["tea", "[MASK]", "tea", "[", "mask"]);
  });

  test("the lower case of a final sigma is what each rule set makes of it", () => {
    expect(make().tokenize("ΟΣ")).toEqual(["ο", "##σ"]);
    expect(make({ rules: "google" }).tokenize("ΟΣ ΣΟ, ΟΣ\u00ad. 茶Σ")).toEqual([
      "ο",
      "##ς",
      "σ",
      "##ο",
      "[UNK]",
      "ο",
      "##ς",
      ".",
      "茶",
      "σ",
    ]);
  });

  test("offsets are UTF-16 places in the original text", () => {
    expect(spans(make(), "  我\u200b喝😀Cafe\u0301s茶")).toEqual([
      ["我", "我"],
      ["喝", "喝"],
      ["[UNK]", "😀Cafe\u0301s"],
      ["茶", "茶"],
    ]);
    expect(spans(make(), "TEA\u0301CUP!")).toEqual([
      ["tea", "TEA"],
      ["##cup", "CUP"],
      ["!", "!"],
    ]);
    expect(spans(make(), "각")).toEqual([
      ["ᄀ", "각"],
      ["##ᅡ", "각"],
      ["##ᆨ", "각"],
    ]);
  });

  test("marks are put into canonical order, with the places of the originals", () => {
    const marks = ["\u302e", "\u1b44"] as const;
    const tokenizer = new BertTokenizer(Vocabulary.fromTokens([...special, "a", ...marks.map((mark) => `##${mark}`)]));
    expect(tokenizer.tokenize("a\u302e\u1b44")).toEqual(["a", "##\u1b44", "##\u302e"]);
    const { starts } = tokenizer.encodePieces("a\u302e\u0301\u1b44");
    expect([...starts]).toEqual([0, 1, 2]);
  });

  test("cased text keeps capitals and accents", () => {
    expect(make({ lowercase: false }).tokenize("tea Tea café cafe")).toEqual(["tea", "[UNK]", "[UNK]", "cafe"]);
    expect(make({ lowercase: false, stripAccents: true }).tokenize("café")).toEqual(["cafe"]);
    expect(make({ stripAccents: false }).tokenize("CAFE café")).toEqual(["cafe", "[UNK]"]);
  });
});

describe("encode", () => {
  test("one text and a pair", () => {
    const encoding = make().encode("喝teas", { pair: "茶。" });
    expect(encoding.tokens).toEqual(["[CLS]", "喝", "tea", "##s", "[SEP]", "茶", "。", "[SEP]"]);
    expect([...encoding.typeIds]).toEqual([0, 0, 0, 0, 0, 1, 1, 1]);
    expect([...encoding.wordIds]).toEqual([-1, 0, 1, 1, -1, 0, 1, -1]);
    expect([...encoding.sequenceIds]).toEqual([-1, 0, 0, 0, -1, 1, 1, -1]);
    expect([...encoding.specialTokensMask]).toEqual([1, 0, 0, 0, 1, 0, 0, 1]);
    expect([...encoding.offsets].slice(2, 8)).toEqual([0, 1, 1, 4, 4, 5]);
    expect(make().encode("喝", { addSpecialTokens: false }).tokens).toEqual(["喝"]);
  });

  test("cuts at either side, pads at either side", () => {
    const options = { maxLength: 4, padding: "max_length" } as const;
    expect(make().encode("我喜欢喝", options).tokens).toEqual(["[CLS]", "我", "喜", "[SEP]"]);
    expect(make().encode("我喜欢喝", { ...options, truncationSide: "left" }).tokens).toEqual([
      "[CLS]",
      "欢",
      "喝",
      "[SEP]",
    ]);
    const padded = make().encode("我", { ...options, paddingSide: "left" });
    expect(padded.tokens).toEqual(["[PAD]", "[CLS]", "我", "[SEP]"]);
    expect([...padded.attentionMask]).toEqual([0, 1, 1, 1]);
    expect(make().encode("我喜欢喝", { ...options, truncation: false }).ids).toHaveLength(6);
  });

  test("windows overlap by the stride and cover the text", () => {
    const encoding = make().encode("我喜欢喝绿茶", { maxLength: 5, stride: 1 });
    const windows = [encoding, ...encoding.overflowing].map((window) => window.tokens.slice(1, -1).join(""));
    expect(windows).toEqual(["我喜欢", "欢喝绿", "绿茶"]);
    expect(make().encode("我", { maxLength: 5, stride: 1 }).overflowing).toEqual([]);
  });

  test("an odd budget goes to the longer text, or to the first in Google's way", () => {
    const count = (truncation: "longest_first" | "google") => {
      const { sequenceIds } = make().encode("我喜欢", { pair: "喝绿茶。", maxLength: 8, truncation });
      return [0, 1].map((side) => sequenceIds.filter((id) => id === side).length);
    };
    expect(count("longest_first")).toEqual([2, 3]);
    expect(count("google")).toEqual([3, 2]);
  });

  test.each([
    ["only_second without a pair", "我喜欢", { maxLength: 4, truncation: "only_second" }],
    ["a text too short to cut alone", "我", { pair: "喜欢喝绿茶", maxLength: 5, truncation: "only_first" }],
    ["a stride that leaves no way forward", "我喜欢喝", { maxLength: 4, stride: 2 }],
    ["a length below the special tokens", "我", { maxLength: 1 }],
    ["padding to a length that is not given", "我", { padding: "max_length" }],
    ["padding to a length beyond all memory", "我", { padding: 1e12 }],
    ["padding to half a token", "我", { padding: 2.5 }],
  ] as const)("refuses %s", (_, text, options) => {
    expect(() => make().encode(text, options)).toThrow(ArgumentError);
  });

  test("a batch is padded to its longest", () => {
    const batch = make().encodeBatch(["我", ["喝绿茶", "。"]], { padding: "longest" });
    expect(batch.map((encoding) => encoding.ids.length)).toEqual([7, 7]);
    expect(batch[0]?.tokens.slice(0, 4)).toEqual(["[CLS]", "我", "[SEP]", "[PAD]"]);
  });
});

describe("bytes", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test("ids line by line, special tokens included", () => {
    const { ids, lineEnds } = make().encodeBytes(bytes("我喝teas\r\n\n[MASK]茶[\nΣ"));
    expect(make().convertIdsToTokens(ids)).toEqual(["我", "喝", "tea", "##s", "[MASK]", "茶", "[", "σ"]);
    expect([...lineEnds]).toEqual([4, 4, 7, 8]);
  });

  test("the same as by text, for any text", () => {
    const characters = fc.oneof(
      fc.constantFrom(..."我茶teascup[MASK]ΟΣé각\u0301\u302e\u1b44\u200b\n 。😀"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    );
    for (const rules of ["huggingface", "google"] as const) {
      const tokenizer = make({ rules });
      fc.assert(
        fc.property(fc.array(characters, { maxLength: 40 }), (list) => {
          const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(list.join("")));
          const { ids, lineEnds } = tokenizer.encodeBytes(bytes(text));
          const lines = text.endsWith("\n") || text === "" ? text.split("\n").slice(0, -1) : text.split("\n");
          expect(lineEnds.length).toBe(lines.length);
          expect([...ids]).toEqual(lines.flatMap((line) => [...tokenizer.encodePieces(line).ids]));
        }),
        { numRuns: 500 },
      );
    }
  });

  test.each([
    ["a lone continuation byte", [0x41, 0x80], 1],
    ["a cut character", [0xe6, 0x88], 0],
    ["an overlong form", [0x41, 0x41, 0xe0, 0x80, 0xaf], 2],
    ["a surrogate", [0xed, 0xa0, 0x80], 0],
    ["GB 18030", [0xc4, 0xe3, 0xba, 0xc3], 0],
    ["a code point above the last", [0xf4, 0x90, 0x80, 0x80], 0],
    ["a lead byte that is none", [0x41, 0xf9, 0x80, 0x80, 0x80], 1],
    ["bad bytes on a line with a special token", [...new TextEncoder().encode("[MASK]茶"), 0xff, 0x0a], 9],
  ])("refuses %s and names the byte", (_, list, offset) => {
    expect(() => make().encodeBytes(Uint8Array.from(list))).toThrow(CorpusError);
    expect(() => make().encodeBytes(Uint8Array.from(list))).toThrow(`byte ${offset}:`);
  });
});

describe("decode", () => {
  const join = (text: string) => {
    const vocabulary = Vocabulary.fromTokens([...special, ...new Set(text.split(" "))]);
    const tokenizer = new BertTokenizer(vocabulary);
    return tokenizer.decode(tokenizer.convertTokensToIds(text.split(" ")));
  };

  test.each([
    ["今 天 天 气 很 好 。", "今天天气很好。"],
    ["hello world , this is play ##ing !", "hello world, this is playing!"],
    ["用 iphone 12 拍 照", "用iphone 12拍照"],
    ["3 . 5 or 12 : 30", "3.5 or 12:30"],
    ["a ( b ) c", "a (b) c"],
    ['he said " hi there " to us', 'he said "hi there" to us'],
    ["今 天 [MASK] [MASK] 好", "今天[MASK][MASK]好"],
    ["the [MASK] cat", "the [MASK] cat"],
    ["don ' t", "don't"],
    ["カ タ カナ", "カタカナ"],
  ])("%s", (tokens, text) => {
    expect(join(tokens)).toBe(text);
  });

  test("special tokens can be left out, and Hangul is put together", () => {
    const tokenizer = make();
    const { ids } = tokenizer.encode("我喝teas", { maxLength: 12, padding: "max_length" });
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("我喝teas");
    expect(tokenizer.decode(tokenizer.encodePieces("각").ids)).toBe("각");
    expect(() => tokenizer.decode([999])).toThrow(VocabularyError);
  });
});

describe("tokenizer.json", () => {
  const sample = "我喜欢喝绿茶。[MASK] teacups, CAFE!";

  test("is read back as it was written", () => {
    for (const options of [{}, { lowercase: false }, { stripAccents: false }, { maxInputCharsPerWord: 5 }]) {
      const tokenizer = make(options);
      const again = BertTokenizer.fromTokenizerJson(JSON.parse(JSON.stringify(tokenizer.toTokenizerJson())));
      expect(again.options).toEqual(tokenizer.options);
      expect(again.vocabulary.tokens).toEqual(tokenizer.vocabulary.tokens);
    }
  });

  test("lines of vocab.txt that repeat another keep every other id where it is", () => {
    const tokenizer = new BertTokenizer(Vocabulary.fromTokens([...special, "茶", "茶", "", "", "好"]));
    const again = BertTokenizer.fromTokenizerJson(JSON.parse(JSON.stringify(tokenizer.toTokenizerJson())));
    expect(again.encodePieces("好茶").ids).toEqual(tokenizer.encodePieces("好茶").ids);
    expect(again.vocabulary.size).toBe(tokenizer.vocabulary.size);
  });

  test("another library loads it and gives the same ids", () => {
    const theirs = new Tokenizer(make().toTokenizerJson(), { tokenizer_class: "BertTokenizer" });
    expect(theirs.encode(sample).ids).toEqual([...make().encode(sample).ids]);
  });

  test("added tokens are found as their flags say", () => {
    const added = (content: string, flags = {}) => ({
      content,
      id: 4,
      special: true,
      lstrip: false,
      rstrip: false,
      singleWord: false,
      ...flags,
    });
    const tokenizer = make({
      addedTokens: [added("tea", { singleWord: true }), added("!", { lstrip: true, rstrip: true })],
    });
    expect(spans(tokenizer, "tea teas  !  茶")).toEqual([
      ["[MASK]", "tea"],
      ["tea", "tea"],
      ["##s", "s"],
      ["[MASK]", "  !  "],
      ["茶", "茶"],
    ]);
  });

  test.each([
    ["another model", { model: { type: "BPE", vocab: {} } }],
    ["no model", { model: undefined }],
    ["another normaliser", { normalizer: { type: "NFC" } }],
    ["an id that is no number", { model: { vocab: { "[PAD]": "0" } } }],
    ["hardly any token for its ids", { model: { vocab: { "[PAD]": 0, "[UNK]": 99 } } }],
    ["tokens matched after normalising", { added_tokens: [{ content: "x", id: 0, normalized: true }] }],
  ])("refuses %s", (_, change) => {
    expect(() => BertTokenizer.fromTokenizerJson({ ...make().toTokenizerJson(), ...change })).toThrow(VocabularyError);
  });
});
