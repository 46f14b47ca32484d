import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "../../test/graph-checks.ts";
import { smallConfig, smallVocabulary, smallWeights } from "../../test/small-model.ts";
import { lazyTensors } from "../checkpoint/format.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { type Segmenter, segmentByCutting } from "../text/segmenter.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { BertModel } from "./bert-model.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
// The last entries of the small vocabulary become pieces of Latin words.
const tokens = [...smallVocabulary.tokens.slice(0, -2), "play", "##ing"];
const model = new BertModel({
  config: smallConfig,
  weights: lazyTensors(smallWeights()),
  tokenizer: new BertTokenizer(Vocabulary.fromTokens(tokens)),
  runtime,
});
const HIDDEN = 12;

/** Cuts at the places of `|`, which the text does not have. */
const cutAt = (...words: readonly string[]): Segmenter => ({
  name: "given",
  segment: (text) => segmentByCutting(text, () => words),
});

/** The mean of a text's tokens [from, to), [CLS] being token 0. */
async function meanOf(text: string, from: number, to: number): Promise<number[]> {
  const [flat] = await model.embed([text], { pooling: "none" });
  return Array.from({ length: HIDDEN }, (_, column) => {
    let sum = 0;
    for (let token = from; token < to; token++) sum += flat?.[token * HIDDEN + column] as number;
    return sum / (to - from);
  });
}

describe("wordVectors", () => {
  test("a word is the mean of its tokens, with its text and UTF-16 offsets; white space is no word", async () => {
    const text = "我爱 Playing 北京";
    const [result] = await model.wordVectors([text], cutAt("我", "爱", "Playing", "北京"));
    const words = result?.words ?? [];
    expect(words.map(({ text: word, start, end }) => [word, start, end])).toEqual([
      ["我", 0, 1],
      ["爱", 1, 2],
      ["Playing", 3, 10],
      ["北京", 11, 13],
    ]);
    const tokens = [1, 2, 3, 5, 7];
    for (const [i, { vector }] of words.entries()) {
      expectClose([...vector], await meanOf(text, tokens[i] as number, tokens[i + 1] as number), 1e-5);
    }
  });

  test("a token across a border belongs to both words", async () => {
    const [result] = await model.wordVectors(["playing"], cutAt("pl", "aying"));
    expectClose([...(result?.words[0]?.vector ?? [])], await meanOf("playing", 1, 2), 1e-5);
    expectClose([...(result?.words[1]?.vector ?? [])], await meanOf("playing", 1, 3), 1e-5);
  });

  test("texts in order, of one and of several windows; a word over the border of windows is one", async () => {
    const long = "今天天气很好我爱北京的天气一是不了在人有他这";
    const words = [long.slice(0, 5), long.slice(5, 16), long.slice(16)];
    const segmenter: Segmenter = {
      name: "given",
      segment: (text) => segmentByCutting(text, () => (text === long ? words : [text])),
    };
    const results = await model.wordVectors(["我", long, "", "北京"], segmenter, { batchTokens: 20 });
    expect(results.map(({ words: found }) => found.map(({ text }) => text))).toEqual([["我"], words, [], ["北京"]]);
    const places = [1, 6, 17, long.length + 1];
    for (const [i, word] of (results[1]?.words ?? []).entries()) {
      expectClose([...word.vector], await meanOf(long, places[i] as number, places[i + 1] as number), 1e-5);
    }
    const [unit] = await model.wordVectors([long], segmenter, { normalize: true });
    for (const { vector } of unit?.words ?? []) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  test("offsets are in the text without a segmenter's own marks", async () => {
    const [result] = await model.wordVectors(["我 爱 北京"], preSegmented());
    expect(result?.text).toBe("我爱北京");
    expect(result?.words.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 2],
      [2, 4],
    ]);
  });
});
