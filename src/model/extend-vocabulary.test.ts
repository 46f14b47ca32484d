import { Tokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { lazyTensors, readTensors } from "../checkpoint/format.ts";
import { ArgumentError, ConfigError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { tokenizerFiles } from "../text/tokenizer-files.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { toFloat32, toHalf } from "../util/half.ts";
import { Random } from "../util/random.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../util/tensor.ts";
import { parseConfig } from "./config.ts";
import { extendVocabulary, extendWeights } from "./extend-vocabulary.ts";
import { initializeWeights } from "./initialize.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [unused1] [unused2] [UNK] [CLS] [SEP] [MASK]".split(" "),
  ...`北 京 好 " ' . - chat ##gp ##t gpt`.split(" "),
]);
const tokenizer = new BertTokenizer(vocabulary);
const config = parseConfig(
  { vocab_size: vocabulary.size, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8 },
  "config.json",
);
const weights = initializeWeights({ ...config, initializerRange: 1 }, new Random(1), { nextSentence: true });
weights.set(
  "cls.predictions.bias",
  hostTensor(
    "float32",
    [vocabulary.size],
    Float32Array.from(vocabulary.tokens, (_, i) => i / 7),
  ),
);
const EMBEDDINGS = "bert.embeddings.word_embeddings.weight";
const idOf = (token: string) => vocabulary.id(token) as number;
const row = (tensor: HostTensor | undefined, id: number, width = 4) =>
  Array.from(toFloat32(tensor as HostTensor).data.subarray(id * width, (id + 1) * width));
const mean = (tensor: HostTensor | undefined, pieces: readonly string[], width = 4) =>
  Array.from({ length: width }, (_, i) =>
    Math.fround(pieces.reduce((sum, piece) => sum + (row(tensor, idOf(piece), width)[i] as number), 0) / pieces.length),
  );

describe("extendVocabulary", () => {
  test("appends tokens, and says which pieces they were and how they are found", () => {
    const { added, present, tokenizer: grown } = extendVocabulary(tokenizer, ["ChatGPT", "北京", "好", "##京", "北京"]);
    expect(added).toEqual([
      { token: "chatgpt", id: 18, pieces: ["chat", "##gp", "##t"], isRaw: false },
      { token: "北京", id: 19, pieces: ["北", "京"], isRaw: true },
      { token: "##京", id: 20, pieces: ["京"], isRaw: false },
    ]);
    expect(present).toEqual(["好"]);
    expect(grown.vocabulary.tokens.slice(0, 18)).toEqual(vocabulary.tokens);
    const text = "北京ChatGPT好北";
    expect(grown.tokenize(text)).toEqual(["北京", "chatgpt", "好", "北"]);
    expect(grown.encodeBytes(new TextEncoder().encode(text)).ids).toEqual(grown.encodePieces(text).ids);
  });

  test("takes unused places first, where it is asked to", () => {
    const { added, tokenizer: grown } = extendVocabulary(tokenizer, ["“", "”", "…"], { useUnused: true });
    expect(added.map(({ token, id }) => [token, id])).toEqual([
      ["“", 1],
      ["”", 2],
      ["…", 18],
    ]);
    expect(grown.vocabulary.size).toBe(19);
    expect(grown.tokenize("“好”…")).toEqual(["“", "好", "”", "…"]);
  });

  test("characters that were unknown begin as their plain form; what has none, as the mean of all", () => {
    const { added } = extendVocabulary(tokenizer, ["“", "’", "…", "—", "鿿"]);
    expect(added.map(({ pieces }) => pieces)).toEqual([['"'], ["'"], [".", ".", "."], ["-"], []]);
  });

  test("a quote that is a token is found although quotes are mapped", () => {
    const mapping = new BertTokenizer(vocabulary, { curlyQuotes: "map" });
    const { tokenizer: grown } = extendVocabulary(mapping, ["“"]);
    expect(grown.tokenize("“好”")).toEqual(["“", "好", '"']);
  });

  test("another library finds the same tokens by the files", () => {
    const { tokenizer: grown } = extendVocabulary(tokenizer, ["chatgpt", "北京", "“", "c++", "[USER]"]);
    const files = tokenizerFiles(grown, 512);
    const other = new Tokenizer(JSON.parse(files["tokenizer.json"]), JSON.parse(files["tokenizer_config.json"]));
    const text = "[USER]北京的“ChatGPT”好c++北 京";
    expect(other.encode(text).ids).toEqual([...grown.encode(text).ids]);
    expect(BertTokenizer.fromTokenizerJson(JSON.parse(files["tokenizer.json"])).tokenize(text)).toEqual(
      grown.tokenize(text),
    );
  });

  test("refuses what is no token", () => {
    expect(() => extendVocabulary(tokenizer, ["a b"])).toThrow(ArgumentError);
    expect(() => extendVocabulary(tokenizer, ["##"])).toThrow(ArgumentError);
    expect(() => extendVocabulary(tokenizer, [""])).toThrow(ArgumentError);
  });
});

describe("extendWeights", () => {
  const { added } = extendVocabulary(tokenizer, ["“", "chatgpt", "北京", "鿿"], { useUnused: true });
  const extend = (tensors: NamedTensors) => readTensors(extendWeights(lazyTensors(tensors), vocabulary, added));

  test("new rows are the mean of their pieces; every other one stays, bit for bit", () => {
    const after = extend(weights);
    expect([...after.keys()]).toEqual([...weights.keys()]);
    for (const [name, width] of [
      [EMBEDDINGS, 4],
      ["cls.predictions.bias", 1],
    ] as const) {
      const [old, grown] = [weights.get(name), after.get(name)];
      expect(grown?.shape[0]).toBe(20);
      for (const { id, pieces } of added.slice(0, 3)) expect(row(grown, id, width)).toEqual(mean(old, pieces, width));
      const words = vocabulary.tokens.filter((token) => !token.startsWith("["));
      row(grown, 19, width).forEach((value, i) => {
        expect(value).toBeCloseTo(mean(old, words, width)[i] as number, 5);
      });
      const taken = new Set(added.map(({ id }) => id));
      for (const id of vocabulary.tokens.keys()) {
        if (!taken.has(id)) expect([id, row(grown, id, width)]).toEqual([id, row(old, id, width)]);
      }
    }
    for (const [name, tensor] of weights) {
      if (name !== EMBEDDINGS && name !== "cls.predictions.bias") expect(after.get(name)).toBe(tensor);
    }
  });

  test.each(["float16", "bfloat16"] as const)("%s stays what it is", (dtype) => {
    const half = toHalf(weights.get(EMBEDDINGS) as HostTensor, dtype).tensor;
    const grown = extend(new Map([[EMBEDDINGS, half]])).get(EMBEDDINGS) as HostTensor;
    expect(grown.dtype).toBe(dtype);
    const bytes = 2 * 4;
    const [before, after] = [tensorBytes(half), tensorBytes(grown)];
    expect(after.subarray(3 * bytes, 18 * bytes)).toEqual(before.subarray(3 * bytes));
    const precision = dtype === "float16" ? 2 ** -10 : 2 ** -7;
    row(grown, 18).forEach((value, i) => {
      expect(Math.abs(value - (mean(half, ["北", "京"])[i] as number))).toBeLessThan(precision * 4);
    });
  });

  test("rows beyond the vocabulary's end are taken first", () => {
    const table = hostTensor(
      "float32",
      [19, 4],
      Float32Array.from({ length: 76 }, (_, i) => i),
    );
    const { added: two } = extendVocabulary(tokenizer, ["chatgpt", "北京"]);
    const grown = (tokens: typeof two) =>
      readTensors(extendWeights(lazyTensors(new Map([[EMBEDDINGS, table]])), vocabulary, tokens)).get(EMBEDDINGS);
    expect([grown(two.slice(0, 1))?.shape[0], grown(two)?.shape[0]]).toEqual([19, 20]);
    expect(row(grown(two), 18)).toEqual(mean(table, ["chat", "##gp", "##t"]));
    expect(row(grown(two), 0)).toEqual([0, 1, 2, 3]);
  });

  test("refuses weights of another vocabulary", () => {
    const other = new Map([[EMBEDDINGS, hostTensor("float32", [5, 4], new Float32Array(20))]]);
    expect(() => extend(other)).toThrow(ConfigError);
  });
});
