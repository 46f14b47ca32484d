import { afterAll, describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { ArgumentError } from "../errors.ts";
import { parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { maskedLmGraph } from "../model/masked-lm.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { Random } from "../util/random.ts";
import { BertModel } from "./bert-model.ts";
import { fillMasks } from "./fill-mask.ts";
import type { FillMaskOptions, FillWordsOptions } from "./fill-mask-options.ts";
import { MaskScorer } from "./mask-scorer.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."我住在北京上海哈尔滨的。", "play", "##ing", "##ed"];
const tokenizer = new BertTokenizer(Vocabulary.fromTokens(tokens));
const sizes = { hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 16 };
const config = parseConfig({ vocab_size: tokens.length, ...sizes, max_position_embeddings: 16 }, "config.json");
const weights = initializeWeights({ ...config, initializerRange: 1 }, new Random(3), { nextSentence: true });
const model = new BertModel({ config, weights: lazyTensors(weights), tokenizer, runtime });
const executable = runtime.compile(maskedLmGraph(config), { weights });
const { mask } = tokenizer.vocabulary.ids;

/** The product of the probabilities of pieces put into the masks of a row from the left, one run for each. */
async function chance(ids: Int32Array, pieces: readonly number[]): Promise<number> {
  const scorer = new MaskScorer(await executable, config.vocabSize);
  const row = ids.slice();
  let product = 1;
  let position = -1;
  for (const piece of pieces) {
    position = row.indexOf(mask, position + 1);
    await scorer.score([{ ids: row, positions: [position] }], (_, probabilities) => {
      product *= probabilities[piece] as number;
    });
    row[position] = piece;
  }
  return product;
}

interface Scored {
  readonly tokens: readonly string[];
  readonly score: number;
}

function expectRanking(got: readonly Scored[], want: readonly Scored[]): void {
  const sorted = [...want].sort((a, b) => b.score - a.score).slice(0, got.length);
  expect(got.map((each) => each.tokens)).toEqual(sorted.map((each) => each.tokens));
  got.forEach(({ score }, i) => {
    expect(score / (sorted[i]?.score ?? 0)).toBeCloseTo(1, 4);
  });
}

describe("joint ranking", () => {
  const text = "我[MASK]在[MASK]。";

  test("a beam as wide as the vocabulary equals trying every combination", async () => {
    const [result] = await model.fillMask([text], { joint: true, topK: 40, beamSize: tokens.length });
    const { ids } = tokenizer.encode(text);
    const all: Scored[] = [];
    for (const [first, a] of tokens.entries()) {
      for (const [second, b] of tokens.entries())
        all.push({ tokens: [a, b], score: await chance(ids, [first, second]) });
    }
    expect(result?.joint).toHaveLength(40);
    expectRanking(result?.joint ?? [], all);
    const filled = result?.joint?.find(({ tokens: pair }) => pair.every((token) => /^[住北京上海的]$/.test(token)));
    expect(filled?.text).toBe(`我${filled?.tokens[0]}在${filled?.tokens[1]}。`);
  });

  test("the masks' own rankings stay as they are without it, and texts do not mix", async () => {
    const texts = [text, "[MASK]", "我住在[MASK][MASK][MASK]的。"];
    const plain = await model.fillMask(texts, { topK: 3 });
    const joint = await model.fillMask(texts, { topK: 3, joint: true, beamSize: 4 });
    expect(plain[0]).not.toHaveProperty("joint");
    for (const [i, each] of texts.entries()) {
      const [alone] = await model.fillMask([each], { topK: 3, joint: true, beamSize: 4 });
      expect(joint[i]?.masks.map((list) => list.map(({ id }) => id))).toEqual(
        plain[i]?.masks.map((list) => list.map(({ id }) => id)),
      );
      expect(joint[i]?.joint?.map((one) => one.text)).toEqual(alone?.joint?.map((one) => one.text));
    }
    // One mask: nothing to be joint about.
    expect(joint[1]?.joint?.map(({ tokens: [token] }) => token)).toEqual(joint[1]?.masks[0]?.map(({ token }) => token));
  });

  test("a narrow beam gives fillings of the scores that they have", async () => {
    const [result] = await model.fillMask([text], { joint: true, beamSize: 1, topK: 2 });
    const { ids } = tokenizer.encode(text);
    for (const { tokens: pair, score } of result?.joint ?? []) {
      const pieces = pair.map((token) => tokens.indexOf(token));
      expect(score / (await chance(ids, pieces))).toBeCloseTo(1, 4);
    }
    expect(result?.joint?.[0]?.tokens[0]).toBe(result?.masks[0]?.[0]?.token);
  });
});

test("rows of the model beyond the vocabulary's end are no candidates", async () => {
  const short = new BertTokenizer(Vocabulary.fromTokens(tokens.slice(0, -3)));
  const fewer = new BertModel({ config, weights: lazyTensors(weights), tokenizer: short, runtime });
  const [result] = await fewer.fillMask(["我[MASK]在[MASK]。"], { topK: tokens.length, joint: true });
  const [whole] = await model.fillMask(["我[MASK]在[MASK]。"], { topK: tokens.length });
  for (const [i, list] of (whole?.masks ?? []).entries()) {
    const known = list.filter(({ id }) => id < tokens.length - 3);
    expect(result?.masks[i]?.map(({ id }) => id)).toEqual(known.map(({ id }) => id));
  }
  expect(result?.joint).toHaveLength(tokens.length);
});

describe("whole words", () => {
  const characters = [..."北京上海哈尔滨的住"];
  const pairs = characters.flatMap((a) => characters.map((b) => a + b));
  const lexicon = [...characters, ...pairs, "哈尔滨", "尔滨哈", "playing", "played", "play", "PLAY", "茶", "北茶", ""];

  const exact = async (ids: Int32Array, words: readonly string[]): Promise<Scored[]> =>
    Promise.all(
      words.map(async (word) => {
        const pieces = [...tokenizer.encodePieces(word).ids];
        const at = ids.indexOf(mask);
        const masks = ids.filter((id) => id === mask).length;
        const row = [...ids.slice(0, at), ...pieces.map(() => mask), ...ids.slice(at + masks)];
        return { tokens: [word], score: (await chance(Int32Array.from(row), pieces)) ** (1 / pieces.length) };
      }),
    );
  const ranking = (result: { masks: readonly (readonly { token: string; score: number }[])[] } | undefined) =>
    (result?.masks[0] ?? []).map(({ token, score }) => ({ tokens: [token], score }));

  test("a run of masks takes words of as many characters, ranked as by scoring each", async () => {
    const text = "我住在[MASK][MASK]。";
    const [result] = await model.fillMask([text], { lexicon, topK: 1000, beamSize: 1000 });
    const { ids } = tokenizer.encode(text);
    const fitting = [...pairs, "playing", "played"];
    expect(result?.masks).toHaveLength(1);
    expect(result?.masks[0]).toHaveLength(fitting.length);
    expectRanking(ranking(result), await exact(ids, fitting));
    expect(result?.masks[0]?.find(({ token }) => token === "北京")?.text).toBe("我住在北京。");
  });

  test("a single mask takes words of one to four tokens by their mean, or of the lengths asked for", async () => {
    const text = "我住在[MASK]。";
    const { ids } = tokenizer.encode(text);
    const [result] = await model.fillMask([text], { lexicon, topK: 1000, beamSize: 1000 });
    const known = lexicon.filter((word) => !/茶|^$|PLAY/.test(word));
    expectRanking(ranking(result), await exact(ids, known));
    const [three] = await model.fillMask([text], { lexicon, topK: 9, wordLengths: [3] });
    expectRanking(ranking(three), await exact(ids, ["哈尔滨", "尔滨哈"]));
    expect(three?.masks[0]?.[0]?.ids).toHaveLength(3);
  });

  test("masks that do not touch are slots of their own; each is ranked with the others masked", async () => {
    const [result] = await model.fillMask(["[MASK][MASK]的[MASK] [MASK]。"], { lexicon, topK: 2 });
    expect(result?.masks).toHaveLength(3);
    const [first] = result?.masks[0] ?? [];
    expect(first?.text).toBe(`${first?.token}的[MASK] [MASK]。`);
  });

  test("slots together: the second is read with the first in place, whatever its length", async () => {
    const text = "[MASK]的[MASK]。";
    const few = ["北京", "哈尔滨", "海"];
    const [result] = await model.fillMask([text], { candidates: few, joint: true, topK: 9, beamSize: 9 });
    const { ids } = tokenizer.encode(text);
    const all: Scored[] = [];
    for (const a of few) {
      for (const b of few) {
        const [first, second] = [a, b].map((word) => [...tokenizer.encodePieces(word).ids]) as [number[], number[]];
        // While the first slot is filled, the second is one mask.
        const before = Int32Array.from([ids[0] as number, ...first.map(() => mask), ...ids.slice(2)]);
        const after = Int32Array.from([
          ids[0] as number,
          ...first,
          ids[2] as number,
          ...second.map(() => mask),
          ...ids.slice(4),
        ]);
        const product = (await chance(before, first)) * (await chance(after, second));
        all.push({ tokens: [a, b], score: product ** (1 / (first.length + second.length)) });
      }
    }
    expect(result?.joint).toHaveLength(9);
    expectRanking(result?.joint ?? [], all);
    const { tokens: [a, b] = [], text: filled } = result?.joint?.[0] ?? {};
    expect(filled).toBe(`${a}的${b}。`);
  });

  test("candidates are all scored, however narrow the beam; Latin words by their pieces", async () => {
    const text = "我住在[MASK]。";
    const candidates = ["北京", "上海", "哈尔滨", "playing", "的"];
    const [result] = await model.fillMask([text], { candidates, beamSize: 1, topK: 5 });
    expect(result?.masks[0]).toHaveLength(5);
    expectRanking(ranking(result), await exact(tokenizer.encode(text).ids, candidates));
  });

  test("a lexicon of many words needs few runs of the model", async () => {
    const engine = await executable;
    let rows = 0;
    const run: typeof engine.run = (inputs) => {
      rows += inputs["input_ids"]?.shape[0] ?? 0;
      return engine.run(inputs);
    };
    const scorer = new MaskScorer({ run, dispose: async () => undefined }, config.vocabSize);
    const parts = { scorer, tokenizer, maxPositions: 16, lexicons: new WeakMap() };
    await fillMasks(parts, ["我住在[MASK][MASK]。"], { lexicon, beamSize: 5 });
    // One row for the first piece, five for the second.
    expect(rows).toBe(6);
  });

  test("refuses words that cannot be, by name", async () => {
    const text = "我住在[MASK][MASK]。";
    const fill = (options: FillMaskOptions | FillWordsOptions, texts = [text]): Promise<unknown> =>
      model.fillMask(texts, options);
    await expect(fill({ candidates: ["北京", "广州", "杭州"] })).rejects.toThrow(/"广州", "杭州"/);
    await expect(fill({ candidates: ["北京", "哈尔滨"] })).rejects.toThrow(/words of 2 tokens.*words of 2, 3 tokens/);
    await expect(fill({ candidates: [] })).rejects.toThrow(ArgumentError);
    await expect(fill({ lexicon: ["海"] })).rejects.toThrow(ArgumentError);
    await expect(fill({ lexicon, wordLengths: [0] })).rejects.toThrow(ArgumentError);
    await expect(fill({ beamSize: 0 })).rejects.toThrow(ArgumentError);
    const long = "住".repeat(13);
    await expect(fill({ lexicon, wordLengths: [2] }, [`${long}[MASK]`])).rejects.toThrow(/at most 16 tokens/);
    await expect(fill({ lexicon, wordLengths: [1] }, [`${long}[MASK]`])).resolves.toHaveLength(1);
  });
});
